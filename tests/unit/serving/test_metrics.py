"""The numbers at /metrics, by the text that Prometheus reads."""

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shipway.model.signature import Feature, Outputs, Signature
from shipway.serving.metrics import Metrics
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers

GOOD = b'{"features":[1,2,3,4]}'


def scraped(reply):
    """{"name{label="value"}": value} without the buckets."""
    found = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_requests_are_counted_by_route_and_status(ask, make):
    app = make(max_body=1000)
    for _ in range(3):
        ask(app, "POST", "/predict", GOOD)
    ask(app, "POST", "/predict", b"{")
    ask(app, "POST", "/predict", b"x" * 1001)
    ask(app, "GET", "/predict")
    ask(app, "GET", "/secret/4711")
    ask(app, "GET", "/docs")
    ask(app, "GET", "/health")
    found = scraped(ask(app, "GET", "/metrics"))
    counts = {k: v for k, v in found.items() if k.startswith("shipway_requests_total")}
    assert counts == {
        'shipway_requests_total{route="/predict",status="200"}': 3,
        'shipway_requests_total{route="/predict",status="422"}': 1,
        'shipway_requests_total{route="/predict",status="413"}': 1,
        'shipway_requests_total{route="/predict",status="405"}': 1,
        'shipway_requests_total{route="unmatched",status="404"}': 1,
        'shipway_requests_total{route="/docs",status="200"}': 1,
        'shipway_requests_total{route="/health",status="200"}': 1,
    }
    duration = "shipway_request_duration_seconds"
    assert found[f'{duration}_count{{route="/predict",status="200"}}'] == 3
    assert 0 < found[f'{duration}_sum{{route="/predict",status="200"}}'] < 5
    assert found["shipway_requests_in_flight"] == 1, "the scrape itself"
    assert found["process_start_time_seconds"] > 1.7e9


def test_a_request_is_in_the_numbers_before_its_last_byte_leaves(make, talk):
    import asyncio

    metrics = Metrics()
    app = make(metrics=metrics)
    seen = []

    async def watching(scope, receive, send):
        async def look(message):
            if message["type"] == "http.response.body":
                seen.append(metrics.render()[0])
            await send(message)

        await app(scope, receive, look)

    asyncio.run(talk(watching, "POST", "/predict", [GOOD]))
    assert b'shipway_requests_total{route="/predict",status="200"} 1.0' in seen[0]


def test_rows_classes_and_confidence(ask, make):
    app = make()
    ask(app, "POST", "/predict", GOOD)
    ask(app, "POST", "/predict", b'{"instances":[[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4]]}')
    found = scraped(ask(app, "GET", "/metrics"))
    assert found["shipway_rows_total"] == 5
    assert found["shipway_model_latency_seconds_count"] == 2
    assert found['shipway_predictions_total{class="0"}'] == 3
    assert found['shipway_predictions_total{class="1"}'] == 1
    assert found['shipway_predictions_total{class="2"}'] == 1
    assert found["shipway_confidence_count"] == 5
    assert found['shipway_confidence_bucket{le="0.5"}'] == 2
    assert found['shipway_confidence_bucket{le="0.9"}'] == 5
    assert found["shipway_confidence_sum"] == pytest.approx(0.5 + 0.5 + 0.6333 + 0.7667 + 0.9, 1e-3)
    assert not any(key.startswith("shipway_prediction_value") for key in found)


def test_a_regressor_has_a_histogram_of_values(ask, make):
    app = make("diabetes")
    ask(
        app,
        "POST",
        "/predict",
        b'{"instances":[[0,0],[1,1],[-50,0],[1e9,0],[1e308,1.7e308],[1.7e308,0],[1.7e308,0]]}',
    )
    found = scraped(ask(app, "GET", "/metrics"))
    assert found["shipway_prediction_value_count"] == 7
    assert found['shipway_prediction_value_bucket{le="-30.0"}'] == 1
    assert found['shipway_prediction_value_bucket{le="0.0"}'] == 2
    assert found['shipway_prediction_value_bucket{le="3.0"}'] == 3
    assert found['shipway_prediction_value_bucket{le="1e+06"}'] == 3
    assert not any(key.startswith("shipway_predictions_total") for key in found)


def test_classes_that_nobody_announced_share_one_label():
    metrics = Metrics()
    labels = tuple(f"c{index}" for index in range(1000))
    signature = Signature("classifier", (Feature("a"),), classes=labels)
    metrics.predicted(signature, Outputs(np.array([*labels, "new\nclass"])), 0.1)
    text = metrics.render()[0].decode()
    assert text.count("shipway_predictions_total{") == 51
    assert 'shipway_predictions_total{class="other"} 951.0' in text


def test_the_model_in_service_and_what_came_after_it():
    metrics = Metrics()
    metrics.start()
    one, two = (FixedRuntime(numbers(1), len, name=name).spec for name in ("1", "2"))
    metrics.serving(one, "v1")
    assert f'digest="{one.digest}"' in metrics.render()[0].decode()
    metrics.swapped(two, "v2")
    metrics.refused("unsafe")
    metrics.refused("unsafe")
    lines = metrics.render()[0].decode().splitlines()
    labels = f'digest="{two.digest}",format="pickle",framework="scikit-learn",version="v2"'
    assert [line for line in lines if line.startswith("shipway_model_")][-5:] == [
        f"shipway_model_info{{{labels}}} 1.0",
        "shipway_model_converted 0.0",
        'shipway_model_reloads_total{result="swapped"} 1.0',
        'shipway_model_reloads_total{result="refused"} 2.0',
        'shipway_model_refused_total{reason="unsafe"} 2.0',
    ]


def test_reasons_are_bounded():
    metrics = Metrics()
    for index in range(100):
        metrics.refused(f"reason {index}")
    text = metrics.render()[0].decode()
    assert text.count("shipway_model_refused_total{") == 31
    assert 'shipway_model_refused_total{reason="other"} 70.0' in text


@pytest.mark.parametrize(
    ("accept", "content_type", "ending"),
    [
        (b"*/*", "text/plain; version=0.0.4; charset=utf-8", b"\n"),
        (
            b"application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            b"# EOF\n",
        ),
    ],
)
def test_the_format_is_the_scrapers_choice(ask, make, accept, content_type, ending):
    reply = ask(make(), "GET", "/metrics", headers=[(b"accept", accept)])
    assert reply.headers["content-type"] == content_type
    assert reply.body.endswith(ending)


def test_no_series_is_named_against_the_conventions(ask, make):
    """https://prometheus.io/docs/practices/naming/: base units, _total on counters only."""
    app = make(slot=ModelSlot(FixedRuntime(numbers(1), lambda rows: rows[:, 0])))
    ask(app, "POST", "/predict", b'{"features":[1]}')
    for family in text_string_to_metric_families(ask(app, "GET", "/metrics").body.decode()):
        counter = family.samples and family.samples[0].name.endswith("_total")
        assert (family.type == "counter") == bool(counter) or not family.samples
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_ms", "_milliseconds", "_count"))
