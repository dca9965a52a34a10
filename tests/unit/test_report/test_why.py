"""Why a config was proposed, in words: what each sampler says, and what none of today's says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import Choice, Float, Int, Space, Study
from assay.api.parts import SAMPLERS
from assay.report.why import in_words

NUMBERS = Space(x=Float(1e-4, 1.0, log=True, default=0.5), y=Float(0.0, 1.0, default=0.2))
MIXED = Space(x=Float(0.0, 1.0, default=0.5), c=Choice(["a", "b"], default="a"))
SMALL = Space(n=Int(1, 8, default=3))


def driven(
    sampler, space, trials, objective=lambda config: sum(map(len, map(str, config))), **more
):
    """A study of so many trials."""
    study = Study(space, sampler=sampler, **more)
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, objective(trial.config))
    return study


def bowl(config):
    return 100 * (config["y"] - 0.4) ** 2 + config["x"]


def said(why, origin="sampler", **more):
    return in_words(SimpleNamespace(origin=origin, why=why), **more)


def test_under_a_scheduler_it_says_at_which_step_trials_were_seen():
    text = said({"sampler": "gp", "n": 14, "at": 9})
    assert text.endswith("; by what trials had at step 9.")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_of_every_sampler_every_fact_has_words(sampler):
    study = driven(sampler, NUMBERS, 24, bowl)
    for trial in study.trials:
        text = in_words(trial, study.spec.objectives)
        assert text.endswith(".")
        assert "Also recorded" not in text, trial.why
        assert "{" not in text


def test_the_gaussian_process_tells_what_it_expects():
    study = driven("gp", NUMBERS, 8, bowl)
    first, last = study.trials[1], study.trials[-1]
    assert in_words(first) == (
        "Point 0 of the Sobol sequence: an evenly spread start for the Gaussian process."
    )
    text = in_words(last)
    assert text.startswith("Proposed by the Gaussian process after 7 trials: expected improvement ")
    for part in ("predicted ", " ± ", f"nearest trial: {last.why['nearest']} (", "refitted"):
        assert part in text


def test_the_numbers_are_those_that_were_recorded():
    why = {
        "sampler": "gp", "acquisition": "logEI", "improvement": 0.003141, "mean": 0.8424,
        "sd": 0.0061, "nearest": 17, "distance": 0.4, "refit": True, "transform": "log", "n": 41,
    }  # fmt: skip
    assert said(why) == (
        "Proposed by the Gaussian process after 41 trials: expected improvement 0.00314 on the best "
        "so far; predicted 0.8424 ± 0.0061; nearest trial: 17 (0.4 lengthscales away); lengthscales "
        "refitted; values seen as logarithms."
    )
    fewer = {**why, "refit": False, "transform": "plain"}
    assert said(fewer).endswith("lengthscales away).")


def test_of_several_objectives_each_is_predicted_by_name():
    study = driven(
        "gp", NUMBERS, 9, lambda c: [c["y"], c["x"]],
        direction={"loss": "minimize", "speed": "maximize"},
    )  # fmt: skip
    text = in_words(study.trials[-1], study.spec.objectives)
    assert "predicted loss " in text
    assert ", speed " in text
    assert "hypervolume" in text
    assert "Also recorded" not in text


def test_a_sampler_that_could_not_propose_says_what_came_instead():
    why = {"sampler": "gp", "index": 9, "fallback": "sobol", "reason": "the matrix is singular."}
    assert said(why) == (
        "Point 9 of the Sobol sequence in place of the Gaussian process: the matrix is singular."
    )
    assert said({"sampler": "tpe", "good": 4, "nearest": 2, "random": True}).startswith("A random")


def test_parents_generations_and_the_good_trials_are_named():
    evolution = driven("evolution", MIXED, 23, lambda c: c["x"])
    assert "trial" in in_words(evolution.trials[-1])
    assert "start for evolution" in in_words(evolution.trials[1])
    assert said({"sampler": "evolution", "parents": [12, 31]}) == (
        "A child of trials 12 and 31, by evolution."
    )
    cmaes = in_words(driven("cmaes", NUMBERS, 9, bowl).trials[-1])
    assert cmaes.startswith("Drawn by CMA-ES: generation 1, 6 draws each, step size 0.")
    tpe = in_words(driven("tpe", MIXED, 14, lambda c: c["x"]).trials[-1])
    assert "most like the 2 good trials" in tpe
    assert "nearest trial: " in tpe


def test_a_repeat_that_was_replaced_is_said():
    study = driven("random", SMALL, 8, lambda c: c["n"])
    repeats = [trial for trial in study.trials if "repeats" in (trial.why or {})]
    assert repeats
    for trial in repeats:
        assert f"would have repeated trial {trial.why['repeats']}" in in_words(trial)


def test_the_control_and_given_configs():
    study = Study(MIXED)
    study.enqueue({"x": 0.1}, source="https://example.org/paper", note="table 3")
    study.enqueue({"x": 0.2})
    for _ in range(3):
        study.ask()
    assert in_words(study.trials[0]).startswith("The control group")
    assert in_words(study.trials[1]) == "Given by you, from https://example.org/paper: table 3."
    assert in_words(study.trials[2]) == "Given by you."


def test_what_auto_chose_by_another_rule_than_its_usual_one_is_said():
    usual = said({"sampler": "sobol", "index": 1, "rule": "model"})
    assert usual == "Point 1 of the Sobol sequence."
    assert "'many trials'" in said({"sampler": "tpe", "good": 3, "rule": "many trials"})


def test_facts_of_later_samplers_are_shown_as_they_are():
    text = said({"sampler": "oracle", "trust": {"radius": 0.25}, "nearest": "all"})
    assert text == ('Proposed by oracle. Also recorded: trust = {"radius": 0.25}, nearest = "all".')
    text = said({"sampler": "gp", "acquisition": ["knowledge"], "mean": "high", "n": True})
    for part in ('acquisition = ["knowledge"]', 'mean = "high"', "n = true"):
        assert part in text
    assert said(None) == said({}) == ""


KNOWN = [
    "sampler", "acquisition", "improvement", "mean", "sd", "distance", "nearest", "refit", "n",
    "transform", "design", "fallback", "reason", "source", "note", "index", "start", "parents",
    "good", "score", "random", "generation", "restarts", "population", "sigma", "after", "misses",
    "repeats", "rule", "belief", "earlier", "sources", "success", "feasible", "new",
]  # fmt: skip
WORDS = st.sampled_from(["gp", "tpe", "cma-es", "evolution", "sobol", "logEI", "log", "belief", ""])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | WORDS
ANY = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(), PLAIN, max_size=2)


@given(
    st.dictionaries(st.sampled_from(KNOWN) | st.text(), ANY, max_size=12),
    st.sampled_from(["sampler", "given", "control", "elsewhere"]),
)
def test_whatever_is_recorded_is_shown_and_inert(why, origin):
    text = said(why, origin, objectives=("a", "b"))
    assert bool(text) == bool(why)
    assert text.isprintable() or not any(ord(c) < 32 for c in text)
    if "new" in why:
        assert "new = " in text
