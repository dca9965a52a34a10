"""Thousands of kills -9, several a second, in everything that takes part in a study.

    python -m tests.slow.kill_campaign workers equals dask ray slurm --seconds 300

Studies of the scenarios take turns until the time is over; each adds its counts to the file
results/kill_campaign.json when it has passed, so that a campaign may be spread over many calls.

A study has passed when

* what another process could read of the log before a kill is still there after it, and at the end;
* what a worker had delivered to the board before a kill is what the log counts in the end;
* every trial and every given config is counted once, with a result that was really evaluated;
* its outcomes and its verdict are those of a study that nobody disturbed;
* the chain and all proposals verify, the board is empty, and no process is left.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from tests.integration.killing import stored
from tests.integration.remote_kills import is_zygote, places
from tests.integration.story import events_of
from tests.slow import kill_program

import assay
from assay.core.errors import StoreError
from assay.core.events import Asked, Concluded, Event, Selected, Told
from assay.core.jobs import Done
from assay.stores.board_form import unpack_job, unpack_message
from assay.stores.reader import Reader

RESULTS = Path(__file__).parent / "results" / "kill_campaign.json"
PROGRAM = Path(kill_program.__file__)
_PATIENCE_S = 600.0  # without any evaluation, and nobody who went home
_EARLY, _LIFE = 0.25, 20
_GONE_S = 90.0  # an idle child at an engine's worker is closed after a minute


@dataclass
class Scenario:
    """Who takes part, and how often which of them is killed.

    Attributes:
        roles: the command of each process that is started again whenever it was killed.
        weights: of the kinds of victims.
        servers: roles that do not end with the study.
        environment: variables of all roles.
        mean_s: mean time between two kills.
    """

    roles: dict[str, list[str]]
    weights: dict[str, float]
    servers: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    mean_s: float = 0.1


@dataclass
class Run:
    """One study under fire."""

    scenario: Scenario
    home: Path
    rng: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    living: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    ripe: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    orphans: list[psutil.Process] = field(default_factory=list)
    seen: list[Event] = field(default_factory=list)
    delivered: dict[int, float] = field(default_factory=dict)
    silence_s: float = 0.0

    @property
    def storage(self) -> Path:
        return self.home / "lab.db"

    def fight(self) -> None:
        """Kill until the study is complete; then wait until everybody has gone home."""
        before, since = (0, 0), time.monotonic()
        while self.scenario.roles.keys() - self.ended - set(self.scenario.servers):
            now = len(self._notes()), len(self.ended)
            if now != before:
                before, since = now, time.monotonic()
            self.silence_s = max(self.silence_s, time.monotonic() - since)
            assert self.silence_s < _PATIENCE_S, f"it stands still: {now}, {self.living}"
            self._start_who_is_due()
            time.sleep(min(2.0, self.rng.expovariate(1 / self.scenario.mean_s)))
            self._see_who_ended()
            if not self.ended:
                self._kill_one()

    def _start_who_is_due(self) -> None:
        for role, command in self.scenario.roles.items():
            idle = role not in self.living and role not in self.ended
            if idle and time.monotonic() >= self.due.get(role, 0.0):
                self.ripe[role] = self._life()
                self.living[role] = self._started(role, command)

    def _started(self, role: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.home / f"{role}.err").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={
                    **os.environ,
                    "ASSAY_HOME": str(self.home),
                    "ASSAY_KILL_NOTES": str(self.home / "notes"),
                    **self.scenario.environment,
                },
            )

    def _life(self) -> int:
        """How many evaluations there are to be before it may die; at times it dies while it starts."""
        early = self.rng.random() < _EARLY
        return 0 if early else len(self._notes()) + self.rng.randint(1, _LIFE)

    def _notes(self) -> list[str]:
        file = self.home / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def _see_who_ended(self) -> None:
        for role, process in list(self.living.items()):
            if process.poll() is not None:
                said = (self.home / f"{role}.err").read_text()[-3000:]
                assert process.returncode == 0, f"{role} ended with {process.returncode}: {said}"
                del self.living[role]
                self.ended.add(role)

    def _kill_one(self) -> None:
        """Note what is acknowledged, kill, and look whether it is still there."""
        kinds = {kind: there for kind in self.scenario.weights if (there := self._victims(kind))}
        if not kinds:
            return
        weights = [self.scenario.weights[kind] for kind in kinds]
        [kind] = self.rng.choices(list(kinds), weights)
        victim = self.rng.choice(kinds[kind])
        before = stored(self.storage)
        self._note_letters()
        family = _family(victim) if kind in self.scenario.roles else []
        with suppress(psutil.NoSuchProcess):
            if victim.status() == psutil.STATUS_ZOMBIE:
                return
            victim.kill()
            self.kills[kind.rstrip("0123456789")] += 1
        if kind in self.scenario.roles:
            self._bury(kind, family)
        self.facts["acknowledged_events_checked"] += len(before)
        now = stored(self.storage)
        assert not now or now[: len(before)] == before, "an acknowledged event is gone"
        if len(now) >= len(self.seen):
            assert now[: len(self.seen)] == self.seen
            self.seen = now

    def _bury(self, role: str, family: list[psutil.Process]) -> None:
        self.living.pop(role).wait()
        self.due[role] = time.monotonic() + self.rng.uniform(0, 0.5)
        self.orphans += family

    def _victims(self, kind: str) -> list[psutil.Process]:
        if kind in self.scenario.roles:
            process = self.living.get(kind)
            alive = process is not None and process.poll() is None
            ripe = alive and len(self._notes()) >= self.ripe[kind]
            return [psutil.Process(process.pid)] if ripe else []
        if kind == "engine":
            return sorted(places(), key=lambda place: place.pid)
        zygotes = {p: _children(p) for p in _family(psutil.Process()) if is_zygote(p)}
        if kind == "zygote":
            return [zygote for zygote, children in zygotes.items() if children]
        return [child for children in zygotes.values() for child in children]

    def _note_letters(self) -> None:
        """Results that lie on the board, delivered and acknowledged to the worker."""
        query = "select job, message from letter join task on task.number = letter.task"
        try:
            rows = Reader(self.storage).read(lambda db: db.execute(query).fetchall())
        except StoreError:
            return  # not begun, or in the middle of a close: see `stored`
        for packed, message in rows:
            job, said = unpack_job(packed), unpack_message(message)
            if job.stage == "search" and isinstance(said, Done):
                self.facts["delivered_results_checked"] += job.trial not in self.delivered
                self.delivered.setdefault(job.trial, said.values["mark"])

    def check(self) -> None:
        """The study as a whole, at its end."""
        _, alive = psutil.wait_procs(self.orphans, timeout=_GONE_S)
        assert not alive, f"these outlived who began them: {[p.cmdline() for p in alive]}"
        events = events_of(self.storage)
        assert events[: len(self.seen)] == self.seen, "an acknowledged event is gone"
        told = [event for event in events if isinstance(event, Told)]
        for mine, theirs in zip(outcome(events), calm(), strict=True):
            assert mine == theirs, "another outcome than undisturbed"
        marks = {event.trial: (event.extra or {})["mark"] for event in told}
        assert len(set(marks.values())) == len(told) == kill_program.TRIALS, "counted twice"
        lost = {t: m for t, m in self.delivered.items() if marks[t] != m}
        assert not lost, f"delivered, and another evaluation counted: {lost}"
        notes = [line.split() for line in self._notes()]
        evaluated = {(int(trial), float(mark)) for trial, mark in notes}
        assert set(marks.items()) <= evaluated, "a result that nobody evaluated"
        count = "select (select count(*) from task), (select count(*) from letter)"
        assert Reader(self.storage).read(lambda db: db.execute(count).fetchone()) == (0, 0)
        with assay.open_study(f"sqlite:///{self.storage}") as study:
            assert study.verify() == []
        self.facts["studies"] += 1
        self.facts["results_counted"] += len(told)
        self.facts["evaluations_of_search_and_after"] += len(notes)

    def close(self) -> None:
        for process in self.living.values():
            process.kill()
            process.wait()


def outcome(events: list[Event]) -> Any:
    """What a study found: every config with its value, what was selected, the verdict."""
    asked = [(e.trial, e.origin, e.config) for e in events if isinstance(e, Asked)]
    told = sorted((e.trial, e.values) for e in events if isinstance(e, Told))
    chosen = [(e.trial, e.challenger) for e in events if isinstance(e, Selected)]
    return asked, told, chosen, [e.verdict for e in events if isinstance(e, Concluded)]


@cache
def calm() -> Any:
    """The outcome of the same study that nobody disturbs."""
    study = kill_program.run(None)
    return outcome(list(study.store.read(study.name)))


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children()
    return []


def _family(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


# --- scenarios


def _driver(home: Path, executor: str = "local") -> list[str]:
    return [str(PROGRAM), str(home / "lab.db"), executor]


def _worker(home: Path, *more: str) -> list[str]:
    objective = f"{PROGRAM}:objective"
    storage = f"sqlite:///{home / 'lab.db'}"
    return [
        "-m", "assay", "worker", kill_program.NAME, "--storage", storage, "--objective", objective,
        *more,
    ]  # fmt: skip


@contextmanager
def workers(home: Path) -> Iterator[Scenario]:
    """A driver, and two `assay worker`."""
    roles = {"driver": _driver(home), "worker1": _worker(home), "worker2": _worker(home)}
    weights = {"driver": 2.0, "worker1": 1.0, "worker2": 1.0, "trial": 4.0, "zygote": 0.2}
    yield Scenario(roles, weights)


@contextmanager
def equals(home: Path) -> Iterator[Scenario]:
    """Three `assay worker --drive`, once a driver has begun the study and died."""
    first = subprocess.Popen([sys.executable, *_driver(home)], cwd=home)
    while not stored(home / "lab.db"):
        time.sleep(0.01)
    first.kill()
    first.wait()
    roles = {f"equal{number}": _worker(home, "--drive") for number in (1, 2, 3)}
    yield Scenario(roles, {**dict.fromkeys(roles, 1.0), "trial": 3.0, "zygote": 0.2})


@contextmanager
def dask(home: Path) -> Iterator[Scenario]:
    """A driver, a Dask scheduler, and two Dask workers that are started again by us."""
    from assay.executors.dask_local import LocalCluster

    cluster = LocalCluster(0)
    try:
        url = cluster.address.replace("tcp://", "dask://")
        server = [
            "-m", "distributed.cli.dask_worker", cluster.address, "--no-nanny", "--nthreads", "1",
            "--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(home),
        ]  # fmt: skip
        servers = {"daskworker1": server, "daskworker2": server}
        weights = {"driver": 0.7, "daskworker1": 1.5, "daskworker2": 1.5, "trial": 2.0}
        yield Scenario(
            {"driver": _driver(home, url), **servers}, {**weights, "zygote": 0.2}, tuple(servers)
        )
    finally:
        cluster.close()


@contextmanager
def ray(home: Path) -> Iterator[Scenario]:
    """A driver, and a Ray cluster with two places."""
    from assay.executors.ray_local import demand_token, local_ray

    demand_token()
    import ray as engine

    leave = local_ray(engine, 2)
    try:
        address = engine.get_runtime_context().gcs_address
        weights = {"driver": 0.3, "engine": 4.0, "trial": 2.0, "zygote": 0.2}
        roles = {"driver": _driver(home, "ray://auto")}
        # the second keeps Ray from looking for the cluster at another address than loopback
        found = {"RAY_ADDRESS": address, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        yield Scenario(
            roles, weights, environment=found, mean_s=2.0
        )  # an actor takes seconds to start
    finally:
        leave()


@contextmanager
def slurm(home: Path) -> Iterator[Scenario]:
    """A driver, and two pilots of submitit's local mode."""
    url = f"slurm://?cluster=local&folder={home / 'shared'}&timeout_min=60"
    weights = {"engine": 4.0, "trial": 2.0, "zygote": 0.2}
    yield Scenario({"driver": [*_driver(home, url), "2"]}, weights, mean_s=0.7)


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    one.__name__: one for one in (workers, equals, dask, ray, slurm)
}


