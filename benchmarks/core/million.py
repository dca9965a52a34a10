"""Studies of a million events: opening, asking, reporting, the queries, and the memory.

    python -m benchmarks.core.million          # about three CPU minutes; writes ../results/million.md
    python -m benchmarks.core.million 20000    # so many events instead
    python -m benchmarks.core.million 1000000 FOLDER    # kept there; goes on where it was stopped

Two studies in SQLite, of trials with ten parameters: "plain" has no reports, "curves" ten a trial.
Each figure is of a fresh process, in CPU seconds. Optuna has a fiftieth of the events, in its journal
file, which is the faster of its two durable stores.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from benchmarks.core.cases import cpu, rss_mb

RESULTS = Path(__file__).parent.parent / "results"
EVENTS = 1_000_000
PARAMETERS = 10
STEPS = 50
BATCH = 20_000
PEER = 50
"""Optuna gets a fiftieth of the events: with more, filling it takes longer than all the rest."""


def fill(folder, kind, events):
    """Write a study in large batches; not measured."""
    import assay
    from assay.core.events import Asked, Reported, Told

    reports = 10 if kind == "curves" else 0
    space = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)})
    study = assay.Study(space, sampler="random", storage=f"{folder}/{kind}.db", name=kind)
    rng, batch = random.Random(0), []
    trials = events // (2 + reports)
    for number in range(trials):
        config = {f"x{i}": rng.random() for i in range(PARAMETERS)}
        seen = study.ledger.history.length + len(batch)
        batch.append(Asked(number, config, seen, "sampler", {"sampler": "random"}))
        batch += [Reported(number, step, rng.random()) for step in range(1, reports + 1)]
        batch.append(Told(number, (sum(config.values()),), None, rng.random(), rng.random()))
        if len(batch) >= BATCH or number == trials - 1:
            study.ledger.stage(batch)
            study.ledger.flush()
            batch = []
    return {}


def opened(folder, kind, events):
    """Open the study and count its trials; with whatever snapshot there is."""
    import assay

    other = assay.Study(assay.Space(x=assay.Float(0, 1)), storage=f"{folder}/other.db")
    other.tell(other.ask(), 1.0)  # what is loaded at first use is loaded now
    before, start = rss_mb(), cpu()
    study = assay.open_study(f"{folder}/{kind}.db", kind)
    trials = study.ledger.history.n_trials
    return {
        "cpu_s": cpu() - start,
        "trials": trials,
        "events": study.ledger.history.length,
        "bytes": (rss_mb() - before) / trials * 1e6,
        "peak_mb": _peak_mb(),
    }


def _peak_mb():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def asked(folder, kind, events):
    """The driver's work, durable, with all of the history behind it, in milliseconds."""
    found = {}
    for sampler in ("random", "tpe"):
        found |= _steps(folder, kind, sampler)
    return found


def _steps(folder, kind, sampler):
    import assay
    from assay.api.parts import sampler_of

    study = assay.open_study(f"{folder}/{kind}.db", kind)
    study._sampler = sampler_of(replace(study.spec, sampler={"name": sampler}))
    found = {}

    def measured(name, step, times=STEPS):
        start = cpu()
        for _ in range(times):
            step()
        found[f"{sampler} {name}"] = (cpu() - start) / times * 1e3

    def trial():
        one = study.ask()
        study.tell(one, sum(one.config.values()))

    measured("first ask and tell", trial, 1)
    measured("ask and tell", trial)
    one, steps = study.ask(), iter(range(STEPS))
    measured("report", lambda: one.report(next(steps), 0.5))
    return found


def queried(folder, kind, events):
    """What a person asks of a study, in CPU seconds each."""
    import assay

    study = assay.open_study(f"{folder}/{kind}.db", kind, readonly=True)
    found = {}

    def measured(name, question):
        start = cpu()
        question()
        found[name] = cpu() - start

    from assay.analysis.spending import spending

    measured("best", lambda: study.best)
    measured("spent", lambda: spending(study.spec, study.history))
    measured("one trial with its curve", lambda: study.trials[1000])
    measured("importance", study.importance)
    measured("report page", study.report)
    for words in ("status", "trials --limit 10", "trials --sort gain --limit 10", "best"):
        measured(f"`assay {words}`, opening included", lambda w=words: _command(folder, kind, w))
    return found | {"peak_mb": _peak_mb()}


