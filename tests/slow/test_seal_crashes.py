"""T15: the life of a sealed study, killed with -9 at any moment of it; and the memory of its rows.

Passed when every killed study, resumed by the same call, ends like an undisturbed one: one seal,
the same sealed rows, one look, the same numbers; and a second look is refused, or marked for ever.
Run as a program this file is the study: `test_seal_crashes.py STORAGE process|none`, or
`… again [REASON]` for another look.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.api.data import begin
from assay.api.opening import open_test
from assay.api.parts import executor_of, store_at
from assay.api.prepare import Wishes, prepare
from assay.api.session import driving
from assay.core.errors import SealError
from assay.core.events import Concluded, Measured, Opened, Opening, Sealed
from assay.evaluation.fingerprint import row_hashes
from assay.evaluation.splits import hold_out
from assay.inputs import from_arrays
from assay.stores.seals import SealRegistry
from assay.stores.vault import FileVault

pytestmark = pytest.mark.slow

KILLS = 60
SECOND_LOOKS = 6
"""Kills of second looks, on top."""
NAME = "sealed"
SHARE = 0.3
RESULTS = Path(__file__).with_name("results") / "seal_crashes.json"
LIFE = (
    "registry", "vault", "created", "floor", "asked", "probe", "control", "told", "recheck",
    "selected", "frozen", "opening", "test", "opened", "concluded",
)  # fmt: skip
"""What is seen from outside, in the order in which it appears."""
SEALING = ("registry", "vault")
"""Over within a few milliseconds."""


CRASHED = ("generated", "bananas", "phishing", "anes96", "mroz", "wages_union")
"""What the studies that are killed are of, in turn; all but the first are real tables."""


def rows_of(table):
    rng = np.random.default_rng(5)
    if table == "generated":
        X = rng.normal(size=(120, 4))
        return X, (X[:, 0] + X[:, 1] ** 2 + 0.5 * rng.normal(size=120) > 1).astype(int)
    X, y = different(table, 200)
    return X, y.astype(int)


def different(table, most):
    """So many rows of a real table, no two of them equal."""
    from tests.slow.real_data import data_set

    known = data_set(table)
    rows = np.unique(np.column_stack([known.X, known.y]), axis=0)
    rows = np.random.default_rng(0).permutation(rows)[:most]
    return rows[:, :-1], rows[:, -1]


def data(storage):
    """What lies beside the storage: `new_home` put it there."""
    kept = np.load(storage.parent / "rows.npz")
    return kept["X"], kept["y"]


def tune(storage, isolation="none"):
    return assay.tune(
        "decision_tree", *data(storage), metric="log_loss", budget=6, test=SHARE, seed=7,
        storage=f"sqlite:///{storage}", name=NAME, isolation=isolation, progress=False,
    )  # fmt: skip


def look_again(storage, reason):
    wishes = Wishes(metric="log_loss", budget=assay.Budget(trials=6), test=SHARE, seed=7)
    prepared = prepare(from_arrays(*data(storage)), "decision_tree", wishes)
    study = begin(prepared, store_at(f"sqlite:///{storage}"), NAME)
    with study, driving(study):
        inline = partial(executor_of, workers=1, isolation="none", limits=assay.Limits())
        assert open_test(study, prepared, inline, reason=reason)
        return study.verdict


# --- killing


def start(storage, *words):
    return subprocess.Popen(
        [sys.executable, __file__, str(storage), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=storage.parent,
        env={**os.environ, "ASSAY_HOME": str(storage.parent / "home")},
    )


def run_to_end(storage, *words):
    """Run the program; it must end well."""
    _, err = (process := start(storage, *words)).communicate(timeout=120)
    assert process.returncode == 0, err


def kill_at(storage, moment, rng, *words):
    """Kill -9 the study a little after a moment of its life; whether it was still running."""
    from tests.integration.killing import kill_driver

    process = start(storage, *words)
    latest = time.monotonic() + 120
    while process.poll() is None and not reached(storage, moment):
        assert time.monotonic() < latest, f"not {moment} yet"
        time.sleep(0.0002 if moment in SEALING else 0.002)
    longest = 0.01 if moment in SEALING else rng.choice([0.001, 0.01, 0.3])
    time.sleep(rng.uniform(0, longest))
    return kill_driver(process)


def reached(storage, moment):
    if moment == "registry":
        return (storage.parent / "home" / "seals.sqlite").exists()
    if moment == "vault":
        return any(vault_files(storage))
    return storage.exists() and moment in map(label, events_of(storage))


def label(event):
    if isinstance(event, Measured):
        return event.stage
    if isinstance(event, Opening | Opened) and event.look > 1:
        return f"{type(event).__name__.lower()} again"
    return type(event).__name__.lower()


def events_of(storage):
    from tests.integration.story import events_of as read

    from assay.core.errors import StoreError

    try:
        return read(storage, NAME)
    except StoreError:  # the file is being made
        return []


def vault_files(storage):
    return Path(f"{storage}.vault").glob("*.npz")


# --- what must hold afterwards


def story_without_seal(events):
    from tests.integration.story import story

    told = story(events)
    return [{k: v for k, v in form.items() if k != "seal"} for form in told]


def only(events, kind):
    (found,) = (event for event in events if isinstance(event, kind))
    return found


def looks_remembered(storage):
    """Looks at these test rows that the user's registry counts, all seals together."""
    X, y = data(storage)
    _, test = hold_out(SHARE, n=len(y), y=y, groups=None, time=None, seed=7)
    registry = SealRegistry(storage.parent / "home")
    hashes = row_hashes(from_arrays(X, y).take(test).columns(), registry.key)
    return sum(overlap.looks for overlap in registry.overlap(hashes, "test"))


