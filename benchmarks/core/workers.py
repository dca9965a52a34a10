"""The driver's work at many workers: the real engine over simulated workers, in virtual time.

    python -m benchmarks.core.workers          # under a CPU minute; writes ../results/simulated.md

A trial takes a log-normal time of mean 60 s (sigma 0.7); a tenth fails, one in a hundred takes ten
times as long. The figures are CPU of the driver alone: asking, the loop, the log in memory.
"""

from __future__ import annotations

import time
from pathlib import Path

PAGE = Path(__file__).parent.parent / "results" / "simulated.md"
CASES = [
    *(("random", workers, 20_000) for workers in (10, 100, 1000)),
    *(("tpe", workers, 4_000) for workers in (10, 100, 1000)),
]


def row(sampler, workers, trials):
    from assay import Float, Space
    from assay.core.spec import Budget, StudySpec
    from assay.testing.simulator import Crew, log_normal, simulate

    space = Space({f"x{i}": Float(0, 1) for i in range(10)})
    spec = StudySpec(
        space, {"value": "minimize"}, sampler={"name": sampler}, budget=Budget(trials=trials)
    )
    crew = Crew(workers, duration=log_normal(60, 0.7), fails=0.1, straggles=0.01)
    start = time.process_time()
    found = simulate(spec, lambda job: sum((v - 0.3) ** 2 for v in job.config.values()), crew)
    spent = time.process_time() - start
    assert found.history.n_ended == trials
    return (
        f"| {sampler} | {workers:,} | {trials:,} | {spent:.1f} | {spent / trials * 1e3:.2f} "
        f"| {found.seconds / 3600:.2f} | {found.utilisation:.3f} | {found.events['failed']:,} |"
    )


def main():
    lines = [
        "# Many workers, simulated",
        "",
        "Written by `python -m benchmarks.core.workers`: the real engine in virtual time. A trial takes",
        "60 s on average (log-normal, sigma 0.7), a tenth fails, one in a hundred is ten times as long.",
        "The end of a study, when some workers have nothing left to do, counts in the utilisation.",
        "",
        "| sampler | workers | trials | driver, CPU s | ms a trial | virtual hours | utilisation | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        lines.append(row(*case))
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
