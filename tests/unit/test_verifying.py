"""verify: every planted fault is found."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace as changed

import msgspec
import pytest
from sklearn.tree import DecisionTreeClassifier
from tests.unit.lab import rows_of

from assay import Evidence, Float, Int, Space, Splits, Study, open_study, optimize, tune
from assay.api.verifying import verify_export, verify_stored
from assay.core.errors import SpecError
from assay.core.events import (
    Asked,
    Created,
    Environment,
    Frozen,
    Measured,
    Noted,
    Opened,
    Opening,
    Sealed,
    Selected,
    Told,
)
from assay.core.spec import StudySpec
from assay.stores.chain import to_lines
from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore

SPACE = Space(x=Float(0.0, 1.0, default=0.5))


def noisy(trial):
    return trial.config["x"] + 0.1 * ((trial.seed * 7919 + int(trial.config["x"] * 1e6)) % 97) / 97


@pytest.fixture(scope="module")
def log():
    """The events of a complete study of a noisy objective."""
    study = optimize(noisy, SPACE, budget=6, isolation="none", progress=False)
    assert study.verify() == []
    return list(study.store.read("study"))


@pytest.fixture(scope="module")
def data_log(tmp_path_factory):
    """The events and the blobs of a complete study on data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        study = tune(
            DecisionTreeClassifier(max_depth=6),
            *rows_of("two"),
            space=Space(max_depth=Int(1, 8, default=6)),
            metric="accuracy",
            budget=4,
            splits=Splits.kfold(3),
            evidence=Evidence(repeats=2, rechecks=4, refits=2),
            isolation="none",
            progress=False,
        )
    events = list(study.store.read("study"))
    blobs = {e.rows: study.store.blob(e.rows) for e in events if isinstance(e, Measured) and e.rows}
    assert study.verify() == []
    return events, blobs


def rewritten(events, blobs=None):
    """A store whose chain is whole although its content was made up."""
    store = MemoryStore()
    store.append("study", events, after=0, blobs=blobs)
    return store


def findings(events, blobs=None):
    store = rewritten(events, blobs)
    study = Study.__new__(Study)  # a log this wrong cannot be opened as a study
    study.name, study._store = "study", store
    study.spec = StudySpec.from_json(events[0].spec) if isinstance(events[0], Created) else None
    from assay.api.verifying import verify

    return verify(study)


def with_change(events, kind, nth=0, **fields):
    """The events with the nth of a kind changed."""
    at = [i for i, event in enumerate(events) if isinstance(event, kind)][nth]
    edited = msgspec.structs.replace(events[at], **fields)
    return [*events[:at], edited, *events[at + 1 :]]


def without(events, kind, nth=0):
    at = [i for i, event in enumerate(events) if isinstance(event, kind)][nth]
    return events[:at] + events[at + 1 :]


def test_an_honest_log_has_no_findings(log, data_log):
    assert findings(log) == []
    assert findings(*data_log) == []


def test_a_changed_proposal_is_found(log):
    for nth in range(6):
        found = findings(with_change(log, Asked, nth, config={"x": 0.123456}))
        assert any(f"trial {nth}" in text for text in found), nth


def test_a_proposal_that_saw_another_past_is_found_or_gives_the_same(log):
    found = findings(with_change(log, Asked, 3, seen=10_000))
    assert found


def test_proposals_are_checked_although_they_claim_to_have_seen_little(log):
    forged = with_change(log, Asked, 4, seen=1, config={"x": 0.9})
    assert any("trial 4" in text for text in findings(forged))


def test_a_made_up_control_is_found(log):
    forged = with_change(log, Asked, 0, config={"x": 0.99})
    assert any("trial 0" in text for text in findings(forged))


def test_a_plan_that_was_changed_is_found(log):
    spec = json.loads(json.dumps(log[0].spec))
    spec["smallest_gain"] = 0.5
    found = findings([msgspec.structs.replace(log[0], spec=spec), *log[1:]])
    assert any("hash" in text for text in found)


def test_a_plan_hash_that_was_changed_is_found(log):
    found = findings([msgspec.structs.replace(log[0], plan="0" * 64), *log[1:]])
    assert any("hash" in text for text in found)


def test_a_seed_that_was_changed_with_its_hash_is_found_by_the_proposals(log):
    spec = changed(StudySpec.from_json(log[0].spec), seed=99)
    found = findings([Created(spec.to_json(), spec.plan), *log[1:]])
    assert any("not what the sampler proposes" in text for text in found)


