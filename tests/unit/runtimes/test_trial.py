import json

import msgspec
import pytest

from shipway import errors
from shipway.runtimes.trial import _environment, _judge
from shipway.testing import FixedRuntime, numbers

SPEC = FixedRuntime(numbers(2, classes=("no", "yes")), lambda rows: rows).spec
GOOD = {**msgspec.to_builtins(SPEC), "verdict": "safe", "warnings": [], "error": None}


def report(**changes) -> bytes:
    return json.dumps(GOOD | changes).encode()


def told(kind: str, message: str = "What happened", hint: str = "What to do", **changes) -> bytes:
    return report(error={"type": kind, "message": message, "hint": hint}, **changes)


def test_a_good_report_is_the_models_spec():
    assert _judge(0, report(), b"") == SPEC


@pytest.mark.parametrize("kind", ["CorruptModelError", "MissingPackageError", "UnknownFormatError"])
def test_the_error_that_the_other_process_met_is_raised_here(kind):
    with pytest.raises(getattr(errors, kind)) as caught:
        _judge(3, told(kind), b"")
    assert (caught.value.message, caught.value.hint) == ("What happened", "What to do")


def test_the_names_that_were_refused_come_along():
    finding = {"name": "os.system", "reason": "runs a program", "where": "byte 7"}
    with pytest.raises(errors.UnsafeModelError) as caught:
        _judge(4, told("UnsafeModelError", findings=[finding]), b"")
    assert caught.value.findings == ("os.system",)


@pytest.mark.parametrize("kind", ["PredictionError", "SystemExit", "no such class", "__doc__"])
def test_any_other_error_means_that_the_model_cannot_be_served(kind):
    with pytest.raises(errors.UnsupportedModelError) as caught:
        _judge(1, told(kind), b"")
    assert caught.value.message == "What happened"


def test_a_crash_names_its_signal():
    with pytest.raises(errors.CorruptModelError) as caught:
        _judge(-11, b"", b"")
    assert caught.value.message == "Loading the model crashed the process that tried it (SIGSEGV)"


@pytest.mark.parametrize("out", [b"", b"no json", b"[]", b'{"digest":'])
def test_without_a_report_the_last_line_said_is_shown(out):
    with pytest.raises(errors.UnsupportedModelError) as caught:
        _judge(1, out, b"Traceback\nMemoryError\n")
    assert caught.value.message == "Trying the model out ended with exit code 1: MemoryError"


def test_a_report_of_another_shape_is_an_error():
    with pytest.raises(errors.UnsupportedModelError, match="cannot be read"):
        _judge(0, report(size="large"), b"")


def test_the_trial_does_not_count_among_the_workers():
    environ = {"PATH": "/bin", "PROMETHEUS_MULTIPROC_DIR": "/dev/shm/numbers"}
    assert _environment(environ) == {"PATH": "/bin"}
