"""Where studies stand, one line each, also while another process drives them."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from assay.analysis.effects import control_noise, effect, has_control
from assay.analysis.selection import best_by_value
from assay.analysis.spending import limits, spending
from assay.api.budgets import budget_now
from assay.api.opened import open_study
from assay.api.session import seconds_before
from assay.api.stored import chosen_study, existing, top_level
from assay.api.study import Study
from assay.cli.printing import columns, width
from assay.core.errors import AssayError
from assay.report.ablation import ablation_standing
from assay.report.log import in_words
from assay.report.phase import over, searches_of, standing, wish
from assay.report.record import cost
from assay.report.words import count, limit_name, name, number, signed
from assay.stores.postgres.address import shown

if TYPE_CHECKING:
    from assay.core.protocols import Store

_HEADER = ("study", "phase", "trials ended", "best gain", "budget left", "driven by")
_LIMITS = (16, 9, 18, 18, 14)


def status_text(storage: str, study: str | None) -> str:
    """A table of the studies of a storage, or of one; a study that cannot be read says so.

    Raises:
        SpecError: there is no such storage or study.
        StoreError: the storage cannot be read.
    """
    store = existing(storage)
    names = [chosen_study(store, study)] if study else top_level(store.studies())
    if not names:
        return f"There is no study in {name(shown(storage))} yet."
    studies = {one: _opened(store, one) for one in names}
    lines = (_line(store, one, study) for one, study in studies.items())
    table = columns([_HEADER, *lines], _LIMITS, width())
    alone = studies[names[0]] if len(names) == 1 else None
    return "\n".join([table, *_more(alone)]) if alone else table


def _more(study: Study) -> list[str]:
    """What there is room for where one study is shown: verdict, cost, and what going on would bring."""
    history, verdict = study.history, study.verdict
    spent = cost(history, None, spending(study.spec, history))
    ablation = ablation_standing(history)
    asked = wish(history, standing(study.spec, history).phase)
    said = [
        f"A{in_words(asked).removeprefix('a')}." if asked else "",
        ablation[1] if ablation else "",
        *(str(verdict).splitlines() if verdict else ()),
        f"Spent so far: {spent}." if spent.total.evaluations else "",
        "" if ablation else study.outlook(),
    ]
    return [line for text in said for line in wrap(text, width())]


def _opened(store: Store, named: str) -> Study | None:
    try:
        return open_study(store, named, readonly=True)
    except AssayError:
        return None


def _line(store: Store, named: str, study: Study | None) -> tuple[str, ...]:
    if study is None:
        return (named, "damaged", "", "", "", "see assay verify")
    history = study.history
    now = standing(study.spec, history)
    asked = wish(history, now.phase)
    stage = f"{now.phase}, paused" if asked and asked.wish == "pause" else now.phase
    if (searches := searches_of(history)) is not None:
        return (
            named,
            stage,
            count(len(searches), "search", "searches"),
            "–",
            "–",
            driver(store, named),
        )
    ended, failed = over(history), len(history.failed)
    some = ((failed, "failed"), (ended - history.n_ended, "stopped"))
    trials = ", ".join([str(ended), *(f"{n} {what}" for n, what in some if n)])
    return (named, stage, trials, _best(study), _left(study), driver(store, named))


def _best(study: Study) -> str:
    spec, history = study.spec, study.history
    if not spec.single:
        return f"front of {len(study.front)}"
    best = best_by_value(spec, history)
    if best is None:
        return "–"
    if not has_control(history):
        return number(history.outcome(best).values[0])  # type: ignore[union-attr]
    found = effect(spec, history, best, control_noise(spec, history))
    if found is None or found.standing == "control":
        return "none yet"
    half = (
        f" ± {number((found.interval.high - found.interval.low) / 2, 2)}" if found.interval else ""
    )
    return f"{signed(found.gain)}{half}"


def _left(study: Study) -> str:
    """What the search may still spend."""
    budget = budget_now(study.history, study.spec)
    if budget is None:
        return "no limit"
    seconds = seconds_before(study.store, study.name) if budget.seconds else 0.0
    return ", ".join(
        f"{_amount(max(limit.most - limit.used, 0))} {limit_name(limit.name)}"
        for limit in limits(study.spec, budget, study.history, seconds)
    )


def _amount(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 or amount == int(amount) else number(amount, 2)


def driver(store: Store, study: str) -> str:
    """The process that drives a study now; "nobody" if none does."""
    holder = store.driver(study)
    return f"process {holder.pid} on {name(holder.host, 40)}" if holder else "nobody"