def check(storage, calm):
    events = events_of(storage)
    assert story_without_seal(events) == story_without_seal(events_of(calm))
    sealed = only(events, Sealed)
    FileVault(f"{storage}.vault").get(sealed.seal, sealed.sha256)
    assert sealed.sha256 == only(events_of(calm), Sealed).sha256
    assert only(events, Opening).look == only(events, Opened).look == 1
    assert only(events, Concluded) == only(events_of(calm), Concluded)
    assert looks_remembered(storage) == 1
    with assay.open_study(f"sqlite:///{storage}") as study:
        assert study.verify() == []
        assert study.history.looks == 1


def new_home(folder, table="generated"):
    """A folder for one study, with its rows and a key that is the same for all."""
    (folder / "home").mkdir(parents=True)
    X, y = rows_of(table)
    np.savez(folder / "rows.npz", X=X, y=y)
    (folder / "home" / "seals.key").write_bytes(bytes(range(32)))
    return folder / "s.db"


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The storages of studies that nobody killed, one of each table."""
    faulthandler.cancel_dump_traceback_later()  # each process has a time limit of its own
    storages = {table: new_home(tmp_path_factory.mktemp("calm"), table) for table in CRASHED}
    for storage in storages.values():
        run_to_end(storage, "process")
    return storages


def test_a_sealed_study_survives_kills_in_all_its_life(calm, tmp_path):
    faulthandler.cancel_dump_traceback_later()  # as for the calm ones
    rng, killed, studies, orphans = random.Random(15), Counter(), 0, 0
    while killed.total() < KILLS:
        table = CRASHED[studies % len(CRASHED)]
        storage = new_home(tmp_path / str(studies), table)
        isolation = ("process", "none")[studies % 2]
        chosen = {*SEALING, *rng.sample(LIFE, 7)}
        for moment in filter(chosen.__contains__, LIFE):
            killed[moment] += kill_at(storage, moment, rng, isolation)
        run_to_end(storage, isolation)
        check(storage, calm[table])
        before = events_of(storage)
        run_to_end(storage, isolation)  # the same call on a finished study
        assert events_of(storage) == before
        orphans += len(list(vault_files(storage))) - 1
        studies += 1
    assert len(killed) >= 12, killed
    second = [second_look_killed(tmp_path / str(n) / "s.db", rng) for n in range(SECOND_LOOKS)]
    found = {
        "kills_of_studies": killed.total(),
        "kills_by_moment": {moment: killed[moment] for moment in LIFE if killed[moment]},
        "kills_of_second_looks": sum(second),
        "studies": studies,
        "tables": list(CRASHED[:studies]),
        "studies_equal_to_the_undisturbed_one": studies,
        "sealed_rows_left_in_the_vault_by_kills_before_the_log_began": orphans,
        "looks_counted_twice": 0,
        "broken_chains": 0,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def second_look_killed(storage, rng):
    """Kill a second look, finish it by a call without any reason; whether it was running."""
    was_running = kill_at(storage, "opening again", rng, "again", "the label was wrong")
    events = events_of(storage)
    if [event.look for event in events if isinstance(event, Opened)] == [1]:
        run_to_end(storage, "again")
    events = events_of(storage)
    assert [event.look for event in events if isinstance(event, Opening)] == [1, 2]
    assert [event.look for event in events if isinstance(event, Opened)] == [1, 2]
    assert looks_remembered(storage) == 2
    with assay.open_study(f"sqlite:///{storage}") as study:
        assert study.verify() == []
        assert "POST-HOC" in study.verdict.badge
    return was_running


def test_a_second_look_is_refused_or_marked_for_ever(tmp_path, monkeypatch):
    storage = new_home(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    first = tune(storage).verdict
    assert first.badge == "CONFIRMATORY"
    with pytest.raises(SealError, match=re.escape(first.sentence.partition(" Warning: ")[0])):
        look_again(storage, "")
    with pytest.raises(SealError):
        look_again(storage, "   ")
    assert looks_remembered(storage) == 1
    assert only(events_of(storage), Concluded).verdict["look"] == 1
    wider = look_again(storage, "a colleague asked")
    assert "POST-HOC" in wider.badge
    assert wider.gain.level == pytest.approx(1 - 0.05 / 2)
    with pytest.raises(SealError):
        look_again(storage, "")
    assert "POST-HOC" in look_again(storage, "another colleague asked").badge
    assert "POST-HOC" in tune(storage).verdict.badge  # the same call as at first
    with assay.open_study(f"sqlite:///{storage}") as study:
        assert "POST-HOC" in study.verdict.badge
        assert study.history.looks == 3
        assert study.verify() == []


# --- the memory of rows (0009), end to end

TABLES = ("diabetes", "digits", "large", "star98", "mroz", "yeast", "meps", "trump")


def table(name):
    """Features and target, every row different; the test set of `large` exceeds one sketch."""
    from sklearn.datasets import load_diabetes, load_digits

    if name == "large":
        rng = np.random.default_rng(0)
        X = rng.normal(size=(5000, 3))
        return X, X[:, 0] + rng.normal(size=5000)
    if name not in ("diabetes", "digits"):
        return different(name, 1000)
    loaded = load_diabetes() if name == "diabetes" else load_digits()
    return loaded.data, loaded.target.astype(float)


def study_of(X, y, *, seed=0, reason="", open_test=True, columns=None):
    import pandas as pd

    names = columns or [f"c{i}" for i in range(X.shape[1])]
    study = assay.tune(
        "ridge", pd.DataFrame(X, columns=names), y, task="regression", budget=2, test=SHARE, seed=seed,
        reason=reason, open_test=open_test, isolation="none", progress=False,
    )  # fmt: skip
    return study, study.history.last(Sealed).note


def sealed_ids(ids, seed=0):
    _, test = hold_out(SHARE, n=len(ids), y=None, groups=None, time=None, seed=seed)
    return set(np.asarray(ids)[test].tolist())


def percent(said):
    return int(re.match(r"(\d+) % of these rows", said).group(1)) / 100


def opened(study):
    return study.history.last(Opened) is not None


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A user's memory with a key that is the same in every run."""
    new_home(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", TABLES)
def test_the_same_rows_are_known_whatever_their_columns_are_called(name, memory):
    X, y = table(name)
    assert opened(study_of(X, y)[0])
    turned = X[:, ::-1]
    for given, columns in ((X, None), (turned, None), (X, [f"x{i}" for i in range(X.shape[1])])):
        study, note = study_of(given, y, columns=columns)
        assert percent(note) == 1
        assert "already used as a test set" in note
        assert not opened(study)
        assert "The test set stays closed" in study.verdict.sentence
    study, _ = study_of(X, y, reason="the model was wrong")
    assert opened(study)
    assert "POST-HOC" in study.verdict.badge


def changed(X, y, how):
    """A table made from another, the seed it is divided with, and which rows it keeps."""
    ids = np.arange(len(y))
    if how == "dropped":
        ids = np.delete(ids, 3)
    if how == "reordered":
        ids = np.random.default_rng(1).permutation(ids)
    return X[ids], y[ids], ids, 1 if how == "re-split" else 0


@pytest.mark.parametrize("how", ["dropped", "reordered", "re-split"])
@pytest.mark.parametrize("name", TABLES)
def test_rows_that_were_tuned_on_are_no_test_set(name, how, memory):
    X, y = table(name)
    study_of(X, y, open_test=False)
    given, target, ids, seed = changed(X, y, how)
    new = sealed_ids(ids, seed)
    tuned_on = len(new - sealed_ids(range(len(y)))) / len(new)
    with pytest.raises(SealError, match="already used for tuning") as refused:
        study_of(given, target, seed=seed)
    assert percent(str(refused.value)) == pytest.approx(tuned_on, abs=0.02 + 0.005)
    study, note = study_of(given, target, seed=seed, reason="all of it is simulated anyway")
    assert "already used for tuning" in note
    assert opened(study)
    assert "POST-HOC" in study.verdict.badge


@pytest.mark.parametrize("how", ["dropped", "reordered", "re-split"])
@pytest.mark.parametrize("name", TABLES)
def test_rows_of_an_opened_study_are_refused_in_another_division(name, how, memory):
    X, y = table(name)
    study_of(X, y)
    given, target, _, seed = changed(X, y, how)
    with pytest.raises(SealError, match="already used for tuning"):
        study_of(given, target, seed=seed)


@pytest.mark.parametrize("name", TABLES)
def test_the_share_of_rows_seen_before_is_right(name, memory):
    """Asked of the memory itself, for a re-split whose test set was partly a test set before."""
    X, y = table(name)
    study_of(X, y)
    ids = np.arange(len(y))
    new = sealed_ids(ids, seed=1)
    truth = len(new & sealed_ids(ids)) / len(new)
    registry = SealRegistry()
    rows = from_arrays(X, y).take(np.array(sorted(new)))
    (found,) = registry.overlap(row_hashes(rows.columns(), registry.key), "test")
    assert found.share == pytest.approx(truth, abs=0.02)
    assert found.looks == 1


@pytest.mark.parametrize("name", TABLES)
def test_other_rows_are_not_known(name, memory):
    X, y = table(name)
    half = len(y) // 2
    study_of(X[:half], y[:half])
    study, note = study_of(X[half:], y[half:])
    assert note == ""
    assert opened(study)
    assert study.verdict.badge == "CONFIRMATORY"


@pytest.mark.parametrize("name", TABLES)
def test_a_test_set_that_was_never_opened_is_not_spent(name, memory):
    X, y = table(name)
    study_of(X, y, open_test=False)
    study, note = study_of(X, y)
    assert note == ""
    assert opened(study)
    assert study.verdict.badge == "CONFIRMATORY"


if __name__ == "__main__":
    place, what, *said = sys.argv[1:]
    if what == "again":
        look_again(Path(place), " ".join(said))
    else:
        tune(Path(place), what)
