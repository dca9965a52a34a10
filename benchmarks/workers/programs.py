"""One measured program per call: `python -m benchmarks.workers.programs NAME URL WORKERS REPORTS N`.

Prints one JSON line. What a start costs (imports, processes) is no part of the cost of a trial: a
process that asks and tells counts from its first trial on, and the engine runs a short and a long
study, of which the difference counts. CPU seconds are those of all processes of a study; those of a
PostgreSQL server are counted beside them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

PARAMETERS = 10
FEW = 40


def cpu() -> float:
    """CPU seconds of this process and its ended children."""
    both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def server_cpu() -> float:
    """CPU seconds of all PostgreSQL processes of this machine, those that have ended included."""
    import psutil

    total = 0.0
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.NoSuchProcess):  # another server of this machine may end meanwhile
            parent = process.parent() if process.info["name"] == "postgres" else None
            if parent is not None and parent.name() != "postgres":
                total += sum(process.cpu_times())  # itself, and its children that have ended
                total += sum(sum(child.cpu_times()[:2]) for child in process.children())
    return total


# --- Assay's engine: one driver, W workers


def engine(url: str, workers: int, reports: int, n: int, name: str) -> None:
    import assay

    assay.optimize(
        partial(_objective, reports=reports),
        assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)}),
        budget=assay.Budget(trials=n),
        sampler="random",
        storage=url,
        name=name,
        evidence=None,
        workers=workers,
        progress=False,
    )


def _objective(trial, reports: int) -> float:
    for step in range(reports):
        trial.report(step, 1.0 / (step + 1))
    return sum(trial.config.values())


# --- ask and tell in W processes, each with its own connection; ours, and Optuna's usual way


def assay_asks(url: str, name: str, reports: int, n: int) -> float:
    """CPU seconds of n trials in this process."""
    import assay

    space = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)})
    study = assay.Study(space, sampler="random", storage=url, name=name)
    _assay_steps(study, reports, 1)
    start = cpu()
    _assay_steps(study, reports, n)
    return cpu() - start


def _assay_steps(study, reports: int, n: int) -> None:
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, _objective(trial, reports))


def optuna_runs(url: str, name: str, reports: int, n: int) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name=name, storage=_storage(url), sampler=optuna.samplers.RandomSampler()
    )
    objective = partial(_optuna_objective, reports=reports)
    study.optimize(objective, n_trials=1)
    start = cpu()
    study.optimize(objective, n_trials=n)
    return cpu() - start


def _optuna_objective(trial, reports: int) -> float:
    values = [trial.suggest_float(f"x{i}", 0, 1) for i in range(PARAMETERS)]
    for step in range(reports):
        trial.report(1.0 / (step + 1), step)
    return sum(values)


def _storage(url: str):
    if not url.startswith("journal:"):
        return url
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(url.removeprefix("journal:")))


def apart(one: str, url: str, workers: int, reports: int, n: int) -> dict[str, float]:
    """W processes that each run their share of the trials; those that fall by an error do not count."""
    name = f"{one}-{os.getpid()}"
    _create(one, url, name)
    share = [sys.executable, "-m", __spec__.name, one, url, name, str(reports), str(n // workers)]
    before, start = _server(url), time.perf_counter()
    running = [subprocess.Popen(share, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    spent = [float(said) for process in running if (said := process.communicate()[0])]
    fallen = workers - len(spent)
    if not spent or fallen and one == "assay_asks":
        sys.exit(f"{fallen} of {workers} processes fell")
    done = n // workers * len(spent)
    return {
        "fallen": fallen,
        "client_ms": sum(spent) / done * 1e3,
        "server_ms": (_server(url) - before) / done * 1e3,
        "wall_ms": (time.perf_counter() - start) / done * 1e3,
    }


def _create(one: str, url: str, name: str) -> None:
    if one == "optuna_runs":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        optuna.create_study(storage=_storage(url), study_name=name)
    else:
        import assay

        space = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)})
        assay.Study(space, sampler="random", storage=url, name=name).close()


def engines(url: str, workers: int, reports: int, n: int) -> dict[str, float]:
    """The engine's cost of a trial: a long study less a short one, once everything is imported."""
    engine(url, workers, reports, 10, f"warm-{os.getpid()}")
    points = []
    for trials, name in ((FEW, "few"), (FEW + n, "many")):
        before, start = (cpu(), _server(url)), time.perf_counter()
        engine(url, workers, reports, trials, f"{name}-{os.getpid()}")
        points.append((cpu() - before[0], _server(url) - before[1], time.perf_counter() - start))
    client, server, wall = ((many - few) / n * 1e3 for few, many in zip(*points, strict=True))
    return {"client_ms": client, "server_ms": server, "wall_ms": wall}


def _server(url: str) -> float:
    return server_cpu() if url.startswith("postgres") else 0.0


# --- efficiency and the first trial


def burn(trial, seconds: float = 0.05) -> float:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return 1.0


def efficiency(url: str, workers: int, n: int) -> dict[str, float]:
    """Share of the time of W cores that a 50 ms objective gets."""
    import assay

    space = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)})

    def run(trials: int, name: str) -> float:
        start = time.perf_counter()
        assay.optimize(
            burn, space, budget=assay.Budget(trials=trials), sampler="random", storage=url,
            name=name, evidence=None, workers=workers, progress=False,
        )  # fmt: skip
        return time.perf_counter() - start

    few, many = run(10 * workers, "few"), run(10 * workers + n, "many")
    return {"efficiency": 0.05 * n / workers / (many - few)}


def first_assay(url: str, workers: int) -> None:
    """Start to finish of a study of one trial; the caller takes the time of the whole command."""
    import assay

    assay.optimize(
        _first,
        assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)}),
        budget=assay.Budget(trials=1),
        sampler="random",
        storage=url,
        evidence=None,
        control=None,
        workers=workers,
        progress=False,
    )


def _first(trial) -> float:
    _note_start()
    return 1.0


def first_ray(url: str, workers: int) -> None:
    from ray import tune

    space = {f"x{i}": tune.uniform(0, 1) for i in range(PARAMETERS)}

    def trainable(config):
        _note_start()
        tune.report({"value": 1.0})

    tune.Tuner(trainable, param_space=space).fit()


def first_optuna(url: str, workers: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial) -> float:
        [trial.suggest_float(f"x{i}", 0, 1) for i in range(PARAMETERS)]
        _note_start()
        return 1.0

    optuna.create_study(storage=url).optimize(objective, n_trials=1)


def _note_start() -> None:
    with open(os.environ["FIRST_TRIAL"], "a") as file:
        file.write(f"{time.time()}\n")


def main() -> None:
    name, url, *rest = sys.argv[1:]
    if name in ("assay_asks", "optuna_runs"):
        print(globals()[name](url, rest[0], int(rest[1]), int(rest[2])))
    elif name.startswith("first_"):
        globals()[name](url, int(rest[0]))
    elif name == "efficiency":
        print(json.dumps(efficiency(url, int(rest[0]), int(rest[1]))))
    elif name == "engine":
        print(json.dumps(engines(url, *map(int, rest))))
    else:
        one = {"assay-apart": "assay_asks", "optuna-apart": "optuna_runs"}[name]
        print(json.dumps(apart(one, url, *map(int, rest))))


if __name__ == "__main__":
    main()
