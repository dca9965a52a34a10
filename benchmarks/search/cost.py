"""CPU time of one ask and tell, refits included, after n trials of ten mixed parameters.

    python -m benchmarks.search.cost            # Assay, and Optuna where it is quick
    python -m benchmarks.search.cost assay-gp   # one of them

One BLAS thread. A history of random trials is made, one trial goes before to warm up, and the mean
of the next twenty is taken: ten before n and ten after. Each figure comes from processes of its own;
the median of three is kept. Writes ../results/cost.md.
"""

from __future__ import annotations

import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results"
RUNS = 3
STEPS = 20
CASES = {
    "assay-gp": (100, 300, 1_000),
    "assay-tpe": (1_000, 10_000, 100_000),
    "optuna-tpe": (100, 1_000),
}
LIMITS = {
    ("assay-gp", 100): 15, ("assay-gp", 300): 30, ("assay-gp", 1_000): 60,
    ("assay-tpe", 1_000): 5, ("assay-tpe", 10_000): 15, ("assay-tpe", 100_000): 60,
}  # fmt: skip


def loss(config):
    """Smooth in the numbers, with a step for each choice."""
    smooth = sum((config[f"x{i}"] - 0.3) ** 2 for i in range(4))
    scales = abs(math.log10(config["rate"]) + 2) + abs(math.log10(config["decay"]) + 4)
    counts = (config["depth"] - 5) ** 2 / 20 + math.log2(config["width"]) / 10
    return smooth + 0.2 * scales + counts + (config["kind"] == "c") + 0.3 * config["flag"]


def drawn(rng):
    return {
        **{f"x{i}": rng.random() for i in range(4)},
        "rate": 10 ** rng.uniform(-5, 0),
        "decay": 10 ** rng.uniform(-6, -1),
        "depth": rng.randint(1, 12),
        "width": rng.randint(8, 512),
        "kind": rng.choice("abcd"),
        "flag": rng.choice([True, False]),
    }


def assay_steps(sampler, n):
    import assay
    from assay.core.events import Asked, Told

    space = assay.Space(
        **{f"x{i}": assay.Float(0, 1) for i in range(4)},
        rate=assay.Float(1e-5, 1, log=True),
        decay=assay.Float(1e-6, 0.1, log=True),
        depth=assay.Int(1, 12),
        width=assay.Int(8, 512, log=True),
        kind=assay.Choice(["a", "b", "c", "d"]),
        flag=assay.Choice([False, True]),
    )
    study = assay.Study(space, sampler=sampler, seed=0)
    rng, events = random.Random(0), []
    for number in range(n - STEPS // 2 - 1):
        config = drawn(rng)
        seen = study.ledger.history.length + len(events)
        events += [Asked(number, config, seen), Told(number, (loss(config),))]
    study.ledger.stage(events)
    study.ledger.flush()

    def step():
        trial = study.ask()
        study.tell(trial, loss(trial.config))

    return step


def optuna_steps(sampler, n):
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kinds = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}
    study = optuna.create_study(sampler=kinds[sampler](seed=0))
    space = {
        **{f"x{i}": FloatDistribution(0, 1) for i in range(4)},
        "rate": FloatDistribution(1e-5, 1, log=True),
        "decay": FloatDistribution(1e-6, 0.1, log=True),
        "depth": IntDistribution(1, 12),
        "width": IntDistribution(8, 512, log=True),
        "kind": CategoricalDistribution(["a", "b", "c", "d"]),
        "flag": CategoricalDistribution([False, True]),
    }
    rng = random.Random(0)
    for _ in range(n - STEPS // 2 - 1):
        config = drawn(rng)
        study.add_trial(
            optuna.trial.create_trial(params=config, distributions=space, value=loss(config))
        )

    def step():
        trial = study.ask(space)
        study.tell(trial, loss(trial.params))

    return step


def measured(tuner, n):
    """Milliseconds of CPU a step, in this process."""
    tool, sampler = tuner.split("-")
    step = {"assay": assay_steps, "optuna": optuna_steps}[tool](sampler, n)
    step()
    begun = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - begun) / STEPS * 1e3


def in_own_process(tuner, n):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    command = [sys.executable, "-m", "benchmarks.search.cost", tuner, str(n)]
    env = {**os.environ, **dict.fromkeys(names, "1")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(arguments):
    if len(arguments) == 2:
        print(measured(arguments[0], int(arguments[1])))
        return
    path = RESULTS / "cost.json"
    kept = json.loads(path.read_text())["lines"] if path.exists() else []
    chosen = arguments or list(CASES)
    lines = [x for x in kept if x["tuner"] not in chosen]
    for tuner in chosen:
        for n in CASES.get(tuner, (100,)):
            ms = statistics.median(in_own_process(tuner, n) for _ in range(RUNS))
            lines.append({"tuner": tuner, "trials": n, "ms": round(ms, 1)})
            print(lines[-1], flush=True)
    write(path, sorted(lines, key=lambda x: (x["tuner"], x["trials"])))


def write(path, lines):
    RESULTS.mkdir(exist_ok=True)
    facts = {"python": platform.python_version(), "optuna": version("optuna"), "lines": lines}
    path.write_text(json.dumps(facts, indent=1) + "\n")
    head = [
        (
            f"CPU of one ask and tell, refits included; ten mixed parameters, one thread; median of "
            f"{RUNS} processes. Python {facts['python']}, Optuna {facts['optuna']}."
        ),
        "",
        "| sampler | trials | ms | at most |",
        "|---|---|---|---|",
    ]
    rows = [
        f"| {x['tuner']} | {x['trials']:,} | {x['ms']} | {LIMITS.get((x['tuner'], x['trials']), '–')} |"
        for x in lines
    ]
    path.with_suffix(".md").write_text("\n".join([*head, *rows]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
