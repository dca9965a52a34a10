"""How well the ratio of two workloads comes out by the CPU-seconds model, where nothing counts joules.

The figures of the last run are in results/energy.json, with the load of the machine; RESULTS.md says
what they mean. The reference is what the kernel accounts to a process of its own that does nothing else
(getrusage of its children), on the same machine a moment later. So this is the error of the *ratio of
CPU time*; how far power follows CPU time can only be seen with a meter.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assay import Int, Space, optimize
from assay.analysis.spending import spending
from assay.core.events import Told

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "energy.json"
PAIRS = 8
SMALL, LARGE = 1, 4

WORK = """
import sys
import numpy as np

def work(times):
    rng = np.random.default_rng(0)
    total = 0.0
    for _ in range(times * 12):
        table = rng.normal(size=(300, 300))
        total += float(np.linalg.svd(table, compute_uv=False)[0])
        total += sum(i % 7 for i in range(200_000))
    return total
"""
exec(WORK)  # the same lines for the study and for the process of its own


def objective(trial):
    return work(trial.config["times"])  # noqa: F821 - defined by WORK


def alone(times):
    """CPU seconds that the kernel accounts to a process with the work and one without, their difference."""

    def spent(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return spent(f"{WORK}\nwork({times})") - spent(f"{WORK}\nwork(0)")


def test_the_ratio_of_two_workloads(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    space = Space(times=Int(0, LARGE, default=SMALL))
    ours, walls, theirs = [], [], []
    for pair in range(PAIRS):
        study = optimize(
            objective, space, budget=2, given=[{"times": LARGE}], evidence=None, seed=pair,
            progress=False,
        )  # fmt: skip
        small, large = (study.history.outcome(n) for n in (0, 1))
        assert isinstance(small, Told)
        assert isinstance(large, Told)
        ours.append(large.cpu_s / small.cpu_s)
        walls.append(large.wall_s / small.wall_s)
        theirs.append(alone(LARGE) / alone(SMALL))
        kwh = spending(study.spec, study.history).kwh
        assert kwh == pytest.approx(
            (small.cpu_s + large.cpu_s) * 4 / 3.6e6
        )  # the model, as documented
    truth = float(np.median(theirs))
    errors = np.abs(np.array(ours) / truth - 1)
    by_wall = np.abs(np.array(walls) / truth - 1)
    found = {
        "work": f"{LARGE} : {SMALL}",
        "pairs": PAIRS,
        "load of the machine": round(os.getloadavg()[0], 1),
        "ratio by the kernel, processes of their own": round(truth, 3),
        "ratio by the model, median": round(float(np.median(ours)), 3),
        "error of one ratio, median": round(float(np.median(errors)), 3),
        "error of one ratio, 90 % below": round(float(np.quantile(errors, 0.9)), 3),
        "error by wall-clock time, median": round(float(np.median(by_wall)), 3),
        "error by wall-clock time, 90 % below": round(float(np.quantile(by_wall, 0.9)), 3),
        "spread of the kernel's own ratio, 90 % below": round(
            float(np.quantile(np.abs(np.array(theirs) / truth - 1), 0.9)), 3
        ),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    assert abs(np.median(ours) / truth - 1) < 0.1
    assert np.quantile(errors, 0.9) < 0.3
