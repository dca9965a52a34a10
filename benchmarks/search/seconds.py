"""Does weighing the cost help under a budget of time? On generated problems, with virtual seconds.

    python -m benchmarks.search.seconds

Loss (x - 0.5)^2 + (size - best)^2 with a little noise; a trial takes 10^(2 size) seconds, so 1 to 100.
The search ends after 400 of them; the dearest config takes a quarter of that. The same sampler with a
budget of time, and with one of trials, which does not look at costs. It writes
benchmarks/results/seconds.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from assay.core.events import Asked, Created, Told
from assay.core.history import History, fold
from assay.core.parameters import Float
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.gp import Gp

SPACE = Space(x=Float(0, 1), size=Float(0, 1))
SECONDS, SEEDS = 400.0, 8
BESTS = {"the best is cheap": 0.2, "the best is ordinary": 0.5, "the best is dear": 0.9}
RESULTS = Path(__file__).parents[1] / "results" / "seconds.json"


def search(best: float, budget: dict, seed: int) -> tuple[float, int]:
    """(regret of the best config, trials) when the seconds are over."""
    rng = np.random.default_rng([seed, int(10 * best)])
    history = fold([Created({"budget": budget}, "plan")], History())
    spent, found, trials = 0.0, [], 0
    while True:
        config = Gp(seed, costs=True).ask(SPACE, history, stream(seed, "trial", trials)).config
        cost = float(10 ** (2 * config["size"]) * np.exp(0.1 * rng.normal()))
        spent += cost
        if spent > SECONDS:
            value, truth = min(found)
            return truth, trials
        truth = (config["x"] - 0.5) ** 2 + (config["size"] - best) ** 2
        value = truth + 0.003 * rng.normal()
        found.append((value, truth))
        asked = Asked(trials, config, history.length, "sampler", None)
        history = fold([asked, Told(trials, (value,), None, cost, cost)], history)
        trials += 1


def main() -> None:
    """Both, on the same seeds."""
    form = {}
    for name, best in BESTS.items():
        aware = [search(best, {"seconds": SECONDS}, s) for s in range(SEEDS)]
        plain = [search(best, {"trials": 10_000}, s) for s in range(SEEDS)]
        form[name] = {
            "regret with costs": round(float(np.median([r for r, _ in aware])), 6),
            "regret without": round(float(np.median([r for r, _ in plain])), 6),
            "better with costs": int(sum(a[0] < p[0] for a, p in zip(aware, plain, strict=True))),
            "of": SEEDS,
            "trials with costs": float(np.median([n for _, n in aware])),
            "trials without": float(np.median([n for _, n in plain])),
        }
        RESULTS.write_text(json.dumps(form, indent=1) + "\n")


if __name__ == "__main__":
    main()