def test_a_selection_that_the_rule_does_not_make_is_found(log):
    chosen = next(event for event in log if isinstance(event, Selected))
    other = next(n for n in range(1, 6) if n != chosen.challenger)
    for fields in ({"trial": other}, {"challenger": other}):
        found = findings(with_change(log, Selected, 0, **fields))
        assert any("selects" in text for text in found)


def test_a_result_that_was_changed_so_that_another_trial_wins_is_found(log):
    chosen = next(event for event in log if isinstance(event, Selected))
    at = [e.trial for e in log if isinstance(e, Measured) and e.stage == "recheck"]
    numbers = [i for i, n in enumerate(at) if n == chosen.challenger]
    forged = log
    stages = [i for i, e in enumerate(log) if isinstance(e, Measured) and e.stage == "recheck"]
    for k in numbers:
        event = msgspec.structs.replace(forged[stages[k]], value=99.0)
        forged = [*forged[: stages[k]], event, *forged[stages[k] + 1 :]]
    assert any("selects" in text for text in findings(forged))


@pytest.mark.parametrize(
    ("kind", "nth"),
    [(Asked, 2), (Selected, 0), (Sealed, 0), (Frozen, 0), (Opening, 0), (Created, 0)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_step_that_was_left_out_is_found(data_log, kind, nth):
    events, blobs = data_log
    assert findings(without(events, kind, nth), blobs)


def test_steps_in_another_order_are_found(data_log):
    events, blobs = data_log
    at = {type(event): i for i, event in enumerate(events)}
    for kind, before in ((Sealed, None), (Opened, Opening), (Frozen, Selected)):
        moved = [event for event in events if not isinstance(event, kind)]
        place = len(moved) if before is None else [isinstance(e, before) for e in moved].index(True)
        moved.insert(place, events[at[kind]])
        assert findings(moved, blobs), kind


def test_a_second_look_without_a_reason_is_found(data_log):
    events, blobs = data_log
    intent = next(event for event in events if isinstance(event, Opening))
    assert findings([*events, msgspec.structs.replace(intent, look=2)], blobs)


def test_a_trial_told_twice_is_found(log):
    told = next(event for event in log if isinstance(event, Told))
    assert any("already done" in text for text in findings([*log, told]))


def test_a_lost_blob_is_found(data_log):
    events, blobs = data_log
    name = next(iter(blobs))
    assert findings(events, {k: v for k, v in blobs.items() if k != name})


def test_a_log_without_a_plan_is_found(log):
    assert findings(log[1:])
    assert findings([Noted("hello")])


# --- a predicate, whose code no file holds


def not_low(config):
    return config["x"] >= 0.1


@pytest.fixture
def predicated(tmp_path):
    """A study file whose space has a Python predicate, and how to make the study again."""
    space = Space(x=Float(0.0, 1.0, default=0.5), require=not_low)

    def again():
        storage = str(tmp_path / "lab.db")
        return optimize(noisy, space, budget=6, storage=storage, isolation="none", progress=False)

    again().close()
    return tmp_path / "lab.db", again


def test_proposals_of_a_space_with_a_predicate_are_a_note_and_no_finding(predicated):
    file, again = predicated
    checked = verify_stored(str(file), None)
    assert checked.findings == ()
    assert "'not_low'" in checked.unchecked
    assert "study.verify()" in checked.unchecked
    assert checked.what == "chain, steps and stored rows"
    with again() as study:
        assert study.verify() == []  # no warning: the predicate is at hand
    with (
        open_study(str(file)) as study,
        pytest.warns(UserWarning, match="'not_low'"),
    ):
        assert study.verify() == []


def test_with_a_predicate_everything_else_is_still_checked(predicated):
    _, again = predicated
    with again() as study:
        events = list(study.store.read("study"))
    told = next(event for event in events if isinstance(event, Told))
    for forged in (
        with_change(events, Asked, 0, config={"x": 0.9}),  # the control needs no sampler
        [*events, told],
        with_change(events, Selected, 0, trial=1, challenger=1),
        [msgspec.structs.replace(events[0], plan="0" * 64), *events[1:]],
    ):
        with pytest.warns(UserWarning, match="not_low"):
            assert findings(forged)


def test_where_all_can_be_proposed_again_nothing_is_unchecked(file):
    checked = verify_stored(str(file), None)
    assert (checked.unchecked, checked.what) == ("", "chain, steps, proposals and stored rows")


def test_what_a_model_proposed_on_another_machine_is_a_note_and_no_finding(log):
    made = next(event for event in log if isinstance(event, Environment))
    number = next(e.trial for e in log if isinstance(e, Asked) and (e.why or {}).get("acquisition"))
    forged = with_change(log, Asked, number, config={"x": 0.123})
    assert any("not what the sampler proposes" in finding for finding in findings(forged))
    elsewhere = with_change(forged, Environment, 0, facts={**made.facts, "cpu": "another"})
    with pytest.warns(UserWarning, match="one proposal of a model.*CPU: another"):
        assert findings(elsewhere) == []
    spread = with_change(elsewhere, Asked, 1, config={"x": 0.123})
    with pytest.warns(UserWarning, match="of a model"):
        assert len(findings(spread)) == 1  # evenly spread configs are the same everywhere


# --- in files


@pytest.fixture
def file(tmp_path, data_log):
    events, blobs = data_log
    store = SqliteStore(tmp_path / "lab.db")
    store.append("study", events, after=0, blobs=blobs)
    store.close()
    return tmp_path / "lab.db"


def edit(path, statement, *values):
    """Change the file behind our back."""
    db = sqlite3.connect(path)
    for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        db.execute(f"drop trigger {name}")
    db.execute(statement, values)
    db.commit()
    db.close()


def test_an_untouched_file_verifies_as_study_and_as_stored(file):
    with open_study(str(file)) as study:
        assert study.verify() == []
        n = len(study.store.rows("study"))
    found = verify_stored(str(file), None)
    assert (found.findings, found.rows, found.study) == ((), n, "study")


def test_a_value_that_was_edited_is_found_at_its_row(file):
    with closing(SqliteStore(file)) as store:
        at = next(i for i, e in enumerate(store.read("study")) if isinstance(e, Told))
    edit(
        file,
        "update event set body = replace(body, '\"values\":[', '\"values\":[1') where seq = ?",
        at,
    )
    found = verify_stored(str(file), None).findings
    assert any(f"{at}" in text for text in found)


def test_a_row_that_was_removed_is_found(file):
    edit(file, "delete from event where seq = 7")
    assert verify_stored(str(file), None).findings


def test_a_blob_that_was_changed_is_found(file):
    edit(file, "update blob set data = zeroblob(length(data))")
    found = verify_stored(str(file), None).findings
    assert any("row" in text for text in found)


def test_a_cut_tail_is_found_with_the_head_that_was_printed(file):
    head = verify_stored(str(file), None).head
    edit(file, "delete from event where seq = (select max(seq) from event)")
    assert verify_stored(str(file), None).findings == ()
    assert verify_stored(str(file), None, head=head).findings


def test_a_missing_file_or_study_is_refused(tmp_path, file):
    with pytest.raises(SpecError, match="no study file"):
        verify_stored(str(tmp_path / "no.db"), None)
    with pytest.raises(SpecError, match="Did you mean"):
        verify_stored(str(file), "studi")


# --- exported


@pytest.fixture
def export(tmp_path, log):
    rows = rewritten(log).rows("study")
    lines = [line.rstrip(b"\n") + b"\n" for line in to_lines("study", rows)]
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    (tmp_path / "plan.json").write_text(json.dumps({"study": "study"}))
    return tmp_path / "log.jsonl"


def test_an_export_verifies_by_its_name_or_by_the_plan_beside_it(export):
    assert verify_export(export).findings == ()
    assert verify_export(export, name="study").findings == ()
    assert verify_export(export, name="other").findings
    export.with_name("plan.json").unlink()
    with pytest.raises(SpecError, match="--name"):
        verify_export(export)


def test_an_edited_dropped_or_broken_line_of_an_export_is_found(export):
    lines = export.read_bytes().splitlines(keepends=True)
    told = next(i for i, line in enumerate(lines) if b'"told"' in line)
    for forged in (
        [*lines[:told], lines[told].replace(b'"values":[', b'"values":[7'), *lines[told + 1 :]],
        lines[:told] + lines[told + 1 :],
        [*lines[:told], lines[told + 1], lines[told], *lines[told + 2 :]],
        [*lines[:told], b"{not json}\n", *lines[told + 1 :]],
    ):
        export.write_bytes(b"".join(forged))
        assert verify_export(export).findings


def test_an_export_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SpecError, match="Cannot read"):
        verify_export(tmp_path / "log.jsonl", name="study")
