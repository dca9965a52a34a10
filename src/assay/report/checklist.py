"""The checklist that the log can fill by itself; what it cannot know it asks. Pure.

Items follow REFORMS (Kapoor et al. 2024, Science Advances 10, eadk3452), the leakage types of
Kapoor and Narayanan 2023 (Patterns 4, 100804), and what Dodge et al. 2019 (arXiv:1909.03004) and
the NeurIPS paper checklist ask of reported results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from assay.analysis.effects import has_control
from assay.analysis.noise import Noise
from assay.analysis.procedure import final_of
from assay.analysis.rules import GUARDED
from assay.analysis.spending import spending
from assay.core import units
from assay.core.events import (
    FLOOR,
    Attributed,
    Concluded,
    Created,
    Environment,
    Inspected,
    Opened,
    Opening,
    Sealed,
    Selected,
)
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.ablation import ablation_cost
from assay.report.phase import searches_of
from assay.report.record import energy, plan_hash

Answer: TypeAlias = Literal["Y", "N", "not recorded"]


@dataclass(frozen=True)
class Item:
    """A question, its answer, what the answer rests on, and who asks it.

    `row`: the row of the log that holds the event behind the answer; None where no single one does.
    """

    question: str
    answer: Answer
    detail: str
    asked_by: str
    row: int | None = None


def checklist(spec: StudySpec, history: History, noise: Noise | None) -> tuple[Item, ...]:
    """All items, the ones that only a person can answer last."""
    if (searches := searches_of(history)) is not None:
        return _of_ablation(spec, history, len(searches))
    return (
        *_plan(spec, history, _trials(history)),
        *_control(spec, history, noise),
        *_separation(spec, history),
        *_result(history),
        *_means(spec, history),
        *_on_data(history),
        *_open_questions(),
    )


def _of_ablation(spec: StudySpec, history: History, searches: int) -> tuple[Item, ...]:
    """Its trials, with their control and choice, are in its searches, each with a checklist of its own."""
    begun = words.count(searches, "search", "searches")
    of_searches = f"{ablation_cost(history) or begun}; each search is a study of its own"
    return (
        *_plan(spec, history, of_searches),
        *_separation(spec, history),
        *_components(history),
        *_means(spec, history),
        *_on_data(history),
        *_open_questions(),
    )


def _components(history: History) -> Iterator[Item]:
    done: Attributed | None = history.last(Attributed)
    yield _yes("Does the result have an interval?", done is not None, "of each component's effect",
               "no result yet", "NeurIPS", history.row(Attributed))  # fmt: skip


def _trials(history: History) -> str:
    return f"{history.n_trials:,}, {len(history.failed):,} of them failed"


def _plan(spec: StudySpec, history: History, trials: str) -> Iterator[Item]:
    born = history.row(Created)
    yield Item(
        "Was the plan fixed before the first trial?",
        "Y",
        f"plan {plan_hash(spec, history)[:12]}",
        "REFORMS",
        born,
    )
    least = words.number(spec.smallest_gain)
    yield _yes("Was the smallest gain worth having stated in advance?", spec.smallest_gain > 0,
               least, "any gain counts", "REFORMS", born)  # fmt: skip
    yield Item(
        "Are the bounds of every parameter given?",
        "Y",
        f"{len(spec.space)} parameters, see Plan",
        "Dodge",
        born,
    )
    yield Item(
        "Is the number of trials given?",
        "Y",
        trials,
        "Dodge",
    )
    yield Item("Are the random seeds given?", "Y", f"study seed {spec.seed}", "NeurIPS", born)


def _control(spec: StudySpec, history: History, noise: Noise | None) -> Iterator[Item]:
    control = has_control(history)
    yield _yes(
        "Were the defaults measured as a control group?",
        control,
        "trial 0",
        "no control with a value",
        "REFORMS",
    )
    known = noise is not None and noise.floor is not None
    floor = f"noise floor {words.number(noise.floor)}" if noise and noise.floor is not None else ""
    yield _yes("Is the noise of the control known?", known, floor, "it was not repeated", "NeurIPS")
    if spec.data:
        floor_units = history.units(FLOOR, "floor")
        yield _yes(
            "Was a dummy model measured?",
            bool(floor_units),
            f"{len(floor_units)} evaluations",
            "",
            "REFORMS",
        )
    probed = control and units.deterministic(spec, history)
    words_for = {
        True: "same value for the same and for other seeds",
        False: "values differ between runs",
    }
    found = probed if control else None
    yield Item("Was determinism checked?", "N" if found is None else "Y",
               words_for[found] if found is not None else "no probe", "REFORMS")  # fmt: skip


def _separation(spec: StudySpec, history: History) -> Iterator[Item]:
    if not spec.data:
        yield Item("Was test data set apart before the first fit?", "not recorded",
                   "the objective holds its own data", "leakage L1.1")  # fmt: skip
        return
    sealed: Sealed | None = history.last(Sealed)
    yield _yes("Was test data set apart before the first fit?", sealed is not None,
               f"{sealed.rows:,} rows, {words.name(sealed.level, 60)}" if sealed else "",
               _instead(spec), "leakage L1.1", history.row(Sealed))  # fmt: skip
    if sealed:
        looks = history.looks
        yield _yes("Was the test set opened once only?", looks <= 1,
                   "once" if looks else "not opened yet", f"{looks} times", "REFORMS",
                   history.row(Opening))  # fmt: skip
        later = [e for e in history.milestones() if isinstance(e, Opening) and e.look > 1]
        if later:
            yield Item("Is a reason given for every further look?", "Y", "see Plan", "REFORMS")
    kind = str((spec.data.get("splits") or {}).get("kind", ""))
    question = "Do rows that belong together, or follow in time, stay on one side of every split?"
    if kind in ("grouped", "forward"):
        yield Item(question, "Y", f"{kind} splits", "leakage L3")
    else:
        yield Item(question, "not recorded", "no groups or time were declared", "leakage L3")


def _instead(spec: StudySpec) -> str:
    final = final_of(spec)
    return f"no test set; {final} in its place" if final else "no test set"


def _result(history: History) -> Iterator[Item]:
    selected: Selected | None = history.last(Selected)
    yield _yes("Is the rule of selection stated?", selected is not None,
               words.name(selected.rule, 60) if selected else "", "nothing is selected", "Dodge",
               history.row(Selected))  # fmt: skip
    fresh = selected is not None and (selected.rule in GUARDED)
    yield _yes("Was the winner chosen on evaluations that the search never saw?", fresh,
               "recheck", "by the values of the search", "REFORMS",
               history.row(Selected))  # fmt: skip
    concluded = history.last(Concluded)
    opened: Opened | None = history.last(Opened)
    form = (opened.results.get("gain") if opened else None) or (
        concluded.verdict.get("gain") if concluded else None
    )
    method = words.name(str((form or {}).get("method") or "interval"), 100)
    row = history.row(Opened if opened and opened.results.get("gain") else Concluded)
    yield _yes("Does the result have an interval?", bool(form), method, "no result yet", "NeurIPS",
               row)  # fmt: skip
    se_seeds = (form or {}).get("se_seeds")
    seeds = f"standard error of seeds {words.number(se_seeds, 2)}" if se_seeds is not None else ""
    yield Item("Does the interval account for the seeds of refits?",
               "Y" if se_seeds is not None else "not recorded", seeds, "NeurIPS", row)  # fmt: skip


def _means(spec: StudySpec, history: History) -> Iterator[Item]:
    found: Environment | None = history.last(Environment)
    facts = found.facts if found else {}
    row = history.row(Environment)
    hardware = str(facts.get("cpu") or "")
    recorded: Answer = "Y" if facts else "not recorded"
    elsewhere = searches_of(history) is not None
    where = "see its searches" if elsewhere else "see Cost"
    yield Item("Is the run time given?", "Y", where, "NeurIPS")
    yield Item(
        "Is the hardware given?",
        "Y" if hardware else "not recorded",
        words.name(hardware, 100) if hardware else "",
        "NeurIPS",
        row,
    )
    yield Item(
        "Are the versions of the software given?",
        recorded,
        "see Environment" if facts else "",
        "REFORMS",
        row,
    )
    commit = (facts.get("git") or {}).get("commit")
    yield Item("Is the version of the code given?", "Y" if commit else "not recorded",
               words.name(str(commit), 60) if commit else "", "REFORMS", row)  # fmt: skip
    if spec.data:
        mark = spec.data.get("fingerprint")
        yield Item(
            "Is the data identified?",
            "Y" if mark else "not recorded",
            "fingerprint, see Plan" if mark else "",
            "REFORMS",
            history.row(Created),
        )
    spent = spending(spec, history)
    unknown = "that of its searches" if elsewhere else "nothing was spent yet"
    yield Item(
        "Is the energy used given?",
        "Y" if spent.kwh else "not recorded",
        energy(spent) if spent.kwh else unknown,
        "Dodge",
    )


_CHECKED = (
    ("Was it checked that no row stands on both sides of a split?", "PF01", "leakage L1.4"),
    (
        "Was it checked that nothing was fitted before the rows were divided?",
        "PF18",
        "leakage L1.2",
    ),
    ("Was it checked that no single feature gives the target away?", "PF04", "leakage L2"),
    ("Were missing values looked at?", "PF08", "REFORMS"),
)


def _on_data(history: History) -> Iterator[Item]:
    """What the checks before the first trial answer: that they were made, and what they found."""
    inspected: Inspected | None = history.last(Inspected)
    found = {str(f.get("code")): f for f in inspected.findings} if inspected else {}
    for question, code, who in _CHECKED:
        form = found.get(code)
        answer: Answer = "Y" if form and form.get("level") != "skipped" else "not recorded"
        text = f"{code}: {form.get('text', '')}" if form else "not looked for"
        yield Item(question, answer, words.name(text, 200), who, history.row(Inspected))


def _open_questions() -> Iterator[Item]:
    for question, who in (
        ("Does preprocessing learn from training rows only?", "leakage L1.2"),
        ("Were features chosen on training rows only?", "leakage L1.3"),
        ("Would every feature be known when the model is used?", "leakage L2"),
        ("Were the rows drawn from the population that the claim is about?", "leakage L3.3"),
        ("Are outliers and labels checked and described?", "REFORMS"),
    ):
        yield Item(question, "not recorded", "only you can answer this", who)


def _yes(question: str, answer: bool, yes: str, no: str, who: str, row: int | None = None) -> Item:
    return Item(question, "Y" if answer else "N", yes if answer else no, who, row)
