"""The least known loss of each problem, and what random search reaches: `references.json`.

    python -m benchmarks.search.references --data PATH

Only problems that are not in the file are worked on. The least loss is the optimum where that is
known; otherwise the best of random configs and of an evolution that starts from these.
"""

from __future__ import annotations

import argparse
import json
import os

import numpy as np

from benchmarks.search import problems
from benchmarks.search.params import active, sample

FILE = problems.HERE / "references.json"
SEED = 12345
PARENTS, CHILDREN = 40, 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=problems.HERE / "dev.txt")
    parser.add_argument("--data")
    given = parser.parse_args()
    if given.data:
        os.environ["SEARCH_DATA"] = given.data
    known = json.loads(FILE.read_text())
    for name in problems.listed(given.problems):
        if name not in known:
            known[name] = reference(problems.load(name))
            FILE.write_text(json.dumps(known, indent=1) + "\n")
            print(name, known[name], flush=True)


def reference(problem):
    rng = np.random.default_rng(SEED)
    drawn, bred = _effort(problem.name)
    configs = [sample(problem.space, rng) for _ in range(drawn)]
    losses = np.array(problem.many(configs))
    if problem.objectives > 1:
        return _of_two(problem, rng, configs, losses, bred)
    first = np.sort(losses[:, 0])
    best = problem.optimum if problem.optimum is not None else float(first[0])
    if problem.optimum is None:
        best = min(best, _bred(problem, rng, configs, losses[:, 0], bred))
    return {"best": best, "exact": problem.optimum is not None, "rs10": least_of(first, 10)}


def _effort(name):
    """How many configs are drawn and bred."""
    if name.startswith("sk:"):
        return 150, 0
    return (3000, 4000) if "_pre/" in name else (8000, 12000)


def least_of(ascending, n):
    """The expected least of n draws from these losses."""
    m = len(ascending)
    k = np.arange(m)
    weights = (1 - k / m) ** n - (1 - (k + 1) / m) ** n
    return float(weights @ ascending)


def _bred(problem, rng, configs, losses, bred):
    order = np.argsort(losses, kind="stable")[:PARENTS]
    parents = [(float(losses[i]), configs[i]) for i in order]
    for _ in range(bred // CHILDREN):
        children = [_child(problem.space, parents, rng) for _ in range(CHILDREN)]
        found = [float(row[0]) for row in problem.many(children)]
        both = [*parents, *zip(found, children, strict=True)]
        parents = sorted(both, key=lambda pair: pair[0])[:PARENTS]
    return parents[0][0]


def _of_two(problem, rng, configs, losses, bred):
    worst = np.quantile(losses, 0.9, axis=0)
    front = [(losses[i], configs[i]) for i in _front(losses)]
    for _ in range(bred // CHILDREN):
        children = [_child(problem.space, front, rng) for _ in range(CHILDREN)]
        found = np.array(problem.many(children))
        pool = [*front, *zip(found, children, strict=True)]
        front = [pool[i] for i in _front(np.array([row for row, _ in pool]))]
    points = np.array([row for row, _ in front])
    known = problem.known_front()
    if known is not None:
        points = np.vstack([points, known])
    ideal = points.min(axis=0)

    def volume(rows):
        scaled = (rows - ideal) / (worst - ideal)
        return problems.hypervolume([tuple(row) for row in scaled], (1.0, 1.0))

    ten = [volume(losses[rng.integers(len(losses), size=10)]) for _ in range(200)]
    return {
        "best": -volume(points),
        "exact": known is not None,
        "rs10": -float(np.mean(ten)),
        "ideal": ideal.tolist(),
        "ref": worst.tolist(),
    }


def _front(losses):
    """Places of the rows that no other row dominates; of equal rows one."""
    places, lowest = [], np.inf
    for i in np.lexsort(losses.T[::-1]):
        if losses[i, 1] < lowest:
            places.append(i)
            lowest = losses[i, 1]
    return places


def _child(space, parents, rng):
    """A parent with a few parameters drawn anew or moved a little."""
    parent = parents[rng.integers(len(parents))][1]
    rate = max(0.15, 1.5 / len(space))
    child = {}
    for param in space:
        if active(param, child):
            child[param.name] = _inherited(param, parent, rate, rng)
    return child


def _inherited(param, parent, rate, rng):
    if param.name not in parent:
        return param.sample(rng)
    value = parent[param.name]
    if rng.random() >= rate:
        return value
    if param.kind == "cat" or rng.random() < 0.1:
        return param.sample(rng)
    step = 0.15 * 10 ** rng.uniform(-2, 0.3) * rng.normal()
    return param.from_unit(min(max(param.to_unit(value) + step, 0.0), 1.0))


if __name__ == "__main__":
    main()
