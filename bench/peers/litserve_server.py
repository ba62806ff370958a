"""LitServe with batching."""

import os

import batch_model
import litserve


class Breast(litserve.LitAPI):
    """One model, many rows in one call."""

    def setup(self, device):
        """Load the model in the worker."""
        self.answer = batch_model.load()

    def decode_request(self, request):
        """One row."""
        return request["features"]

    def batch(self, inputs):
        """Keep the rows as a list."""
        return inputs

    def predict(self, rows):
        """Answer the rows of several requests."""
        return self.answer(rows)

    def unbatch(self, output):
        """One answer for each request."""
        return output

    def encode_response(self, output):
        """As it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Breast(max_batch_size=64, batch_timeout=0.005), accelerator="cpu", workers_per_device=1
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