def _command(folder, kind, words):
    from click.testing import CliRunner

    from assay.cli import assay

    done = CliRunner().invoke(assay, [*words.split(), kind, "--storage", f"{folder}/{kind}.db"])
    assert done.exit_code == 0, done.output


def optuna(folder, kind, events):
    """The same of Optuna: written without syncing, then opened, then asked."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sync, os.fsync = os.fsync, lambda _: None
    path, reports = f"{folder}/{kind}.log", 10 if kind == "curves" else 0
    space = {f"x{i}": optuna.distributions.FloatDistribution(0, 1) for i in range(PARAMETERS)}
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(path)), sampler=sampler, study_name=kind
    )
    for _ in range(events // (2 + reports)):
        trial = study.ask(space)
        for step in range(reports):
            trial.report(0.5, step)
        study.tell(trial, 0.5)
    os.fsync = sync
    del study, trial
    before, start = rss_mb(), cpu()
    study = optuna.load_study(
        study_name=kind, storage=JournalStorage(JournalFileBackend(path)), sampler=sampler
    )
    trials = len(study.trials)
    found = {"cpu_s": cpu() - start, "trials": trials, "bytes": (rss_mb() - before) / trials * 1e6}
    start = cpu()
    for _ in range(10):
        study.tell(study.ask(space), 0.5)
    return found | {"random ask and tell": (cpu() - start) / 10 * 1e3}


CASES = {f.__name__: f for f in (fill, opened, asked, queried, optuna)}


def once(case, folder, kind, events):
    command = [sys.executable, "-m", "benchmarks.core.million", case, str(folder), kind]
    done = subprocess.run([*command, str(events)], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(case, kind, events, found, flush=True)
    return found


class Steps:
    """The figures so far, kept in the folder: a run that was stopped goes on where it was."""

    def __init__(self, folder):
        self.folder, self.file = folder, Path(folder, "figures.json")
        self.done = json.loads(self.file.read_text()) if self.file.exists() else {}

    def __call__(self, name, case, kind, events, *, within=""):
        key = f"{name} {kind} {events}"
        if key not in self.done:
            own = Path(self.folder, within)
            own.mkdir(exist_ok=True)
            self.done[key] = once(case, own, kind, events)
            self.file.write_text(json.dumps(self.done, indent=1))
        return self.done[key]


def run(events, folder):
    step = Steps(folder)
    facts = {"events": events, "optuna": version("optuna")}
    for kind in ("plain", "curves"):
        step("fill", "fill", kind, events)
        facts[kind] = {
            "log": step("log", "opened", kind, events),
            "snapshot": step("snapshot", "opened", kind, events),
            "asked": step("asked", "asked", kind, events),
            "queried": step("queried", "queried", kind, events),
            "disk": _disk(folder, kind),
        }
    facts["growth"] = [_grown(step, events // part) for part in (8, 4, 2)]
    for kind in ("plain", "curves"):
        facts[kind]["optuna"] = step("optuna", "optuna", kind, events // PEER)
    return facts


def _disk(folder, kind):
    log = Path(folder, f"{kind}.db").stat().st_size / 1e6
    fold = sum(p.stat().st_size for p in Path(folder).glob(f"{kind}.db-fold-*")) / 1e6
    return {"log_mb": log, "fold_mb": fold}


def _grown(step, events):
    own = {"kind": "plain", "events": events, "within": str(events)}
    step("fill", "fill", **own)
    return {"log": step("log", "opened", **own), "asked": step("asked", "asked", **own)}


def page(facts):
    plain, curves = facts["plain"], facts["curves"]
    lines = [
        "# A million events",
        "",
        "Written by `python -m benchmarks.core.million`; CPU seconds, each in a fresh process. Ten",
        "parameters. *plain*: no reports; *curves*: ten a trial. Ask, tell and report are durable.",
        f"Optuna {facts['optuna']} has a fiftieth of the events, in its journal file.",
        "",
        *([facts["note"], ""] if "note" in facts else []),
        "| | plain | curves |",
        "|---|---|---|",
        *_rows(plain, curves),
        "",
        "## Growth",
        "",
        "| events | open, by the log | bytes a trial | ask and tell, random | ask and tell, TPE |",
        "|---|---|---|---|---|",
        *(_growth(step["log"], step["asked"]) for step in [*facts["growth"], plain]),
        "",
        _memory([*facts["growth"], plain]),
    ]
    return "\n".join(lines) + "\n"


def _memory(steps):
    sizes = [
        (step["log"]["trials"], step["log"]["bytes"] * step["log"]["trials"]) for step in steps
    ]
    slopes = [(m2 - m1) / (n2 - n1) for (n1, m1), (n2, m2) in pairwise(sizes)]
    each = ", ".join(f"{slope:.0f}" for slope in slopes)
    return f"Memory: bytes for each further trial, from one size to the next: {each}."


def _rows(plain, curves):
    def row(what, show):
        return f"| {what} | {show(plain)} | {show(curves)} |"

    yield row("events", lambda k: f"{k['log']['events']:,}")
    yield row("trials", lambda k: f"{k['log']['trials']:,}")
    yield row("the log on disk, MB", lambda k: f"{k['disk']['log_mb']:.0f}")
    yield row("the snapshot on disk, MB", lambda k: f"{k['disk']['fold_mb']:.0f}")
    yield row("open by the log, snapshot written, s", lambda k: f"{k['log']['cpu_s']:.2f}")
    yield row("open by the snapshot, s", lambda k: f"{k['snapshot']['cpu_s']:.2f}")
    yield row("memory a trial, bytes", lambda k: f"{k['snapshot']['bytes']:.0f}")
    yield row("peak memory of opening by the log, MB", lambda k: f"{k['log']['peak_mb']:.0f}")
    yield row(
        "peak memory of opening by the snapshot, MB", lambda k: f"{k['snapshot']['peak_mb']:.0f}"
    )
    for name in plain["asked"]:
        yield row(f"{name}, ms", lambda k, name=name: f"{k['asked'][name]:.2f}")
    for name in plain["queried"]:
        unit = "MB, all queries" if name == "peak_mb" else "s"
        yield row(f"{name}, {unit}", lambda k, name=name: f"{k['queried'][name]:.3f}")
    yield row("Optuna: trials", lambda k: f"{k['optuna']['trials']:,}")
    yield row("Optuna: open, s", lambda k: f"{k['optuna']['cpu_s']:.2f}")
    yield row("Optuna: memory a trial, bytes", lambda k: f"{k['optuna']['bytes']:.0f}")
    yield row(
        "Optuna: random ask and tell, ms", lambda k: f"{k['optuna']['random ask and tell']:.2f}"
    )


def _growth(log, asked):
    return (
        f"| {log['events']:,} | {log['cpu_s']:.2f} | {log['bytes']:.0f} "
        f"| {asked['random ask and tell']:.2f} | {asked['tpe ask and tell']:.2f} |"
    )


def main():
    if len(sys.argv) == 5:
        case, folder, kind, events = sys.argv[1:]
        print(json.dumps(CASES[case](Path(folder), kind, int(events))))
        return
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    if len(sys.argv) > 2:
        facts = run(events, sys.argv[2])
    else:
        with tempfile.TemporaryDirectory(prefix="assay-million-") as folder:
            facts = run(events, folder)
    if facts["events"] == EVENTS:
        (RESULTS / "million.json").write_text(json.dumps(facts, indent=1) + "\n")
        (RESULTS / "million.md").write_text(page(facts))
    else:
        print(page(facts))


if __name__ == "__main__":
    main()
