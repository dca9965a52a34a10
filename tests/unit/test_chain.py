import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import StoreError, TamperError
from assay.core.events import Asked, Measured, Noted, Told
from assay.core.protocols import Row
from assay.stores.chain import (
    extend,
    from_line,
    genesis,
    head,
    link,
    to_line,
    to_lines,
    verify,
    verify_lines,
)
from assay.stores.entry import body


def log(count, study="s"):
    bodies = [body(Told(number, (number / 7,))) for number in range(count)]
    return extend(study, genesis(study), bodies, after=0, time="2026-11-23T09:41:07Z", actor="a@b")


def rows_named(findings):
    return [finding.row for finding in findings]


LOG = log(1000)
HEAD = head("s", LOG)


def edited(rows, number):
    changed = rows[number].body.replace(b"values", b"valueS")
    return [*rows[:number], rows[number]._replace(body=changed), *rows[number + 1 :]]


def test_an_untouched_log_has_no_findings():
    assert verify("s", LOG) == []
    assert verify("s", LOG, anchored_head=HEAD, anchored_length=1000) == []
    assert verify("s", LOG, anchored_head=LOG[499].hash) == [], "a log may grow after the anchor"
    assert verify("s", [], anchored_head=genesis("s"), anchored_length=0) == []


@pytest.mark.parametrize("number", [0, 1, 500, 998, 999])
def test_t16_an_edited_value_is_found_at_its_row(number):
    assert rows_named(verify("s", edited(LOG, number))) == [number]


@pytest.mark.parametrize("number", [0, 1, 500, 998])
def test_t16_a_dropped_line_is_found_at_its_row(number):
    findings = verify("s", LOG[:number] + LOG[number + 1 :])
    assert rows_named(findings) == [number]
    assert "missing" in str(findings[0])


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 999), (500, 501), (17, 800), (998, 999)])
def test_t16_two_swapped_lines_are_found_at_their_rows(first, second):
    rows = list(LOG)
    rows[first], rows[second] = rows[second], rows[first]
    assert rows_named(verify("s", rows)) == [first, second]


@pytest.mark.parametrize("left", [999, 1, 0])
def test_t16_a_cut_tail_is_found_only_with_an_anchor(left):
    rows = LOG[:left]
    assert verify("s", rows) == []
    assert rows_named(verify("s", rows, anchored_length=1000)) == [left]
    assert rows_named(verify("s", rows, anchored_head=HEAD)) == [left]
    assert rows_named(verify("s", rows, anchored_head=HEAD, anchored_length=1000)) == [left]


@pytest.mark.parametrize(("first", "second"), [(3, 4), (3, 9), (0, 1), (0, 9)])
def test_contents_swapped_under_their_numbers_are_found_and_traced(first, second):
    rows = log(10)
    a, b = rows[first], rows[second]
    rows[first], rows[second] = b._replace(seq=first), a._replace(seq=second)
    findings = verify("s", rows)
    assert rows_named(findings) == [first, second]
    assert all("moved" in str(finding) for finding in findings)


@pytest.mark.parametrize("place", [0, 4, 10])
def test_an_inserted_row_is_found(place):
    rows = log(10)
    twin = Row(place, "2026-11-23T09:41:07Z", "a@b", 1, b'{"type":"noted"}', "00" * 32)
    assert place in rows_named(verify("s", [*rows[:place], twin, *rows[place:]]))


def test_an_inserted_row_that_pushes_the_others_on_is_found_first():
    rows = log(10)
    pushed = [row._replace(seq=row.seq + 1) for row in rows[4:]]
    twin = rows[3]._replace(seq=4, body=b'{"type":"noted"}')
    assert rows_named(verify("s", [*rows[:4], twin, *pushed]))[0] == 4


def test_a_row_before_the_first_is_found():
    rows = log(3)
    assert rows_named(verify("s", [rows[0]._replace(seq=-1), *rows])) == [-1]


def test_a_log_of_another_study_is_found_from_its_first_row_on():
    findings = verify("other", log(5))
    assert rows_named(findings) == [0, 1, 2, 3, 4]
    assert "another log" in str(findings[0])


def test_a_rewritten_log_is_found_only_with_an_anchor():
    rows = log(10)
    bodies = [row.body for row in rows[:4]] + [b'{"type":"noted"}'] + [row.body for row in rows[5:]]
    new = extend("s", genesis("s"), bodies, after=0, time=rows[0].time, actor="a@b")
    assert verify("s", new) == []
    old = head("s", rows)
    assert rows_named(verify("s", new, anchored_head=old, anchored_length=10)) == [9]
    assert verify("s", new, anchored_head=old) != []


