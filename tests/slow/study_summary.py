"""From the raw lines of `small_studies` to the committed figures.

    python -m tests.slow.study_summary RAW.jsonl

writes results/small_studies.json and the table results/guard.md.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from assay.math.intervals import corrected_paired

RESULTS = Path(__file__).parent / "results"
GUARDS = (0.0, 0.5, 0.67, 1.0, 1.28, 1.645, 2.0)
RATIO = {"cv": 0.25, "fixed": 1 / 3, "reshuffled": 1 / 3}
SEVERE = 0.001  # a smaller gain of the best incumbent is none (Schneider et al. 2025)


def chosen(study, search, guard):
    """(the trial that recheck and guard keep, the challenger) of one search."""
    fresh = {int(c): np.array(v) for c, v in study["fresh"][search].items()}
    best = min((c for c in fresh if c), key=lambda c: (fresh[c].mean(), c))
    gains = fresh[0] - fresh[best]
    if np.ptp(gains) == 0:
        return (best if gains.mean() > 0 else 0), best
    found = corrected_paired(gains, RATIO[search])
    return (best if found.estimate > max(guard * found.se, 0.0) else 0), best


def incumbents(losses):
    best, found = np.inf, []
    for number, loss in enumerate(losses):
        if loss < best:
            best = loss
            found.append(number)
    return found


def racing(by_fold, aggressive):
    """(share of fold fits, winner) when a trial stops once its running mean is hopeless."""
    best, fits, winner = None, 0, 0
    for number, folds in enumerate(by_fold):
        used = len(folds)
        if best is not None:
            bar = best.mean() if aggressive else best.max()
            worse = np.flatnonzero(np.cumsum(folds) / np.arange(1, len(folds) + 1) > bar)
            used = int(worse[0]) + 1 if len(worse) else len(folds)
        fits += used
        if used == len(folds) and (best is None or folds.mean() < best.mean()):
            best, winner = folds, number
    return fits / by_fold.size, winner


def facts_of(study):
    """Everything that is asked of one study; gains in points, higher is better."""
    truth = np.array(study["truth"])
    cv = np.array(study["cv"])
    found = {}
    losses = {"cv": cv.mean(axis=1), "fixed": np.array(study["fixed"]),
              "reshuffled": np.array(study["reshuffled"])}  # fmt: skip
    for search, loss in losses.items():
        winner = int(loss.argmin())
        found[f"{search} apparent"] = 100 * (loss[0] - loss[winner])
        found[f"{search} argbest"] = 100 * (truth[0] - truth[winner])
        for guard in GUARDS:
            kept, _ = chosen(study, search, guard)
            found[f"{search} guard {guard:g}"] = 100 * (truth[0] - truth[kept])
            found[f"{search} keeps {guard:g}"] = float(kept == 0)
    winner = int(losses["cv"].argmin())
    found["naive error"] = 100 * (truth[winner] - losses["cv"][winner])
    found["bbc error"] = 100 * (truth[winner] - study["bbc"])
    found["tibshirani error"] = 100 * (truth[winner] - study["tibshirani"])
    path = truth[incumbents(losses["cv"])]
    best = path.min()
    found["overtuning"] = 100 * (path[-1] - best)
    if truth[0] - best > SEVERE:
        found["relative overtuning"] = (path[-1] - best) / (truth[0] - best)
    for name, aggressive in (("forgiving", False), ("aggressive", True)):
        share, raced = racing(cv, aggressive)
        found[f"{name} fits"], found[f"{name} gain"] = share, 100 * (truth[0] - truth[raced])
    one_se = _one_se(cv, study["changed"])
    found["one_se"] = 100 * (truth[0] - truth[one_se])
    found["best possible"] = 100 * (truth[0] - truth.min())
    return found


def _one_se(cv, changed):
    """Within one paired standard error of the best, the config with the fewest changes."""
    best = int(cv.mean(axis=1).argmin())
    d = cv - cv[best]
    se = d.std(axis=1, ddof=1) * np.sqrt(1 / cv.shape[1] + 0.25)
    near = np.flatnonzero(d.mean(axis=1) <= se)
    return int(min(near, key=lambda c: (changed[c], cv[c].mean())))


def mean_of(cells):
    """Mean over (data, learner) cells of their means, with a standard error between data sets."""
    by_data = defaultdict(list)
    for (data, _), values in cells.items():
        by_data[data].append(np.mean(values))
    means = np.array([np.mean(v) for v in by_data.values()])
    se = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return round(float(means.mean()), 3), round(float(se), 3)


def summary(studies):
    """Each fact: mean over data sets and its standard error; of gains also how often they are harm."""
    by_fact = defaultdict(lambda: defaultdict(list))
    for study in studies:
        for name, value in facts_of(study).items():
            by_fact[name][study["data"], study["learner"]].append(value)
            if "guard" in name or "argbest" in name or name == "one_se":
                by_fact[f"{name}: worse than the control"][study["data"], study["learner"]].append(
                    100.0 * (value < 0)
                )
    return {name: mean_of(cells) for name, cells in sorted(by_fact.items())}


def main(raw):
    lines = [json.loads(line) for line in Path(raw).read_text().splitlines()]
    studies = [line for line in lines if "truth" in line]
    overall = summary(studies)
    parts = {kind: summary([s for s in studies if s["learner"] == kind]) for kind in
             ("tree", "neighbours", "linear")}  # fmt: skip
    data = {name: summary([s for s in studies if s["data"] == name]) for name in
            sorted({s["data"] for s in studies})}  # fmt: skip
    keep = ("cv argbest", "cv guard 1", "naive error", "bbc error", "cv apparent")
    form = {
        "studies": len(studies), "data sets": len(data), "refused": len(lines) - len(studies),
        "all": overall, "by learner": parts,
        "by data": {n: {k: v for k, v in d.items() if k.startswith(keep)} for n, d in data.items()},
    }  # fmt: skip
    (RESULTS / "small_studies.json").write_text(json.dumps(form, indent=1) + "\n")
    (RESULTS / "guard.md").write_text(guard_table(form))


def guard_table(form):
    lines = [
        "# True gain against harm, by guard", "",
        (f"{form['studies']} studies of 60 random configs on {form['data sets']} data sets with three learners; about 150 rows to "
        "develop on, truth from up to 1,000 hidden rows; 5-fold search, ten fresh evaluations. Points of accuracy, or of R². "
        "Means over data sets ± standard error between them. Written by `study_summary.py`."), "",
        "| rule | true gain | worse than the control | keeps the control | tree: gain, worse | neighbours | linear |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    rules = [("arg-best", "cv argbest", None)] + [
        (f"recheck, guard {g:g}", f"cv guard {g:g}", f"cv keeps {g:g}") for g in GUARDS
    ]
    for label, gain, keeps in rules:
        cells = [
            _pm(form["all"][gain]),
            f"{form['all'][gain + ': worse than the control'][0]:.0f} %",
        ]
        cells.append(f"{100 * form['all'][keeps][0]:.0f} %" if keeps else "–")
        cells += [
            f"{one[gain][0]:+.2f}, {one[gain + ': worse than the control'][0]:.0f} %"
            for one in form["by learner"].values()
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _pm(pair):
    return f"{pair[0]:+.2f} ± {pair[1]:.2f}"


if __name__ == "__main__":
    main(sys.argv[1])
