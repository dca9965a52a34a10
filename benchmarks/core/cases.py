"""One measured program per call: `python -m benchmarks.core.cases CASE TOOL N` prints one JSON line.

CPU seconds are those of this process and its children, user and system together.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PARAMETERS = 10


def cpu() -> float:
    """CPU seconds of this process and its ended children."""
    own, children = (
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def rss_mb() -> float:
    """Resident memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def import_assay(n: int, folder: Path) -> dict[str, float]:
    start = cpu()
    import assay

    assert assay.__version__
    heavy = [m for m in ("scipy", "sklearn", "pandas") if m in sys.modules]
    assert not heavy, heavy
    return {"cpu_s": cpu() - start}


def import_study(n: int, folder: Path) -> dict[str, float]:
    """`import assay` loads names when they are first used: the import and the first use of one."""
    start = cpu()
    import assay
    from assay import Study  # noqa: F401

    assert assay.__version__
    heavy = [m for m in ("scipy", "sklearn", "pandas") if m in sys.modules]
    assert not heavy, heavy
    return {"cpu_s": cpu() - start}


def import_optuna(n: int, folder: Path) -> dict[str, float]:
    start = cpu()
    import optuna  # noqa: F401

    return {"cpu_s": cpu() - start}


def _assay_study(storage: str | None):
    import assay

    space = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)})
    return assay.Study(space, sampler="random", seed=0, storage=storage, name="bench")


def _assay_steps(study, n: int) -> None:
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, sum(trial.config.values()))


def _optuna_study(storage):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(storage=storage, sampler=sampler, study_name="bench")


def _optuna_steps(study, n: int) -> None:
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, sum(trial.suggest_float(f"x{i}", 0, 1) for i in range(PARAMETERS)))


def _measured(step: Callable[[int], None], n: int) -> dict[str, float]:
    start = cpu()
    step(n)
    return {"cpu_s": cpu() - start, "trials": n, "us_per_trial": (cpu() - start) / n * 1e6}


def memory_assay(n: int, folder: Path) -> dict[str, float]:
    study = _assay_study(None)
    _assay_steps(study, n)
    return _measured(lambda k: _assay_steps(study, k), 2000)


def memory_optuna(n: int, folder: Path) -> dict[str, float]:
    study = _optuna_study(None)
    _optuna_steps(study, n)
    return _measured(lambda k: _optuna_steps(study, k), 2000)


def sqlite_assay(n: int, folder: Path) -> dict[str, float]:
    study = _assay_study(f"sqlite:///{folder}/assay.db")
    return _measured(lambda k: _assay_steps(study, k), n)


def sqlite_optuna(n: int, folder: Path) -> dict[str, float]:
    study = _optuna_study(f"sqlite:///{folder}/optuna.db")
    return _measured(lambda k: _optuna_steps(study, k), n)


def journal_optuna(n: int, folder: Path) -> dict[str, float]:
    study = _optuna_study(_journal(folder))
    return _measured(lambda k: _optuna_steps(study, k), n)


def _journal(folder: Path):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(f"{folder}/journal.log"))


def open_assay(n: int, folder: Path) -> dict[str, float]:
    """Open a study of n trials and read its best value."""
    import assay
    import assay.stores.sqlite
    from assay.api.study import Study as _  # noqa: F401

    before, start = rss_mb(), cpu()
    study = assay.open_study(f"sqlite:///{folder}/assay.db", "bench")
    assert len(study.trials) == n
    value = study.best.value
    assert value is not None
    return {"cpu_s": cpu() - start, "mb": rss_mb() - before}


def open_journal(n: int, folder: Path) -> dict[str, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    before, start = rss_mb(), cpu()
    study = optuna.load_study(study_name="bench", storage=_journal(folder))
    assert study.best_value is not None
    return {"cpu_s": cpu() - start, "mb": rss_mb() - before}


def fill_assay(n: int, folder: Path) -> dict[str, float]:
    """Write n trials to SQLite in large batches; not measured."""
    import assay
    from assay.core.events import Asked, Told

    study = _assay_study(f"sqlite:///{folder}/assay.db")
    import random

    rng = random.Random(0)
    ledger = study.ledger
    for first in range(0, n, 5000):
        events = []
        for number in range(first, min(first + 5000, n)):
            config = {f"x{i}": rng.random() for i in range(PARAMETERS)}
            seen = ledger.history.length + len(events)
            events += [Asked(number, config, seen), Told(number, (sum(config.values()),))]
        ledger.stage(events)
        ledger.flush()
    assert assay.__version__
    return {}


def fill_journal(n: int, folder: Path) -> dict[str, float]:
    """Write n trials to the journal without syncing each line; not measured."""
    os.fsync = lambda _: None
    study = _optuna_study(_journal(folder))
    _optuna_steps(study, n)
    return {}


def engine_assay(n: int, folder: Path) -> dict[str, float]:
    """All CPU of a study of n trials of an empty objective in a warm worker, less that of 10 trials."""
    import assay

    def run(trials: int, name: str) -> float:
        start = cpu()
        assay.optimize(
            _nothing,
            assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)}),
            budget=assay.Budget(trials=trials),
            sampler="random",
            storage=f"sqlite:///{folder}/{name}.db",
            evidence=None,
            progress=False,
        )
        return cpu() - start

    run(10, "warm")
    few, many = run(10, "few"), run(n + 10, "many")
    return {"ms_per_trial": (many - few) / n * 1e3}


def _nothing(trial) -> float:
    return 1.0


def efficiency_assay(n: int, folder: Path) -> dict[str, float]:
    """Two workers, 20 ms of CPU a trial: share of the time of two cores that is spent in objectives."""
    import assay

    def run(trials: int, name: str) -> float:
        start = time.perf_counter()
        assay.optimize(
            _burn,
            assay.Space({f"x{i}": assay.Float(0, 1) for i in range(PARAMETERS)}),
            budget=assay.Budget(trials=trials),
            sampler="random",
            storage=f"sqlite:///{folder}/{name}.db",
            evidence=None,
            workers=2,
            progress=False,
        )
        return time.perf_counter() - start

    few = run(20, "few")
    many = run(n + 20, "many")
    per_trial = (many - few) / n
    return {"efficiency": 0.020 / 2 / per_trial}


def _burn(trial) -> float:
    end = time.process_time() + 0.020
    while time.process_time() < end:
        pass
    return 1.0


def main() -> None:
    case, tool, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    folder = Path(sys.argv[4]) if len(sys.argv) > 4 else Path(tempfile.mkdtemp())
    print(json.dumps(globals()[f"{case}_{tool}"](n, folder)))


if __name__ == "__main__":
    main()
