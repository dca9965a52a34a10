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
