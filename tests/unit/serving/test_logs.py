"""Log lines as they come out on stderr."""

import json
import logging
import re
import warnings

import pytest
from pythonjsonlogger.json import JsonFormatter

from shipway.errors import PredictionError
from shipway.serving import logs
from shipway.serving.options import LogOptions
from shipway.testing import FixedRuntime, numbers

NAMES = ("shipway", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", logs.ACCESS)


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one, one.level, one.disabled, one.propagate) for one in loggers]
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for one, was, disabled, propagate in before:
        one.setLevel(was)
        one.disabled, one.propagate = disabled, propagate


@pytest.fixture
def make(make, capsys):
    def made(*arguments, **options):
        app = make(*arguments, **options)
        capsys.readouterr()  # what is said of a model that comes into service
        return app

    return made


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_json_line_for_each_request(ask, make, capsys):
    logs.configure(LogOptions(format="json"))
    app = make()
    headers = [(b"x-request-id", b"abc-1")]
    ask(app, "POST", "/predict", b'{"instances":[[1,2,3,4],[1,2,3,4]]}', headers=headers)
    (line,) = lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", line.pop("time"))
    assert 0 < line.pop("duration_ms") < 10_000
    assert line == {
        "level": "INFO",
        "logger": "shipway.access",
        "message": "POST /predict 200",
        "request_id": "abc-1",
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "rows": 2,
    }


@pytest.mark.parametrize("added", [{}, {"trace": "0af7"}], ids=["plain", "traced"])
@pytest.mark.parametrize("path", ["/predict", '/a"\\\n\x1b\u2028é\ud800'])
@pytest.mark.parametrize("rows", [None, 3])
def test_an_access_line_is_the_one_that_the_library_writes(added, path, rows, capsys):
    logs.configure(LogOptions(format="json"))
    formatter = logging.getLogger().handlers[0].formatter
    fields = {"request_id": "a", "method": "GET", "path": path, "status": 404}
    fields |= {"duration_ms": 0.1, "rows": rows} | added
    record = logging.makeLogRecord(
        {"name": logs.ACCESS, "levelno": 20, "levelname": "INFO", "msg": "%s", "args": (path,)}
        | fields
    )
    said = formatter.format(record)

    assert said == JsonFormatter.format(formatter, record)
    assert json.loads(said).items() >= added.items()


def test_the_cause_of_a_500_is_logged_with_its_request_id(ask, make, capsys):
    def fail(rows):
        raise PredictionError("The model failed: boom") from KeyError("inner")

    logs.configure(LogOptions(format="json", access=False))
    app = make(runtime=FixedRuntime(numbers(1), fail))
    ask(app, "POST", "/predict", b'{"features":[1]}', headers=[(b"x-request-id", b"abc-2")])
    (line,) = lines(capsys)
    assert (line["level"], line["request_id"]) == ("ERROR", "abc-2")
    assert line["message"] == "The model failed: boom"
    assert "KeyError: 'inner'" in line["exc_info"]


def test_a_clients_mistake_is_no_error_of_ours(ask, make, capsys):
    logs.configure(LogOptions(format="json", access=False))
    assert ask(make(), "POST", "/predict", b"{").status == 422
    assert capsys.readouterr().err == ""


EVIL = "/x\r\n12:00:00 ERROR forged\x1b[31m\u2028\x85"


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_path_cannot_forge_a_line(ask, make, capsys, style):
    logs.configure(LogOptions(format=style))
    app = make()
    ask(app, "GET", EVIL)
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "forged" in text


def test_a_console_line_reads_well(ask, make, capsys):
    logs.configure(LogOptions(format="console"))
    ask(make(), "GET", "/health", headers=[(b"x-request-id", b"abc-3")])
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO     GET /health 200  method=GET path=/health status=200 "
        r"duration_ms=[\d.]+ request_id=abc-3\n",
        line,
    )


def test_a_console_traceback_is_indented(capsys):
    logs.configure(LogOptions(format="console"))
    error = ValueError("a\n12:00:00 ERROR    forged")
    logging.getLogger("shipway.x").error("Failed", exc_info=error)
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR    Failed")
    assert all(line.startswith("    ") for line in rest)


def test_uvicorns_lines_come_out_the_same_way_and_its_access_log_does_not(capsys):
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(logging.StreamHandler())
    logs.configure(LogOptions(format="json"))
    coloured = {"color_message": "Started server process [\x1b[36m%d\x1b[0m]"}
    logger.info("Started server process [%d]", 7, extra=coloured)
    logging.getLogger("uvicorn.access").info("GET / 200")
    (line,) = lines(capsys)
    line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "uvicorn.error",
        "message": "Started server process [7]",
        "request_id": None,
    }


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("error", 1)])
def test_the_level(capsys, level, shown):
    logs.configure(LogOptions(format="json", level=level))
    logger = logging.getLogger("shipway.serving")
    for method in (logger.debug, logger.info, logger.error):
        method("text")
    logging.getLogger("somebody.else").info("not ours")
    assert len(lines(capsys)) == shown


def test_other_libraries_are_heard_when_they_warn(capsys):
    logs.configure(LogOptions(format="json"))
    logging.getLogger("somebody.else").warning("look")
    assert [line["message"] for line in lines(capsys)] == ["look"]


@pytest.mark.filterwarnings("default:look at this")
def test_a_librarys_warning_is_one_line_of_the_log(capsys):
    logs.configure(LogOptions(format="json"))
    warnings.warn("look at this", UserWarning, stacklevel=1)
    (line,) = lines(capsys)
    assert (line["level"], line["logger"]) == ("WARNING", "py.warnings")
    assert "UserWarning: look at this" in line["message"]
