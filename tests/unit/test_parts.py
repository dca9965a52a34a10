"""From names to parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.api.parts import (
    SAMPLERS,
    executor_of,
    sampler_of,
    sampler_settings,
    sqlite_path,
    store_at,
)
from assay.core.errors import SpecError, StoreError
from assay.core.history import History
from assay.core.parameters import Float
from assay.core.rng import stream
from assay.core.space import Space
from assay.core.spec import Limits, StudySpec
from assay.executors.inline import InlineExecutor
from assay.executors.local import LocalExecutor
from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("storage", "path"),
    [
        ("sqlite:///lab.db", "lab.db"),
        ("sqlite:////var/lab.db", "/var/lab.db"),
        ("lab.db", "lab.db"),
        ("a/b.sqlite", "a/b.sqlite"),
        ("b.sqlite3", "b.sqlite3"),
        ("lab", None),
        ("lab.csv", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///lab.db?timeout=9", None),
        ("sqlite:///~/lab.db", str(Path.home() / "lab.db")),
        ("~/lab.db", str(Path.home() / "lab.db")),
        ("http://a.example/lab.db", None),
        ("", None),
    ],
)
def test_a_storage_names_a_file_or_none(storage, path):
    assert sqlite_path(storage) == path


def test_a_storage_becomes_a_store(tmp_path):
    assert isinstance(store_at(None), MemoryStore)
    store = MemoryStore()
    assert store_at(store) is store
    for storage in (f"sqlite:///{tmp_path}/a.db", str(tmp_path / "b.db")):
        with_file = store_at(storage)
        assert isinstance(with_file, SqliteStore)
        with_file.close()
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["a.db", "b.db"]


def test_a_storage_of_no_known_kind_is_refused_with_what_works():
    with pytest.raises(SpecError, match=r"sqlite:///lab\.db"):
        store_at("mysql://host")
    with pytest.raises(SpecError, match="None keeps a study in memory"):
        store_at("sqlite:///:memory:")


def test_reading_alone_makes_no_file(tmp_path):
    with pytest.raises(StoreError):
        store_at(str(tmp_path / "lab.db"), readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_name_is_a_sampler(name):
    settings = sampler_settings(name)
    assert settings == {"name": name}
    spec = StudySpec(Space(x=Float(0, 1)), {"loss": "maximize"}, seed=3, sampler=settings)
    config = sampler_of(spec).ask(spec.space, History(), stream(3, "trial", 0)).config
    assert spec.space.contains(config)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("sobool", "Did you mean 'sobol'"),
        ({"name": "grid", "point": 3}, "Did you mean 'points'"),
        ({"name": "halton", "x": 1}, "no settings"),
        ({"points": 3}, "None"),
        ({"name": "sobol", "seed": 3}, "seed"),
    ],
    ids=str,
)
def test_an_unknown_sampler_or_setting_is_answered_with_the_nearest(sampler, words):
    with pytest.raises(SpecError) as error:
        sampler_settings(sampler)
    assert words in str(error.value)


def evaluate(job, emit):
    return 0.0


def test_isolation_names_the_executor():
    inline = executor_of(evaluate, workers=1, isolation="none", limits=Limits(retries=2))
    assert isinstance(inline, InlineExecutor)
    pool = executor_of(lambda job, emit: 0.0, workers=2, isolation="process", limits=Limits())
    try:
        assert isinstance(pool, LocalExecutor)
    finally:
        pool.close()


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, None])
def test_workers_are_a_positive_whole_number(workers):
    with pytest.raises(SpecError, match="workers"):
        executor_of(evaluate, workers=workers, isolation="process", limits=Limits())


@pytest.mark.parametrize(
    ("workers", "limits"), [(2, Limits()), (1, Limits(seconds=1)), (1, Limits(memory_mb=9))]
)
def test_what_needs_a_process_is_refused_without_one(workers, limits):
    with pytest.raises(SpecError, match="isolation='process'"):
        executor_of(evaluate, workers=workers, isolation="none", limits=limits)
    with pytest.raises(SpecError, match="thread"):
        executor_of(evaluate, workers=1, isolation="thread", limits=Limits())
