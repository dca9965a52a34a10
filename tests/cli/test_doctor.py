"""assay doctor: what it looks at, and that a problem is one."""

from __future__ import annotations

import json

from assay.api import doctor


def test_a_healthy_machine(run, tmp_path):
    done = run("doctor", "--storage", tmp_path / "lab.db", "--json")
    assert done.exit_code == 0, done.output
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert {"Assay", "packages", "database", "folder", "machine", "trials", "clock"} <= found.keys()
    assert "answered" in found["trials"]["said"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.csv"
    ]  # nothing is left behind


def test_problems_have_advice_and_an_exit_code(run, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_process", list)
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    for storage in (tmp_path / "nowhere" / "lab.db", tmp_path / "bad.db"):
        done = run("doctor", "--storage", storage)
        assert done.exit_code == 1
        assert "PROBLEM" in done.output


def test_a_check_that_breaks_ends_no_other(run, tmp_path, monkeypatch):
    def broken():
        raise OSError("boom")

    monkeypatch.setattr(doctor, "_process", broken)
    found = doctor.examine(str(tmp_path / "lab.db"))
    assert [(one.what, one.mark) for one in found if one.mark == "problem"] == [
        ("broken", "problem")
    ]
    assert found[-1].what == "clock"


def test_a_working_folder_that_was_removed(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    (found,) = doctor._storage_of("lab.db")()
    assert (found.mark, found.advice) == ("problem", "cd to another.")


def test_no_folder_for_temporary_files(monkeypatch):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(doctor.tempfile, "gettempdir", nowhere)
    (found,) = doctor._process()
    assert found.mark == "problem"
    assert "temporary" in found.said
    assert "TMPDIR" in found.advice


def test_where_test_sets_cannot_be_remembered(tmp_path, monkeypatch):
    (found,) = doctor._memory()
    assert found.mark == "ok"
    assert not (tmp_path / "home").exists(), "looking makes nothing"
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (found,) = doctor._memory()
    assert found.mark == "note"
    assert "read-only" in found.said
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "seals.sqlite").write_bytes(b"not a database at all" * 100)
    (found,) = doctor._memory()
    assert found.mark == "note"
    assert "ASSAY_HOME" in found.advice
