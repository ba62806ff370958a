"""No line of the table in docs/conversion.md that says equal may stop being true."""

import functools
import re
import warnings

import pytest
from tests.parity.models import SECTIONS
from tests.parity.proving import TOLERANCE, prove
from tests.parity.table import PAGE

# Libraries warn of deprecations while they fit; not what is looked at here.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ROW = re.compile(r"^\| ([^|]+) \| (equal|no|\*\*different\*\*) \| ?([\d,]*) ?\|", re.MULTILINE)
TABLE = {name: (verdict, rows) for name, verdict, rows in ROW.findall(PAGE.read_text("utf-8"))}


@functools.cache
def models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: make for section in SECTIONS.values() for name, make in section().items()}


def test_the_goal_is_reached():
    assert sum(name.startswith("sklearn ") for name in TABLE) == 78
    equal = [name for name, (verdict, _) in TABLE.items() if verdict == "equal"]
    assert sum(name.startswith("sklearn ") for name in equal) >= 74


@pytest.mark.parametrize("name", [name for name, (verdict, _) in TABLE.items() if verdict != "no"])
def test_what_is_converted_stays_equal(name):
    report = prove(models()[name](), name)
    assert not list(report.differences)
    assert report.equal
    assert report.largest <= TOLERANCE


def test_the_table_has_every_model():
    assert set(TABLE) == set(models())