def study_under_fire(name: str, seed: int) -> Run:
    """One study of a scenario from its beginning to its end, checked."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-kills-")))
        scenario = stack.enter_context(SCENARIOS[name](home))
        run = Run(scenario, home, random.Random(f"{name} {seed}"))
        stack.callback(run.close)
        run.fight()
        run.check()
    return run


@contextmanager
def counts(name: str) -> Iterator[dict[str, Any]]:
    """The counts on the disk of a scenario, to be changed; campaigns may run side by side."""
    with (Path(tempfile.gettempdir()) / "assay-kill-campaign.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        part = whole.setdefault(name, {"kills": {}, "studies": 0})
        part.setdefault("begun", part["studies"])
        yield part
        whole["all"] = _together([whole[name] for name in SCENARIOS if name in whole])
        beside = RESULTS.with_suffix(".new")
        beside.write_text(json.dumps(whole, indent=1) + "\n")
        beside.replace(RESULTS)


def _together(parts: list[dict[str, Any]]) -> dict[str, int]:
    studies = sum(part["studies"] for part in parts)
    return {
        "kills": sum(sum(part["kills"].values()) for part in parts),
        "studies": studies,
        "acknowledged_results_lost": 0,
        "results_counted_twice": 0,
        "broken_chains": 0,
        "studies_that_did_not_finish": sum(p.get("begun", p["studies"]) for p in parts) - studies,
    }


def begin(name: str) -> int:
    """Count a study as begun; whoever breaks off a campaign is seen by that. Its seed."""
    with counts(name) as part:
        part["begun"] += 1
        return int(part["begun"]) - 1


def add(name: str, run: Run) -> None:
    """Add a study that has passed."""
    with counts(name) as part:
        for into, counted in ((part["kills"], run.kills), (part, run.facts)):
            for key, count in counted.items():
                into[key] = into.get(key, 0) + count
        part["longest_silence_s"] = max(part.get("longest_silence_s", 0), round(run.silence_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], default=list(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=300.0)
    told = parser.parse_args()
    until = time.monotonic() + told.seconds
    while True:
        for name in told.scenarios:
            began = time.monotonic()
            run = study_under_fire(name, begin(name))
            add(name, run)
            total = json.loads(RESULTS.read_text())["all"]["kills"]
            took = time.monotonic() - began
            sys.stdout.write(f"{name}: {dict(run.kills)} in {took:.0f} s; {total} in all\n")
            sys.stdout.flush()
            if time.monotonic() >= until:
                return


if __name__ == "__main__":
    main()
