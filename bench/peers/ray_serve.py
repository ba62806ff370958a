"""Ray Serve with batching."""

import os
from pathlib import Path

import batch_model
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=128, logging_config={"enable_access_log": False})
class Breast:
    """One replica of the model."""

    def __init__(self):
        self.answer = batch_model.load()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.005)
    async def many(self, rows):
        """Answer the rows of several requests."""
        return self.answer(rows)

    async def __call__(self, request: Request):
        """Answer one request."""
        return await self.many((await request.json())["features"])


if __name__ == "__main__":
    ray.init(
        include_dashboard=False,
        num_cpus=2,
        _temp_dir=os.environ["BENCH_WORK"],
        logging_level="warning",
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parent)}},
    )
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])},
        logging_config={"enable_access_log": False},
    )
    serve.run(Breast.bind(), route_prefix="/predict", blocking=True)
