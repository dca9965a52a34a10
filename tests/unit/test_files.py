"""Studies on data files: made, resumed, opened and found again."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.lab import rows_of

from assay import (
    Budget,
    DataError,
    Evidence,
    SealError,
    Space,
    SpecError,
    Splits,
    Study,
    open_study,
)
from assay.api import files
from assay.api.files import (
    free_name,
    prepared_from,
    reopened,
    resume_file,
    splits_of,
    tune_file,
    unseal_file,
)
from assay.api.options import TuneOptions
from assay.core.events import Opening
from assay.core.parameters import Float, Int
from assay.core.spec import Limits
from assay.stores.memory import MemoryStore

SPACE = {"min_samples_leaf": {"type": "int", "low": 1, "high": 8, "default": 6}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("assay.analysis.final.DRAWS", 200)
    monkeypatch.chdir(tmp_path)
    real = files.run_data
    monkeypatch.setattr(  # no process is the point here
        files, "run_data", lambda *args, **kwargs: real(*args, **{**kwargs, "isolation": "none"})
    )
    return tmp_path


@pytest.fixture
def data(tmp_path):
    X, y = rows_of("two")
    lines = [
        "a,b,c,d,y",
        *(",".join(map(repr, [*row.tolist(), int(t)])) for row, t in zip(X, y, strict=True)),
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return "rows.csv"


def options(data, **changes):
    plan = {
        "target": "y",
        "model": "decision_tree",
        "metric": "accuracy",
        "trials": 4,
        "splits": "kfold:3",
        "evidence": {"repeats": 2, "seeds": 1, "rechecks": 4, "refits": 2},
    }
    return TuneOptions(data, **(plan | changes))


def test_a_file_becomes_a_study_with_a_verdict_named_after_it(data):
    said = []
    study = tune_file(
        options(data), say=lambda chosen, study: said.append((chosen, study)), progress=False
    )
    assert study.name == "rows"
    assert study.verdict.look == 1
    assert said[0][1] is study
    assert {"rows", "metric", "test set"} <= {line.what for line in said[0][0]}
    assert study.verify() == []
    study.close()


def test_the_same_options_find_their_study_again_and_others_make_a_new_one(data):
    for changes, name in (({}, "rows"), ({}, "rows"), ({"trials": 3}, "rows-2"), ({}, "rows")):
        with tune_file(options(data, test=0, **changes), progress=False) as study:
            assert study.name == name


def test_a_stored_study_is_loaded_with_its_data_and_goes_on(data, monkeypatch):
    tune_file(options(data, open_test=False), progress=False).close()
    study, prepared, found = reopened("assay.db", None)
    assert prepared.spec.plan == study.spec.plan
    assert found.trials == 4
    study.close()
    with resume_file("assay.db", None, progress=False) as study:
        assert not study.history.looks, "it was told to leave the test set closed"


def test_the_place_of_the_data_is_kept_from_any_folder(data, tmp_path, monkeypatch):
    tune_file(options(data, open_test=False), progress=False).close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    study, _, found = reopened(str(tmp_path / "assay.db"), "rows")
    assert found.data == str(tmp_path / "rows.csv")
    study.close()


def test_data_that_changed_since_is_refused_with_what_differs(data, tmp_path):
    tune_file(options(data, open_test=False), progress=False).close()
    text = (tmp_path / "rows.csv").read_text()
    (tmp_path / "rows.csv").write_text(text + "0.1,0.2,0.3,0.4,1\n")
    with pytest.raises(DataError, match="has changed") as error:
        resume_file("assay.db", None, progress=False)
    assert "90 rows" in str(error.value)
    assert "91" in str(error.value)


def test_a_study_of_a_python_program_cannot_be_resumed_by_its_file():
    Study(Space(x=Float(0.0, 1.0)), storage="assay.db").close()
    with pytest.raises(SpecError, match="Python program"):
        resume_file("assay.db", None, progress=False)


def test_a_first_look_needs_no_reason_and_a_second_one_does(data):
    tune_file(options(data, open_test=False), progress=False).close()
    with unseal_file("assay.db", None, reason="") as study:
        assert study.verdict.look == 1
    with pytest.raises(SealError, match="opened before"):
        unseal_file("assay.db", None, reason="")
    with unseal_file("assay.db", None, reason="a new idea") as study:
        assert study.verdict.look == 2
        looks = [e for e in study.store.read("rows") if isinstance(e, Opening)]
        assert [event.reason for event in looks] == ["", "a new idea"]


def test_an_interrupted_study_says_so(data, monkeypatch):
    monkeypatch.setattr(files, "run_data", lambda *_, **__: False)
    with pytest.raises(KeyboardInterrupt):
        tune_file(options(data), progress=False)


def test_a_taken_name_gets_a_number():
    store = MemoryStore()
    space = Space(x=Float(0.0, 1.0))
    plans = [
        Study(space, storage=store, name=f"a{tail}", seed=i).spec.plan
        for i, tail in enumerate(["", "-2"])
    ]
    known = set(store.studies())
    assert free_name("b", known, store, "p") == "b"
    assert free_name("a", known, store, plans[0]) == "a"
    assert free_name("a", known, store, plans[1]) == "a-2"
    assert free_name("a", known, store, "p") == "a-3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kfold:4", Splits.kfold(4)),
        ("kfold", Splits.kfold(5)),
        ("repeated:4x2", Splits.repeated(4, 2)),
        ("repeated:4", Splits.repeated(4, 3)),
        ("repeated", Splits.repeated(5, 3)),
        ("holdout:0.2", Splits.holdout(0.2)),
        ("holdout", Splits.holdout(0.25)),
        ("grouped:3", Splits.grouped(3)),
        ("forward:3", Splits.forward(3, gap=7)),
    ],
)
def test_splits_are_read_from_words(text, expected):
    assert splits_of(text, gap=7) == expected


@pytest.mark.parametrize(
    "text",
    ["fold:3", "kfold:x", "kfold:1", "holdout:2", "repeated:3x", "", "kfold:-2", "repeated:ax2"],
)
def test_splits_that_cannot_be_read_are_refused(text):
    if text == "repeated:3x":
        assert splits_of(text) == Splits.repeated(3, 3)
        return
    with pytest.raises(SpecError):
        splits_of(text)


def test_options_become_the_plan(data):
    prepared = prepared_from(
        options(
            data, trials=None, looks=30, seconds=9.0, cpu_seconds=8.0, timeout=5.0, memory_mb=700.0,
            retries=2, smallest_gain=0.02, seed=5, sampler="halton", test=0.25,
            evidence={"guard": 2.0}, space=SPACE, drop=("d",),
        )
    )  # fmt: skip
    spec = prepared.spec
    assert spec.budget == Budget(looks=30, seconds=9.0, cpu_seconds=8.0)
    assert spec.limits == Limits(5.0, 700.0, 2)
    assert (spec.smallest_gain, spec.seed, spec.sampler) == (0.02, 5, {"name": "halton"})
    assert spec.evidence == Evidence(guard=2.0)
    assert spec.space == Space(min_samples_leaf=Int(1, 8, default=6))
    assert list(prepared.dev.names) == ["a", "b", "c"]
    assert len(prepared.test) in (22, 23)


def test_the_gap_of_forward_splits_is_the_horizon_of_the_intervals(data):
    prepared = prepared_from(options(data, splits="forward:3", gap=4, test=0))
    assert prepared.splits == Splits.forward(3, gap=4)
    assert prepared.horizon == prepared.spec.data["horizon"] == 4
    assert prepared_from(options(data)).horizon == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evidence": {"reapets": 3}}, "Did you mean 'repeats'"),
        ({"target": "z"}, "z"),
        ({"drop": ("e",)}, "e"),
        ({"model": "decision_three"}, "decision_tree"),
        ({"metric": "acc_uracy"}, "accuracy"),
        ({"splits": "kfold:60"}, "fold"),
        ({"trials": 0}, "trials"),
        ({"space": {"max_depth": {"type": "int", "low": 5, "high": 1}}}, "high"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_and_nothing_is_written(data, changes, words, tmp_path):
    with pytest.raises((SpecError, DataError, ValueError)) as error:
        tune_file(options(data, **changes), progress=False)
    assert words in str(error.value)
    assert not (tmp_path / "assay.db").exists()


@pytest.mark.parametrize("content", [b"", b"y\n", b"\xff\xfe\x00a,y\n1,2\n", b"a,y\n1,\n2,\n"])
def test_a_file_without_usable_rows_is_refused(tmp_path, content):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError):
        tune_file(options("bad.csv"), progress=False)
    assert not (tmp_path / "assay.db").exists()


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="nowhere"):
        tune_file(options("nowhere.csv"), progress=False)


def test_numpy_files_can_be_tuned(tmp_path):
    X, y = rows_of("two")
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    with tune_file(options("rows.npz", target=None, test=0, trials=2), progress=False) as study:
        assert study.verdict is not None


def test_a_study_file_that_is_read_only_or_cut_off_says_so(data, tmp_path):
    from assay import StoreError

    tune_file(options(data, test=0, trials=2), progress=False).close()
    content = (tmp_path / "assay.db").read_bytes()
    (tmp_path / "assay.db").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError), open_study("assay.db") as study:
        _ = study.trials
        study.note("hello")
