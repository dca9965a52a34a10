"""What the quick checks say of ordinary data: results/checks.md is what they said last.

Two tables are refused, and rightly: `randhie` holds several years of the same people without their
number, and `segments` has 16 % of rows twice.
"""

from pathlib import Path

import pytest
from tests.slow.real_data import ALL, data_set

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "checks.md"
REFUSED = {"randhie", "segments"}


def found_in(name):
    import pandas as pd

    from assay.api.preflight import quick_preflight
    from assay.api.prepare import Wishes, prepare
    from assay.inputs import from_arrays

    data = data_set(name)
    X = pd.DataFrame(data.X, columns=list(data.columns))
    table = from_arrays(X, data.y, groups=data.groups, time=data.time)
    return quick_preflight(prepare(table, "decision_tree", Wishes(task=data.task)))


def row(name, found):
    told = {
        level: [f.code for f in found.findings if f.level == level]
        for level in ("fix", "care", "note")
    }
    cells = [" ".join(codes) or "–" for codes in told.values()]
    return f"| {name} | {len(data_set(name).y):,} × {data_set(name).X.shape[1]} | {found.verdict} | {' | '.join(cells)} |"


def test_ordinary_data_is_not_refused():
    found = {name: found_in(name) for name in ALL}
    lines = [
        "# What the quick checks say of ordinary data",
        "",
        "Written by `test_false_alarms.py`; group and time columns are given where there are any.",
        "",
        "| data | rows × features | verdict | fix first | with care | note |",
        "|---|---|---|---|---|---|",
        *(row(name, one) for name, one in found.items()),
    ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert {name for name, one in found.items() if one.verdict == "FIX FIRST"} == REFUSED


def test_units_that_are_known_by_their_number_alone_are_found():
    """T14: chicks weighed twelve times each."""
    import pandas as pd

    from assay.api.preflight import quick_preflight
    from assay.api.prepare import Wishes, prepare
    from assay.inputs import from_arrays

    data = data_set("chicks")
    X = pd.DataFrame(data.X, columns=list(data.columns)).assign(chick=data.groups)
    finding = quick_preflight(prepare(from_arrays(X, data.y), "random_forest", Wishes()))["PF03"]
    assert finding.level == "fix"
    assert finding.numbers["random"] - finding.numbers["grouped"] > 0.1
