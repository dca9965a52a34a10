from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import assay
from assay.core.jsonform import canonical
from assay.stores import environment as module
from assay.stores.environment import changed, environment
from assay.stores.locks import affected


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder outside of any repository, with git as on a new machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("GIT_DIR", raising=False)
    return tmp_path


def git(*arguments):
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    answer = subprocess.run(["git", *who, *arguments], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_it_says_what_results_depend_on():
    facts = environment()
    assert facts["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert facts["assay"] == assay.__version__
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["packages"]["scipy"]
    assert facts["cpu"]
    assert 1 <= facts["usable_cores"] <= facts["cores"]
    assert facts["memory_mb"] > 100
    assert facts["blas"]
    assert facts["host"]
    assert facts["user"]
    assert facts["sqlite"] == {
        "version": sqlite3.sqlite_version,
        "wal_reset_bug": affected(sqlite3.sqlite_version_info),
    }


def test_it_can_be_stored_and_is_the_same_twice():
    facts = environment()
    stored = json.loads(canonical(facts).encode())
    assert stored == facts
    assert changed(stored, environment()) == []


def test_the_packages_are_those_of_the_metadata():
    from importlib.metadata import version

    packages = environment()["packages"]
    assert list(packages) == sorted(packages)
    for name in ("numpy", "msgspec", "hypothesis", "pytest"):
        assert packages[name] == version(name)


def test_a_package_that_is_installed_meanwhile_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert "late-comer" not in environment()["packages"]
    folder = tmp_path / "late_comer-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: late-comer\nVersion: 1.0\n\n")
    assert environment()["packages"]["late-comer"] == "1.0"


def test_packages_are_read_once_while_nothing_is_installed(monkeypatch):
    first = environment()["packages"]
    monkeypatch.setattr(module, "_packages", lambda: iter(()))
    assert environment()["packages"] == first


def test_of_two_copies_of_a_package_the_imported_one_counts(tmp_path, monkeypatch):
    for name in ("numpy-99.0.dist-info", "Only_Here-1.0.dist-info", "broken-1.0.dist-info"):
        (tmp_path / name).mkdir()
        words = name.removesuffix(".dist-info").split("-")
        text = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n\nName: none\n".format(*words)
        (tmp_path / name / "METADATA").write_text("" if "broken" in name else text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    packages = environment()["packages"]
    assert packages["numpy"] == np.__version__
    assert packages["only-here"] == "1.0"
    assert not {"none", "broken"} & set(packages)


def test_no_variable_beyond_the_list_is_kept(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    facts = environment()
    assert "hunter2" not in canonical(facts)
    assert facts["variables"]["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in facts["variables"]


def test_variables_may_hold_any_bytes(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "\udcff\n")
    assert canonical(environment()).encode()


def test_a_user_without_a_name(monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(module.getpass, "getuser", nameless)
    assert environment()["user"] == "unknown"


def test_a_system_that_tells_little(monkeypatch):
    def unknown(*args):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(module.os, "sysconf", unknown)
    monkeypatch.delattr(module.os, "sched_getaffinity", raising=False)
    facts = environment()
    assert facts["memory_mb"] is None
    assert facts["usable_cores"] == facts["cores"]


# --- git


def test_outside_of_a_repository(folder):
    assert environment()["git"] is None


def test_a_repository_without_commits(folder):
    git("init", "-q")
    assert environment()["git"] == {"commit": None, "dirty": False}


def test_commit_and_changes(folder):
    git("init", "-q")
    (folder / "model.py").write_text("one")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    index = (folder / ".git" / "index").read_bytes()
    clean = {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert environment()["git"] == clean
    (folder / "study.db").write_text("a new file is no change of the code")
    assert environment()["git"] == clean
    (folder / "model.py").write_text("two")
    assert environment()["git"] == {**clean, "dirty": True}
    (folder / "below").mkdir()
    assert (folder / ".git" / "index").read_bytes() == index


def test_a_working_folder_that_is_gone(folder, monkeypatch):
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert environment()["git"] is None
    monkeypatch.chdir(folder)


def test_no_git(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    assert environment()["git"] is None


def test_a_git_that_hangs_is_left_alone(folder, monkeypatch):
    (folder / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(module, "_GIT_S", 0.05)
    assert environment()["git"] is None


# --- differences in words


def test_differences_are_told_in_words():
    old = {
        "python": "3.11.7 (CPython)",
        "memory_mb": 8000,
        "variables": {"OMP_NUM_THREADS": "1"},
        "packages": {"ruamel.yaml": "0.18", "xgboost": "3.0"},
        "packages_sha256": "aa",
        "git": {"commit": "abc", "dirty": False},
        "host": "lab",
    }
    new = {
        "python": "3.12.1 (CPython)",
        "memory_mb": 8000,
        "variables": {},
        "packages": {"ruamel.yaml": "0.19", "xgboost": "3.0", "numpy": "2.4"},
        "packages_sha256": "bb",
        "git": {"commit": "abc", "dirty": True},
        "host": "lab",
    }
    assert changed(old, new) == [
        "Python: 3.11.7 (CPython) → 3.12.1 (CPython)",
        "OMP_NUM_THREADS: 1 → none",
        "ruamel.yaml: 0.18 → 0.19",
        "uncommitted changes: no → yes",
        "numpy: none → 2.4",
    ]


def test_a_repository_that_appears_is_told():
    old, new = {"git": None}, {"git": {"commit": "abc", "dirty": False}}
    assert changed(old, new) == ["git commit: none → abc", "uncommitted changes: none → no"]
    assert changed(new, old) == ["git commit: abc → none", "uncommitted changes: no → none"]


def test_facts_of_another_version_are_compared_as_far_as_they_go():
    assert changed({}, {}) == []
    assert changed({"energy": 1}, {"energy": 2, "gpu": None}) == ["energy: 1 → 2"]
