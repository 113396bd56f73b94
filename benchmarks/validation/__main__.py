"""Measure the accuracy of the solvers, and write a table for each equation.

    python -m opforge.benchmarks.validation                          # all equations
    python -m opforge.benchmarks.validation kuramoto_sivashinsky     # one

Writes benchmarks/results/validation/<equation>.csv, and the same table into docs/equations/<equation>.md, between the
lines <!-- validation --> and <!-- end of validation -->.
"""

from __future__ import annotations

import argparse
import sys

from opforge.benchmarks.results import FOLDER, write_csv
from opforge.benchmarks.validation.checks import checks_of, validated

DOCS = FOLDER.parent.parent / "docs" / "equations"
BEGIN, END = "<!-- validation -->", "<!-- end of validation -->"


def write_table(equation: str, rows: list[dict[str, str]]) -> None:
    """Put the rows into the equation's page, if there is one."""
    page = DOCS / f"{equation}.md"
    if not page.exists():
        return
    lines = ["| check | measured | least | greatest | source |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"{page} has no lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("equations", nargs="*", metavar="EQUATION", help="all unless given")
    failed = []
    for equation in parser.parse_args().equations or validated():
        rows = []
        for check in checks_of(equation):
            row = {"check": check.what, "measured": f"{check.value:.4g}"}
            row |= {"least": f"{check.low:.4g}", "greatest": f"{check.high:.4g}", "source": check.source}
            print(equation, row, "" if check.holds else "DOES NOT HOLD", flush=True)
            rows.append(row)
            if not check.holds:
                failed.append(f"{equation}: {check.what}")
        (FOLDER / "validation").mkdir(exist_ok=True)
        write_table(equation, rows)
        write_csv(f"validation/{equation}.csv", rows, f"python -m opforge.benchmarks.validation {equation}")
    sys.exit("\n".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
