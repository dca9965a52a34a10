"""Why a config was proposed, as a sentence or two. Pure.

A sampler leaves facts in the log with each proposal. Each is taken out of the facts when it is put
into words; what is left, as of a sampler of a later version, is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.core.decimals import fixed
from assay.core.history import Trial
from assay.report import words
from assay.report.facts import Facts

_TRANSFORMS = {
    "plain": "",
    "soft tail": "differences among the worse half are toned down",
    "log": "values seen as logarithms",
}
_ACQUISITIONS = {
    "logEI": "expected improvement",
    "logEHVI": "expected gain in hypervolume",
    "logEI worst": "expected improvement of the worst of the weighted objectives",
    "log feasible": "chance to meet the constraints, as none is thought to be met yet",
}


def in_words(trial: Trial, objectives: Sequence[str] = ("value",)) -> str:
    """Why the config of a trial was proposed; empty if its proposer said nothing.

    Args:
        objectives: their names, for the predicted values.

    >>> from types import SimpleNamespace as Record
    >>> in_words(Record(origin="sampler", why={"sampler": "sobol", "index": 7}))
    'Point 7 of the Sobol sequence.'
    """
    if not trial.why:
        return ""
    facts = Facts(trial.why)
    if trial.origin == "control":
        facts.text("reason")
        said = "The control group: what all other settings are compared with"
    elif trial.origin == "given":
        said = _given(facts)
    else:
        said = _proposed(facts, objectives)
    left = [f"{words.name(name)} = {words.exact(value)}" for name, value in facts.left.items()]
    return f"{said}." + (f" Also recorded: {', '.join(left)}." if left else "")


def _given(facts: Facts) -> str:
    facts.text("reason")
    source, note = facts.text("source"), facts.text("note")
    said = f"Given by you{f', from {source}' if source else ''}"
    return f"{said}: {note.rstrip('.')}" if note else said


def _proposed(facts: Facts, objectives: Sequence[str]) -> str:
    sampler = facts.text("sampler")
    repeats, misses, rule = facts.whole("repeats"), facts.whole("misses"), facts.text("rule")
    teller = _TELLERS.get(sampler)
    said = teller(facts, objectives) if teller else f"Proposed by {sampler or 'the sampler'}"
    if (step := facts.whole("at")) is not None:
        said += f"; by what trials had at step {step}"
    if misses:
        said += f"; {words.count(misses, 'earlier draw was', 'earlier draws were')} not allowed"
    if rule and rule != "model":
        said += f"; chosen by auto for the rule {rule!r}"
    if repeats is None:
        return said
    first = said[0].lower() + said[1:] if said[:2].istitle() else said
    return f"Another config in place of one that would have repeated trial {repeats}, which was: {first}"


def _gp(facts: Facts, objectives: Sequence[str]) -> str:
    start = _start(facts)
    if start:
        return start
    trials = facts.whole("n")
    after = f" after {words.count(trials, 'trial')}" if trials is not None else ""
    found = [
        _acquisition(facts),
        _cost(facts),
        _predicted(facts, objectives),
        _chance(facts, "success", "chance to end with a value"),
        _chance(facts, "feasible", "chance to meet the constraints"),
        _nearest(facts),
        _known(facts),
        "lengthscales refitted" if facts.flag("refit") else "",
        _seen_as(facts),
    ]
    said = "; ".join(part for part in found if part)
    return f"Proposed by the Gaussian process{after}{': ' if said else ''}{said}"


def _start(facts: Facts) -> str:
    """How a Gaussian process begins, or what it does in its place; empty if it proposed itself."""
    if facts.text("fallback"):
        reason = facts.text("reason").rstrip(".") or "it could not be fitted"
        return f"{_point(facts, 'sobol')} in place of the Gaussian process: {reason}"
    match facts.text("design", ("sobol", "belief", "earlier")):
        case "sobol":
            return f"{_point(facts, 'sobol')}: an evenly spread start for the Gaussian process"
        case "belief":
            facts.whole("index")
            return "A start drawn from what you believe to be good"
        case "earlier":
            source = facts.text("source") or "an earlier one"
            return f"A start with one of the best configs of study {source}"
    return ""


def _acquisition(facts: Facts) -> str:
    kind, gain = facts.text("acquisition", _ACQUISITIONS), facts.number("improvement")
    what = _ACQUISITIONS.get(kind, "improvement")
    if gain is None:
        return f"the largest {what}" if kind else ""
    return f"{what} {words.number(gain, 3)} on the best so far"


def _predicted(facts: Facts, objectives: Sequence[str]) -> str:
    means, sds = facts.numbers("mean"), facts.numbers("sd")
    sds += [None] * (len(means) - len(sds))
    found = [
        "unknown" if mean is None else _give_or_take(mean, sd)
        for mean, sd in zip(means, sds, strict=False)
    ]
    if not found:
        return ""
    if len(found) == 1 or len(found) != len(objectives):
        return f"predicted {', '.join(found)}"
    named = zip(objectives, found, strict=True)
    return "predicted " + ", ".join(f"{name} {text}" for name, text in named)


def _give_or_take(mean: float, sd: float | None) -> str:
    if not sd or sd < 0:
        return words.number(mean)
    if sd < 1e-7 or abs(mean) >= 1e9:  # too many digits for a sentence
        return f"{words.number(mean)} ± {words.number(sd, 2)}"
    places = words.decimals(sd)
    return f"{fixed(mean, places)} ± {fixed(sd, places)}"


def _chance(facts: Facts, name: str, what: str) -> str:
    chance = facts.number(name)
    return "" if chance is None else f"{what} {100 * chance:.3g} %"


def _nearest(facts: Facts) -> str:
    trial, distance = facts.whole("nearest"), facts.number("distance")
    away = "" if distance is None else f" ({words.number(distance, 2)} lengthscales away)"
    return "" if trial is None else f"nearest trial: {trial}{away}"


def _known(facts: Facts) -> str:
    """What beliefs and earlier studies have to do with it; in nats, as they add to the acquisition."""
    belief, earlier, sources = (
        facts.number("belief"),
        facts.number("earlier"),
        facts.texts("sources"),
    )
    found = []
    if belief is not None:
        found.append(f"what you believe counts {_weight(belief)}")
    if earlier is not None:
        which = f"study {', '.join(sources)}" if sources else "earlier studies"
        found.append(f"{which} counts {_weight(earlier)}")
    return "; ".join(found)


def _cost(facts: Facts) -> str:
    """What it is expected to take, where that counts."""
    cost, weight = facts.number("cost_s"), facts.number("cost_weight")
    if cost is None or weight is None:
        return ""
    return f"expected to take {words.number(cost, 3)} s, which counts {100 * weight:.0f} %"


def _weight(nats: float) -> str:
    if abs(nats) < 0.05:
        return "neither for it nor against it"
    return f"{'for' if nats > 0 else 'against'} it ({words.signed(nats, 2)} nats)"


def _seen_as(facts: Facts) -> str:
    kinds = facts.texts("transform", _TRANSFORMS)
    return ", ".join(dict.fromkeys(_TRANSFORMS[kind] for kind in kinds if _TRANSFORMS[kind]))


def _tpe(facts: Facts, objectives: Sequence[str]) -> str:
    if "start" in facts.left:
        return _even_start(facts, "TPE")
    nearest = _nearest(facts)
    nearest = f"; {nearest}" if nearest else ""
    good = facts.whole("good")
    if facts.flag("random"):
        return f"A random config, as all that TPE drew was tried or not allowed{nearest}"
    which = f"the {good} good trials" if good != 1 and good is not None else "the good trials"
    score = facts.number("score")
    ratio = "" if score is None else f" (logarithm of the ratio: {words.number(score, 3)})"
    return f"Proposed by TPE: it looks most like {which} and least like the others{ratio}{nearest}"


def _cma_es(facts: Facts, objectives: Sequence[str]) -> str:
    generation, restarts = facts.whole("generation"), facts.whole("restarts")
    size, sigma, after = facts.whole("population"), facts.number("sigma"), facts.whole("after")
    found = [
        f"generation {generation}" if generation is not None else "",
        f"{size} draws each" if size is not None else "",
        f"step size {words.number(sigma, 3)} of each range" if sigma is not None else "",
        f"restarted {words.count(restarts, 'time')}" if restarts else "",
        f"begun after {words.count(after, 'trial')}" if after else "",
    ]
    said = ", ".join(part for part in found if part)
    return f"Drawn by CMA-ES{': ' if said else ''}{said}"


def _evolution(facts: Facts, objectives: Sequence[str]) -> str:
    if "start" in facts.left:
        return _even_start(facts, "evolution")
    parents = [number for number in facts.numbers("parents") if number is not None]
    if not parents:
        return "A child by evolution"
    if len(set(parents)) == 1:
        return f"A mutation of trial {parents[0]:.0f}, by evolution"
    return f"A child of trials {' and '.join(f'{number:.0f}' for number in parents)}, by evolution"


def _even_start(facts: Facts, sampler: str) -> str:
    return f"{_point(facts, 'sobol', 'start')}: an evenly spread start for {sampler}"


def _point(facts: Facts, sequence: str, name: str = "index") -> str:
    index = facts.whole(name)
    of = f"the {sequence.capitalize()} sequence"
    return f"A point of {of}" if index is None else f"Point {index} of {of}"


def _listed(facts: Facts, of: str) -> str:
    index = facts.whole("index")
    return f"A config of {of}" if index is None else f"Config {index} of {of}"


def _random(facts: Facts, objectives: Sequence[str]) -> str:
    return "A random config"


def _unique(facts: Facts, objectives: Sequence[str]) -> str:
    return "One of the last configs that were not tried"


_TELLERS: dict[str, Callable[[Facts, Sequence[str]], str]] = {
    "gp": _gp,
    "tpe": _tpe,
    "cma-es": _cma_es,
    "evolution": _evolution,
    "sobol": lambda facts, _: _point(facts, "sobol"),
    "halton": lambda facts, _: _point(facts, "halton"),
    "grid": lambda facts, _: _listed(facts, "the grid"),
    "fixed": lambda facts, _: _listed(facts, "the list"),
    "random": _random,
    "unique": _unique,
}
