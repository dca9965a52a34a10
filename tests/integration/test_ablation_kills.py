"""An ablation by a fraction of the variants, or along a path that races, killed on its way and whole."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import assay
from assay.core.events import Attributed, Varied
from assay.stores.chain import verify

PROGRAM = Path(__file__).with_name("ablation_program.py")


def begun(storage, home, design):
    command = [sys.executable, str(PROGRAM), str(storage), design]
    return subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def events_in(storage):
    if not storage.exists():
        return 0
    try:
        study = assay.open_study(f"sqlite:///{storage}", "parts", readonly=True)
        store = study.store
        return sum(len(store.read(name)) for name in store.studies())
    except assay.AssayError:
        return 0


def finished(storage, home, design="fraction"):
    process = begun(storage, home, design)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = json.loads(out)
    for variant in found["variants"]:
        del variant["cpu_s"], variant["kwh"]  # what the machine took, and not what was found
    return found


@pytest.mark.parametrize(("design", "searches"), [("fraction", 8), ("path", 19)])
def test_an_ablation_that_is_killed_ends_as_an_undisturbed_one(tmp_path, design, searches):
    whole = finished(tmp_path / "whole.db", tmp_path, design)
    storage, rng, kills = tmp_path / "killed.db", random.Random(5), 0
    for least in sorted(rng.sample(range(20, 120), 2)):
        process = begun(storage, tmp_path, design)
        while process.poll() is None and events_in(storage) < least:
            time.sleep(0.02)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kills == 2
    assert finished(storage, tmp_path, design) == whole
    study = assay.open_study(f"sqlite:///{storage}", "parts", readonly=True)
    linked = [e for e in study.history.milestones() if isinstance(e, Varied)]
    # Of a path 22, less what left a race.
    assert len(linked) == len({e.study for e in linked}) == searches
    assert study.history.last(Attributed)
    for name in study.store.studies():
        assert verify(name, study.store.rows(name)) == []
    for other in linked:
        assert (
            assay.open_study(f"sqlite:///{storage}", other.study, readonly=True).history.n_trials
            == 6
        )


def test_a_fraction_of_the_variants_tells_every_component_apart(tmp_path):
    found = finished(tmp_path / "parts.db", tmp_path)
    assert len(found["variants"]) == 8  # of 16
    gains = {name: one["estimate"] for name, one in found["factors"]["main"].items()}
    assert sorted(gains) == list("abcd")
    assert gains["b"] > gains["c"] > 0.05 > abs(gains["d"])
    page = assay.open_study(f"sqlite:///{tmp_path}/parts.db", "parts").report()
    assert "What each component contributes" in page
