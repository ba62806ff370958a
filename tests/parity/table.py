"""Write the table of docs/conversion.md: ``python -m tests.parity.table``."""

import logging
import sys
import warnings
from pathlib import Path

from tests.parity.models import SECTIONS
from tests.parity.proving import prove

from shipway.errors import ConversionError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conversion.md"
BEGIN, END = "<!-- table: written by `make parity` -->", "<!-- end of table -->"


def line(name, make):
    """One row of the table; the numbers after the third are timings."""
    try:
        report = prove(make(), name)
    except ConversionError as exc:
        return f"| {name} | no | | | | {exc.message.partition(': ')[2] or exc.message} |"
    verdict = "equal" if report.equal else "**different**"
    one, many = (_ratio(report.speed[count]) for count in ("1", "64"))
    return f"| {name} | {verdict} | {report.compared:,} | {report.largest:.0e} | {one} | {many} |"


def _ratio(pair):
    before, after = pair
    return f"{before / after:.1f} ×" if before and after else ""


def table():
    """All sections."""
    lines, equal, total = [], 0, 0
    for title, models in SECTIONS.items():
        rows = []
        for name, make in models().items():
            rows.append(line(name, make))
            sys.stderr.write(rows[-1] + "\n")
        good = sum("| equal |" in row for row in rows)
        equal, total = equal + good, total + len(rows)
        lines += [
            f"\n### {title}: {good} of {len(rows)}\n",
            "| model | converted | rows compared | largest difference | one row | 64 rows |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    return "\n".join([f"\n{equal} of {total} models are converted and equal.", *lines, "", ""])


def main():
    """Put the table between its marks."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + table() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
