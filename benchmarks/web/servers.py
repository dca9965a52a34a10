"""Both dashboards as processes of their own, on the same trials, which can grow one by one."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.core.events import Asked, Told
from assay.stores.sqlite import SqliteStore
from assay.web.lab import key_of
from benchmarks.web.studies import SPACE, events_of, spec_of, trial_events

NAME = "bench"
_AT_ONCE = 20_000
OPTUNA_DASHBOARD = Path(sys.executable).with_name("optuna-dashboard")


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that runs: `link` lets a browser in, `study` is the page to look at."""

    link: str
    study: str
    pid: int
    grow: Callable[[], None]
    token: str = ""
    account: Callable[[], dict[str, float]] = dict


@contextmanager
def assay_storage(folder: Path, trials: int) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A storage of ours with a study of so many trials, and a function that adds one."""
    path = folder / "lab.db"
    spec, rng = spec_of(trials + 10_000), np.random.default_rng(7)
    store = SqliteStore(path)
    events = events_of(spec, trials)
    for start in range(0, len(events), _AT_ONCE):
        store.append(NAME, events[start : start + _AT_ONCE], after=start)
    state = {"trials": trials, "length": len(events)}

    def grow() -> None:
        new = trial_events(spec, state["trials"], rng, 1)
        store.append(NAME, new, after=state["length"])
        state["trials"] += 1
        state["length"] += len(new)

    try:
        yield path, grow
    finally:
        store.close()


@contextmanager
def assay_dashboard(folder: Path, trials: int) -> Iterator[Dashboard]:
    """Ours, of a study with so many trials."""
    with assay_storage(folder, trials) as (path, grow), dashboard_of(path, grow) as found:
        yield found


@contextmanager
def dashboard_of(path: Path, grow: Callable[[], None]) -> Iterator[Dashboard]:
    """Ours, of a storage."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.web.accounted", str(path), "--port", str(free_port())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"ASSAY_HOME": str(path.parent)},
    )  # fmt: skip
    assert server.stdout
    assert server.stdin

    def account() -> dict[str, float]:
        server.stdin.write("\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    try:
        link = re.search(r"http://\S+", server.stdout.readline())
        assert link
        token = server.stdout.readline().split()[-1]
        base = link.group().partition("/login")[0]
        study = f"{base}/s/{key_of(NAME)}"
        yield Dashboard(link.group(), study, server.pid, grow, token, account)
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def optuna_dashboard(folder: Path, trials: int) -> Iterator[Dashboard]:
    """optuna-dashboard, of an Optuna study with the same trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path, port = folder / "optuna.log", free_port()
    spec, rng = spec_of(trials + 10_000), np.random.default_rng(7)
    study = optuna.create_study(storage=_journal(path), study_name=NAME, direction="minimize")
    study.add_trials(list(_optuna_trials(events_of(spec, trials))))
    state = {"trials": trials}

    def grow() -> None:
        study.add_trials(list(_optuna_trials(trial_events(spec, state["trials"], rng, 1))))
        state["trials"] += 1

    server = subprocess.Popen(
        [OPTUNA_DASHBOARD, str(path), "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_for(base)
        there = f"{base}/dashboard/studies/0"  # a journal counts from 0
        yield Dashboard(there, there, server.pid, grow)
    finally:
        server.terminate()
        server.wait(20)


def _journal(path: Path):
    """Optuna's faster storage: 10,000 trials take minutes to be put into its SQLite."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


def _optuna_trials(events):
    import optuna

    distributions = {}
    for name in SPACE:
        form = SPACE[name].to_json()
        if "values" in form:
            distributions[name] = optuna.distributions.CategoricalDistribution(form["values"])
        elif form["type"] == "int":
            distributions[name] = optuna.distributions.IntDistribution(form["low"], form["high"])
        else:
            distributions[name] = optuna.distributions.FloatDistribution(
                form["low"], form["high"], log=form["scale"] == "log"
            )
    configs = {}
    for event in events:
        if isinstance(event, Asked):
            configs[event.trial] = event.config
        elif isinstance(event, Told):
            config = configs.pop(event.trial)
            known = {name: distributions[name] for name in config}
            yield optuna.trial.create_trial(
                params=config, distributions=known, value=event.values[0]
            )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer")
