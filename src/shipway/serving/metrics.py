"""What Prometheus sees, right with one process and with several.

With several, ``prometheus_client`` keeps each process's numbers in files of one directory and any
of them answers a scrape for all (https://prometheus.github.io/client_python/multiprocess/).
``metrics_directory`` says where that directory comes from.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from shipway.model.signature import Outputs, Signature
from shipway.model.spec import ModelSpec
from shipway.serving.batching import Answered
from shipway.serving.cache import CacheCount
from shipway.serving.cost import SIZES, Cost
from shipway.serving.dialects.native import plain_values
from shipway.serving.slot import Loaded
from shipway.serving.tallies import BulkHistogram, ClassCounts

__all__ = ["LATENCY_BUCKETS", "PREDICTION_BUCKETS", "Metrics"]

LATENCY_BUCKETS = (
    *(float(f"{step}e{power}") for power in range(-4, 1) for step in (1, 2.5, 5)),
    10.0,
)
"""Seconds, from 0.1 ms to 10 s."""

_STEPS = (*(float(f"{step}e{power}") for power in range(-1, 5) for step in (1, 3)), 1e5, 1e6)
PREDICTION_BUCKETS = (*(-step for step in reversed(_STEPS)), 0.0, *_STEPS)
"""For regressors. No artifact tells the range of its answers: half decades on both sides of 0."""

_CONFIDENCE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_BATCH_BUCKETS = tuple(float(2**power) for power in range(13))
_MOST_REASONS = 30


class Metrics:
    """The numbers of one process, or of a set of processes that share a directory.

    Make one for each application. Whoever answers a request calls ``request``; whoever has the
    model answer calls ``predicted``; whoever changes the model calls ``swapped`` or ``refused``.
    """

    def __init__(self, *, prediction_buckets: Sequence[float] = PREDICTION_BUCKETS) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._registry = own = CollectorRegistry()
        by_route = ("route", "status")
        self._requests = Counter(
            "shipway_requests_total", "Requests answered.", by_route, registry=own
        )
        self._durations = BulkHistogram(
            "shipway_request_duration_seconds",
            "From the request's head to the last byte of its answer.",
            by_route,
            buckets=LATENCY_BUCKETS,
            registry=own,
        )
        self._in_flight = Gauge(
            "shipway_requests_in_flight",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._model_latency = BulkHistogram(
            "shipway_model_latency_seconds",
            "Time inside the model, one call.",
            buckets=LATENCY_BUCKETS,
            registry=own,
        )
        self._batch_requests = BulkHistogram(
            "shipway_batch_requests",
            "Requests that shared one call of the model.",
            buckets=_BATCH_BUCKETS,
            registry=own,
        )
        self._batch_rows = BulkHistogram(
            "shipway_batch_rows",
            "Rows in one call of the model.",
            buckets=_BATCH_BUCKETS,
            registry=own,
        )
        self._rows = Counter("shipway_rows_total", "Rows the model answered.", registry=own)
        self._define_cache(own)
        self._prediction_buckets = prediction_buckets
        self._define_model(own)
        self._children: dict[tuple[str, int], tuple[Counter, BulkHistogram]] = {}
        self._counted: tuple[Signature, ClassCounts] | None = None
        self._described: dict[str, str] | None = None
        self._stands_in = False
        self._written: tuple[int, dict[str, str]] | None = None
        self._process: int | None = None

    def _define_cache(self, own: CollectorRegistry) -> None:
        self._cache_rows = Counter(
            "shipway_cache_rows_total",
            "Rows looked up among the answers that are kept.",
            ["result"],
            registry=own,
        )
        for result in ("hit", "miss"):
            self._cache_rows.labels(result)
        self._cache_evicted = Counter(
            "shipway_cache_evicted_total", "Answers given up for want of room.", registry=own
        )
        self._cache_entries = Gauge(
            "shipway_cache_entries",
            "Answers that are kept.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._cache_bytes = Gauge(
            "shipway_cache_bytes",
            "Memory that the answers take, about.",
            multiprocess_mode="livesum",
            registry=own,
        )

    def _define_model(self, own: CollectorRegistry) -> None:
        self._info = Gauge(
            "shipway_model_info",
            "1 for the model in service.",
            ["version", "digest", "format", "framework"],
            multiprocess_mode="livemax",
            registry=own,
        )
        self._converted = Gauge(
            "shipway_model_converted",
            "1 when a proven converted file answers in the model's place.",
            multiprocess_mode="livemax",
            registry=own,
        )
        self._call_seconds = Gauge(
            "shipway_model_call_seconds",
            "Time inside the model for so many rows, measured before it serves.",
            ["rows"],
            multiprocess_mode="livemax",
            registry=own,
        )
        self._inline = Gauge(
            "shipway_batching_inline",
            "1 when calls are made on the event loop, 0 when in a thread.",
            multiprocess_mode="livemax",
            registry=own,
        )
        self._reloads = Counter(
            "shipway_model_reloads_total", "Times a new model came.", ["result"], registry=own
        )
        self._refused = Counter(
            "shipway_model_refused_total", "New models refused.", ["reason"], registry=own
        )
        self._reasons: set[str] = set()
        self._start = Gauge(
            "process_start_time_seconds",
            "When the first process of this service started, in Unix time.",
            multiprocess_mode="min",
            registry=own,
        )
        self._start.set(time.time())
        for result in ("swapped", "refused"):
            self._reloads.labels(result)

    @property
    def registry(self) -> CollectorRegistry:
        """Where other parts of this process add numbers of their own."""
        return self._registry

    # Made on first use: a regressor has no classes and a classifier no histogram of values.
    @cached_property
    def _classes(self) -> Counter:
        return Counter(
            "shipway_predictions_total",
            "Predictions by class.",
            ["class"],
            registry=self._registry,
        )

    @cached_property
    def _values(self) -> BulkHistogram:
        return BulkHistogram(
            "shipway_prediction_value",
            "Predictions of a regressor.",
            buckets=self._prediction_buckets,
            registry=self._registry,
        )

    @cached_property
    def _confidence(self) -> BulkHistogram:
        return BulkHistogram(
            "shipway_confidence",
            "Largest class probability of each row.",
            buckets=_CONFIDENCE_BUCKETS,
            registry=self._registry,
        )

    def begin(self, count: int = 1) -> None:
        """Requests came in."""
        self._in_flight.inc(count)

    def end(self, count: int) -> None:
        """Requests that had begun are begun anew elsewhere."""
        self._in_flight.dec(count)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request is answered; ``route`` is the template, never the raw path."""
        count, duration = self._of(route, status)
        count.inc()
        duration.observe_one(seconds)
        self._in_flight.dec()

    def answered(self, route: str, status: int, seconds: Sequence[float]) -> None:
        """Requests are answered together; ``seconds`` has what each took."""
        count, duration = self._of(route, status)
        count.inc(len(seconds))
        duration.observe_many(seconds)
        self._in_flight.dec(len(seconds))

    def _of(self, route: str, status: int) -> tuple[Counter, BulkHistogram]:
        children = self._children.get((route, status))
        if children is None:
            label = (route, str(status))
            children = self._requests.labels(*label), self._durations.labels(*label)
            self._children[route, status] = children
        return children

    def called(self, loaded: Loaded, came: Answered, requests: int) -> None:
        """One call of the model answered so many requests."""
        self._batch_requests.observe_one(requests)
        self._batch_rows.observe_one(len(came.outputs.predictions))
        self.predicted(loaded.signature, came.outputs, came.seconds)

    def predicted(self, signature: Signature, outputs: Outputs, seconds: float) -> None:
        """The model answered ``len(outputs.predictions)`` rows in so many seconds."""
        self._model_latency.observe_one(seconds)
        self._rows.inc(len(outputs.predictions))
        self.said(signature, outputs)

    def said(self, signature: Signature, outputs: Outputs) -> None:
        """Clients got these answers, whether the model gave them now or before."""
        if signature.task == "classifier":
            if self._counted is None or self._counted[0] is not signature:
                self._counted = signature, ClassCounts(self._classes, signature.classes or ())
            self._counted[1].add(plain_values(outputs.predictions.ravel()))
        elif outputs.predictions.dtype.kind in "fiu":
            self._values.observe_many(outputs.predictions.astype(np.float64).ravel())
        if outputs.confidences is not None:
            self._confidence.observe_many(outputs.confidences)

    def cached(self, count: CacheCount) -> None:
        """Rows were looked up among the answers that are kept."""
        self._cache_rows.labels("hit").inc(count.hits)
        self._cache_rows.labels("miss").inc(count.misses)
        self._cache_evicted.inc(count.evicted)
        self._cache_entries.set(count.entries)
        self._cache_bytes.set(count.size)

    def serving(self, spec: ModelSpec, version: str) -> None:
        """Name the model in service. Counts nothing: for the first one, loaded at start."""
        self._described = {
            "version": spec.registered or version,
            "digest": spec.digest,
            "format": str(spec.format),
            "framework": spec.framework,
        }
        self._stands_in = spec.converted is not None
        if self._process == os.getpid():
            self._write_info()

    def measured(self, cost: Cost, *, inline: bool) -> None:
        """What a call of the model in service takes, and where its calls are made."""
        for rows, seconds in zip(SIZES, (cost.one, cost.few, cost.many), strict=True):
            self._call_seconds.labels(str(rows)).set(seconds)
        self._inline.set(inline)

    def swapped(self, spec: ModelSpec, version: str) -> None:
        """A new model took over."""
        self._reloads.labels("swapped").inc()
        self.serving(spec, version)

    def refused(self, reason: str) -> None:
        """A new model was refused; ``reason`` is one word of a small set."""
        self._reloads.labels("refused").inc()
        if reason not in self._reasons and len(self._reasons) >= _MOST_REASONS:
            reason = "other"
        self._reasons.add(reason)
        self._refused.labels(reason).inc()

    def start(self) -> None:
        """Say that this very process answers requests.

        A parent that loads the model and forks must not: what it wrote about the model in service
        would stand beside what its children serve after a reload.
        """
        self._process = os.getpid()
        self._write_info()

    def _write_info(self) -> None:
        described = self._described
        if described is not None:
            self._converted.set(self._stands_in)
        if described is None or self._written == (os.getpid(), described):
            return
        if self._written is not None and self._written[0] == os.getpid():
            self._info.labels(**self._written[1]).set(0)
        self._info.labels(**described).set(1)
        self._written = (os.getpid(), described)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The answer to a scrape and its content type."""
        self.start()
        registry = CollectorRegistry()
        if self._directory is None:
            registry.register(_Current(self._registry.collect))
        else:
            forget_the_dead(Path(self._directory))
            every = MultiProcessCollector(None, self._directory)  # type: ignore[no-untyped-call]
            registry.register(_Current(every.collect))
        write, content_type = choose_encoder(accept)
        return write(registry), content_type


class _Current:
    """Samples without those that say "no longer": models that were in service before."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        for metric in self._collect():
            if metric.name == "shipway_model_info":
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def forget_the_dead(directory: Path) -> None:
    """Drop what ended processes said of themselves; what they counted stays in the sums."""
    for path in directory.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not _alive(int(pid)):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