def test_several_faults_are_all_named():
    rows = edited(edited(LOG, 100), 101)
    del rows[500]
    assert rows_named(verify("s", rows)) == [100, 101, 500]


def test_a_log_changed_everywhere_is_judged_row_by_row():
    rows = [row._replace(actor="x") for row in LOG]
    assert rows_named(verify("s", rows)) == list(range(1000))


@given(
    number=st.integers(0, 19), field=st.sampled_from(["time", "actor", "version", "body", "hash"])
)
def test_a_change_of_any_field_of_any_row_is_found(number, field):
    rows = log(20)
    new = {"time": "2026", "actor": "c", "version": 2, "body": b"{}", "hash": "ab" * 32}[field]
    rows[number] = rows[number]._replace(**{field: new})
    assert number in rows_named(verify("s", rows))


def test_random_damage_is_never_missed():
    draw = random.Random(0)
    for _ in range(200):
        rows = log(30)
        kind = draw.choice(["edit", "drop", "swap", "repeat"])
        number = draw.randrange(29)
        if kind == "edit":
            rows = edited(rows, number)
        elif kind == "drop":
            del rows[number]
        elif kind == "swap":
            other = draw.choice([place for place in range(30) if place != number])
            rows[number], rows[other] = rows[other], rows[number]
        else:
            rows.insert(number, rows[number])
        assert number in rows_named(verify("s", rows)), kind


def test_the_hash_is_the_documented_one():
    """Recomputed from the docstring alone, as another program would."""
    row = Row(12, "2026-11-23T09:41:07Z", "änn@lab", 1, b'{"a":"\xc3\xa4"}', "")
    fields = [genesis("größe"), "größe", "12", row.time, "änn@lab", "1"]
    framed = b"".join(
        str(len(field.encode())).encode() + b":" + field.encode() + b"," for field in fields
    )
    framed += str(len(row.body)).encode() + b":" + row.body + b","
    assert link("größe", genesis("größe"), row) == hashlib.sha256(framed).hexdigest()
    assert genesis("größe") == hashlib.sha256("assay log of größe".encode()).hexdigest()


def test_fields_cannot_flow_into_each_other():
    one = Row(1, "t", "ab", 1, b"c", "")
    assert link("s", "p", one) != link("s", "p", one._replace(time="ta", actor="b"))
    assert link("s", "p", one) != link("s", "p", one._replace(actor="a", body=b"bc"))


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])), actor=st.text('aé🙂"\\\n,:', max_size=5)
)
def test_a_line_gives_back_the_exact_row(text, actor):
    (row,) = extend("s", genesis("s"), [body(Noted(text))], after=0, time="t", actor=actor)
    line = to_line(genesis("s"), row)
    assert b"\n" not in line
    assert from_line(line) == (genesis("s"), row)


def test_an_export_is_verified_like_a_database():
    lines = list(to_lines("s", LOG))
    assert verify_lines("s", lines) == []
    lines[40] = lines[40].replace(b'"trial":40', b'"trial":41')
    lines[60], lines[70] = lines[70], lines[60]
    lines[80] = lines[80].replace(LOG[79].hash.encode(), LOG[78].hash.encode())
    del lines[90]
    assert rows_named(verify_lines("s", lines)) == [40, 60, 70, 80, 90]
    assert rows_named(verify_lines("s", lines[:30], anchored_length=1000)) == [30]


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"\xff", b'{"seq":1}', b'{"seq":"x"}'])
def test_what_is_not_a_line_is_named(line):
    lines = [*to_lines("s", log(2)), line]
    with pytest.raises(TamperError, match="Line 3"):
        verify_lines("s", lines)


@pytest.mark.parametrize(
    "event",
    [
        Told(0, (float("nan"),)),
        Told(0, (float("inf"),)),
        Measured(0, "search", (0, 0, 0), float("nan")),
        Asked(0, {"x": object()}, 0),
        Noted("\ud800"),
    ],
    ids=["nan", "infinity", "measured nan", "an object", "half a surrogate"],
)
def test_an_event_that_could_not_be_read_again_is_refused(event):
    with pytest.raises(StoreError, match="cannot be stored"):
        body(event)
