"""The pages, and the parts of them that change while a study runs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from assay.analysis.spending import Limit, limits
from assay.api.budgets import budget_now
from assay.api.reporting import whole
from assay.api.session import seconds_before
from assay.core.errors import AssayError, StateError
from assay.core.events import decode
from assay.core.protocols import Member, Row
from assay.report import figures, words
from assay.report.html import SECTIONS, environment, style
from assay.report.log import in_words
from assay.report.phase import searches_of
from assay.report.plots import gains
from assay.report.plots.draw import Figure, drawn
from assay.report.plots.form import Plot
from assay.stores.chain import genesis
from assay.web.assets import assets
from assay.web.data import ident_of, telling_pair
from assay.web.lab import Lab, Watched, key_of
from assay.web.listing import Listing, seen
from assay.web.trial import trial_page

_ROWS = 50
_LEDGER = 100
_MOST_COMPARED = 8
_TAIL = 12


class Pages:
    """Answers with pages."""

    def __init__(self, lab: Lab, listing: Listing, *, readonly: bool) -> None:
        self._lab, self._listing, self._readonly = lab, listing, readonly

    def studies(self, request: Request) -> Response:
        """All studies of the storage, the newest first."""
        return html("studies.html", storage=words.name(self._lab.storage), **self._listing.now())

    def listed(self, request: Request) -> Response:
        """The list alone, for a page that is open."""
        text = environment("assay.web", "assay.report").get_template("part_studies.html")
        return _tagged(request, text.render(**self._listing.now()))

    def overview(self, request: Request) -> Response:
        """Where a study stands, how it went, what it cost, who works on it."""
        found = self._found(request)
        if searches_of(found.outcomes.history) is not None:
            return self._study(request, "ablation.html")
        several = not found.study.spec.single
        return self._study(request, "overview.html", several=several, first=first_figure(found))

    def explore(self, request: Request) -> Response:
        """What parameters have to do with values."""
        found = self._found(request)
        spec = found.study.spec
        names = [
            (f"p{place}", words.name(name, 60))
            for place, name in enumerate(spec.space)
            if spec.space[name].size > 1
        ]
        goals = [(f"o{place}", words.name(name, 60)) for place, name in enumerate(spec.objectives)]
        first = [ident_of(spec, name) for name in telling_pair(found)]
        return self._study(
            request,
            "explore.html",
            names=names,
            objectives=goals,
            several=not spec.single,
            first=first,
        )

    def trials(self, request: Request) -> Response:
        """The table of trials, a page of it at a time."""
        found = self._found(request)
        table = seen(found).trials
        by = request.query_params.get("by", "newest")
        numbers = _numbers(found, by)
        pages = max(-(-len(numbers) // _ROWS), 1)
        page = min(max(_whole(request, "page", 1), 1), pages)
        shown = [table.rows[n] for n in numbers[(page - 1) * _ROWS : page * _ROWS]] if table else []
        return self._study(
            request, "trials.html", table=table, shown=shown, by=by, page=page, pages=pages,
            count=len(numbers),
        )  # fmt: skip

    def csv(self, request: Request) -> Response:
        """All trials for a spreadsheet; texts that it would take for formulas are made inert."""
        from assay.api.exporting import trials_csv

        found = self._found(request)
        with found.lock:
            text = found.once(("csv",), lambda: trials_csv(found.study))
        headers = {"content-disposition": 'attachment; filename="trials.csv"'}
        return Response(text, media_type="text/csv", headers=headers)

    def trial(self, request: Request) -> Response:
        """All that is known of one trial."""
        found = self._found(request)
        number = request.path_params["number"]
        with found.lock:
            if number >= found.outcomes.history.n_trials:
                raise HTTPException(404, "There is no such trial.")
            shown = trial_page(found.study.spec, found.outcomes, number)
        return self._study(request, "trial.html", trial=shown, figures=figures)

    def ledger(self, request: Request) -> Response:
        """The log, a page of it at a time, with who wrote what when and the hash of each row."""
        found = self._found(request)
        length = found.outcomes.history.length
        end = min(max(_whole(request, "before", length), 1), length)
        start = max(end - _LEDGER, 0)
        rows = found.study.store.rows(
            found.study.name, after=max(start - 1, 0), most=end - start + 1
        )
        before = rows[0].hash if start else genesis(found.study.name)
        shown = [_ledger_line(row) for row in rows if start <= row.seq < end][::-1]
        return self._study(
            request, "ledger.html", shown=shown, start=start, end=end, length=length, before=before
        )

    def report(self, request: Request) -> Response:
        """The report, as a page of its own."""
        from assay.api.reporting import page

        found = self._found(request)
        with found.lock:
            text = found.once(("report",), lambda: page(found.study))
        digest = b64encode(sha256(f"\n{style()}\n".encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
        return Response(text, media_type="text/html", headers={"content-security-policy": policy})

    def checks(self, request: Request) -> Response:
        """What was found out about the data before the first trial."""
        found = self._found(request)
        shown, on_data = seen(found), found.study.spec.data is not None
        return self._study(request, "checks.html", view=shown, on_data=on_data, figures=figures)

    def evidence(self, request: Request) -> Response:
        """What the answer rests on, as in the report: ablations, noise, plan, checklist."""
        found = self._found(request)
        shown = found.once(("evidence",), lambda: whole(found.study))
        sections = [
            s for s in SECTIONS if s.part in EVIDENCE and getattr(shown, s.part) is not None
        ]
        return self._study(request, "evidence.html", view=shown, sections=sections, figures=figures)

    def part(self, request: Request) -> Response:
        """A part of the overview, for a page that is open."""
        part = request.path_params["part"]
        if part not in PARTS:
            raise HTTPException(404)
        found = self._found(request)
        with found.lock:
            text = part_of(found, part)
        return _tagged(request, text)

    def compare(self, request: Request) -> Response:
        """Several studies beside each other."""
        keys = list(dict.fromkeys(request.query_params.getlist("study")))[:_MOST_COMPARED]
        found = [self._lab.study(key) for key in keys]
        lines = [
            {
                **self._listing.line(one.study.name),
                "view": seen(one),
                "config": _best_config(one),
            }
            for one in found
        ]
        names = list(dict.fromkeys(n for line in lines for n in line["config"]))
        others = [{"key": key_of(n), "name": words.name(n)} for n in self._lab.names()[::-1][:200]]
        return html("compare.html", lines=lines, names=names, keys=keys, others=others)

    def _found(self, request: Request) -> Watched:
        return self._lab.study(request.path_params["key"])

    def _study(self, request: Request, template: str, **more: Any) -> Response:
        found = self._found(request)
        pulse = found.pulse()
        return html(
            template,
            key=request.path_params["key"],
            name=words.name(found.study.name),
            pulse=pulse,
            readonly=self._readonly,
            part=lambda named: _safe(part_of(found, named)),
            **more,
        )


def html(template: str, *, status: int = 200, **facts: Any) -> Response:
    """A page from a template."""
    made = environment("assay.web", "assay.report").get_template(template)
    tags = {name: f"/static/{name}?v={asset.tag}" for name, asset in assets().items()}
    return Response(made.render(asset=tags, **facts), status, media_type="text/html")


def _tagged(request: Request, text: str) -> Response:
    """A part of a page, or word that it is as it was."""
    tag = f'"{sha256(text.encode()).hexdigest()[:20]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(text, media_type="text/html", headers={"etag": tag})


def _safe(text: str) -> Any:
    from assay.report.html import as_is

    return as_is(text)


# --- parts


def part_of(found: Watched, part: str) -> str:
    """A part of the overview as HTML."""

    def make() -> str:
        template = environment("assay.web", "assay.report").get_template(f"part_{part}.html")
        return template.render(figures=figures, **PARTS[part](found))

    return found.once(("part", part, *_driven(found, part)), make)


def first_figure(found: Watched) -> tuple[Plot, Figure]:
    """The figure at the top of the overview, drawn here: it is seen before any script has run."""

    def make() -> tuple[Plot, Figure]:
        single = found.study.spec.single
        plot = found.history if single else gains.pareto_front(found.outcomes)
        return plot, drawn(plot)

    return found.once(("first figure",), make)


def warmed(found: Watched) -> None:
    """Make what the overview shows at first, so that whoever opens it need not wait."""
    first_figure(found)
    for part in PARTS:
        part_of(found, part)
    found.influence()


def _driven(found: Watched, part: str) -> tuple[Any, ...]:
    """What a part shows that is not in the log."""
    return tuple(map(str, _crew(found))) if part == "workers" else ()


def _workers(found: Watched) -> Mapping[str, Any]:
    study = found.study
    holder = study.store.driver(study.name)
    history = found.outcomes.history
    running = history.running()
    crew = [
        {
            "worker": words.name(m.worker, 60), "host": words.name(m.host, 60), "slots": m.slots,
            "differs": words.name(", ".join(m.differs), 300) if m.differs else "",
        }
        for m in _crew(found)
    ]  # fmt: skip
    return {
        "holder": holder,
        "host": words.name(holder.host, 60) if holder else "",
        "crew": crew,
        "running": running[:50],
        "count": len(running),
    }


def _crew(found: Watched) -> list[Member]:
    try:
        return found.study.store.board(found.study.name).crew()
    except (AssayError, AttributeError):
        return []


def _tail(found: Watched) -> Mapping[str, Any]:
    study, length = found.study, found.outcomes.history.length
    rows = study.store.rows(study.name, after=max(length - _TAIL, 0))
    return {"shown": [_ledger_line(row) for row in rows][::-1][:_TAIL]}


def _searches(found: Watched) -> Mapping[str, Any]:
    """The searches of an ablation, each a study of its own."""
    names = searches_of(found.outcomes.history) or []
    return {"searches": [{"key": key_of(name), "name": words.name(name)} for name in names]}


def _ledger_line(row: Row) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "time": words.name(row.time[:19].replace("T", " ")),
        "actor": words.name(row.actor, 80),
        "said": in_words(decode(row.body)),
        "kind": decode(row.body).__struct_config__.tag,
        "hash": words.name(row.hash),
    }


EVIDENCE = (
    "ablations", "recheck", "worth", "plan", "noise", "test", "checklist", "machine",
)  # fmt: skip
"""The sections of the report that have their place on the page of evidence, where they exist."""

PARTS: dict[str, Callable[[Watched], Mapping[str, Any]]] = {
    "card": lambda w: {"view": seen(w)},
    "numbers": lambda w: {"part": seen(w).numbers},
    "flow": lambda w: {"part": seen(w).flow},
    "cost": lambda w: {"view": seen(w), "part": seen(w).cost, "limits": _limits(w)},
    "changes": lambda w: {"part": seen(w).changes},
    "ablations": lambda w: {"part": seen(w).ablations},
    "searches": _searches,
    "workers": _workers,
    "tail": _tail,
}
"""Each part of the overview by its name, and what its template is given."""


def _limits(found: Watched) -> list[tuple[str, Limit]]:
    """Each limit of the budget by its name in words."""
    study, history = found.study, found.outcomes.history
    budget = budget_now(history, study.spec)
    seconds = seconds_before(study.store, study.name) if budget and budget.seconds else 0.0
    currency = study.spec.rates.currency if study.spec.rates else "money"
    return [
        (words.limit_name(limit.name, currency), limit)
        for limit in limits(study.spec, budget, history, seconds)
    ]


def _best_config(found: Watched) -> dict[str, str]:
    try:
        config = found.study.best.config
    except StateError:
        return {}
    return {words.name(n, 60): words.value(v) for n, v in config.items()}


def _numbers(found: Watched, by: str) -> list[int]:
    """The trials in the order that was asked for."""
    history = found.outcomes.history
    everyone = range(history.n_trials)
    if by == "best":
        best = [found.outcomes.numbers[int(i)] for i in found.outcomes.order]
        return [*best, *sorted(set(everyone) - set(best))]
    if by == "failed":
        return sorted(history.failed, reverse=True)
    if by == "running":
        return sorted(history.running(), reverse=True)
    return list(everyone) if by == "oldest" else list(everyone)[::-1]


def _whole(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise
