"""Published configurations, each with its source, and how they are put into a search space.

The figures stand in `known.toml`, those of our own portfolios in `portfolio.toml`; this module reads
them. A published configuration becomes an arm of a study as far as the space has its parameters:
what it does not say stays as in the control, and a number that the space does not have moves to the
nearest that it has, if that is near. Both are said with the arm.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.parameters import Choice, Float, Int, Parameter
from assay.core.space import Space

_FAR = 0.2
"""A number beyond the range by more than this share of it is not moved into it."""
_FACTOR = 3.2
"""How far a number may move to the nearest of listed ones: half a decade."""
_LEAST = 0.5
"""The share of a configuration's parameters that a space must have."""


@dataclass(frozen=True)
class Known:
    """A configuration that somebody published.

    Attributes:
        name: its own name.
        model: what it is for, such as "random_forest", "xgboost" or "fine-tuning".
        estimators: the classes whose parameters `config` names; none: names as in the source.
        config: the published figures.
        source, link: where they stand.
        licence: of what they were taken from.
        data: on what they were found.
        note: what differs between there and here.
        fixed: what the estimator must have where the space does not say it, such as a kernel.
        negligible: parameters of which the figure is as good as none, and stands for the least there is.
        units: what a figure is to be multiplied with, see `assay.learners.starts`.
    """

    name: str
    model: str
    estimators: tuple[str, ...]
    config: Mapping[str, Any]
    source: str
    link: str
    licence: str
    data: str
    note: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    negligible: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """A published configuration in a space.

    Attributes:
        known: what was published.
        config: what is run.
        moved: (parameter, published, used) where the space has another value.
        missing: published parameters that the space has not.
    """

    known: Known
    config: dict[str, Any]
    moved: tuple[tuple[str, Any, Any], ...] = ()
    missing: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """The form in which a study is given it: config, source and note."""
        said = [self.known.link, self.known.note]
        said += [f"{name} {was!r} moved to {now!r}" for name, was, now in self.moved]
        if self.missing:
            said.append(f"without {', '.join(self.missing)}, not in the space")
        return {
            "config": self.config,
            "source": self.known.source,
            "note": "; ".join(filter(None, said)),
        }


@cache
def published() -> tuple[Known, ...]:
    """All published configurations, in the order of the file."""
    return read("known.toml")


@cache
def portfolio() -> tuple[Known, ...]:
    """Configs that together did well on many public data sets, in the order in which to try them."""
    return read("portfolio.toml")


def read(file: str) -> tuple[Known, ...]:
    """The configurations in one of the files of this package."""
    return tuple(Known(**_tuples(entry)) for entry in _file(file)["known"])


def named(model: str | None) -> list[Known]:
    """The published configurations for a model, and its portfolio; all for None.

    Raises:
        SpecError: there is none.

    >>> [one.name for one in named("decision_tree")]
    ['rpart', 'tunability-rpart']
    """
    listed = (*published(), *portfolio())
    found = [one for one in listed if model in (None, one.model, one.name)]
    if not found:
        models = sorted({one.model for one in listed})
        raise SpecError(
            f"No published configurations for {model!r}. {did_you_mean(str(model), models)}"
        )
    return found


def arms(
    known: Iterable[Known],
    space: Space,
    base: Mapping[str, Any] | None = None,
    *,
    start: str = "",
) -> list[Arm]:
    """The configurations that fit a space, each once.

    Args:
        base: the control, from which all else is taken; None: the defaults of the space.
        start: what the space puts before the names of parameters, as for a step of a pipeline.

    >>> space = Space(lr=Float(1e-6, 1e-2, log=True, default=1e-3), batch=Int(8, 64, default=8))
    >>> arms(named("bert-3e-5"), space)[0].config
    {'lr': 3e-05, 'batch': 32}
    """
    control = space.defaults() if base is None else dict(base)
    found: list[Arm] = []
    for one in known:
        arm = _fitted(one, space, control, start) if control is not None else None
        if arm and arm.config not in [control, *(other.config for other in found)]:
            found.append(arm)
    return found


def arms_for(
    known: Sequence[Known],
    estimator: Any,
    space: Space,
    base: Mapping[str, Any] | None,
    *,
    prefix: str = "",
) -> list[Arm]:
    """The configurations of an estimator, and of those inside it, that fit its space.

    Args:
        base: the control.
        prefix: what the space leaves out of the names of the estimator's parameters.
    """
    values = estimator.get_params(deep=True)
    found: list[Arm] = []
    for start, part in _parts(estimator, values):
        if not start.startswith(prefix):
            continue
        kinds = {kind.__name__ for kind in type(part).__mro__}
        fits = [
            one
            for one in known
            if kinds & set(one.estimators)
            and all(values[start + name] == value for name, value in one.fixed.items())
        ]
        found += arms(fits, space, base, start=start.removeprefix(prefix))
    return found


def in_json(one: Known) -> dict[str, Any]:
    """All that is known of a published configuration, as JSON."""
    return asdict(one)


def in_words(one: Known) -> list[str]:
    """The same in lines of text: its name, its figures, where they stand, on what they were found."""
    figures = ", ".join(f"{name} = {value}" for name, value in one.config.items())
    lines = [f"{one.name}: {one.model}", figures, f"Source: {one.source}. {one.link}"]
    lines.append(f"Found on: {one.data}. Licence: {one.licence}.")
    return [*lines, f"Here: {one.note}."] if one.note else lines


def page() -> str:
    """The documentation page of the published configurations; docs/known.md is this text."""
    lines = [_HEAD]
    for model in dict.fromkeys(one.model for one in (*published(), *portfolio())):
        lines += ["", f"## {model}", "", "| name | figures | source | found on | note |"]
        lines += ["|---|---|---|---|---|"]
        for one in (one for one in named(model) if one.model == model):
            figures = ", ".join(f"`{name}={value}`" for name, value in one.config.items())
            note = "; ".join(filter(None, [one.note, f"licence {one.licence}"]))
            source = f"[{one.source}]({one.link})"
            lines.append(f"| {one.name} | {figures} | {source} | {one.data} | {note} |")
    return "\n".join(lines) + "\n"


_HEAD = """# Published configurations

Somebody may have tuned your model before you. `assay tune data.csv --target y --known` tries published
configurations first: each runs as a trial like any other, it counts in the budget, and tables and the
report call it *borrowed*, with its source. The best of them is measured again beside the best of the
search, on fresh splits. If it is as good, the verdict says so: *the published settings were enough*.

A configuration is taken as far as the search space has its parameters. What it does not say stays as in
your control group; a number that the space does not have moves to the nearest that it has (at most half a
decade among listed values, at most 20 % of a range; 0, and a figure as good as 0, becomes the lowest of a logarithmic range), and the note of the trial says that it moved.
One that does not fit is left out.

In Python: `tune(model, X, y, known=True)`; for an objective of your own
`optimize(objective, space, given=assay.known("fine-tuning", space))`, under the usual names of
parameters. `assay known [MODEL]` lists them. Your own: `--given FILE` (JSON, YAML or TOML, each with a
`config`, a `source` and a `note`), or an estimator in `given=[…]`, whose `get_params` is taken; earlier
studies of Optuna come by `assay import optuna`.

A *portfolio* is ours: 8 configs that together do well on many public data sets, built by
`python -m benchmarks.portfolio.build` from surrogates of YAHPO Gym, for `svm` (98 data sets) and XGBoost
(119). `--portfolio` (`tune(…, portfolio=True)`) tries it first, as it does published ones. On data sets
that were left out when it was built it is far ahead of as many random configs
([benchmarks/results/portfolio.md](../benchmarks/results/portfolio.md)); that is the start of a search, not
its end. `assay.sklearn.SearchCV` tries first, unless `portfolio=False`, up to eight configs for LightGBM,
support vectors, nearest neighbours and kernel ridge. They were found on small tables, and figures that
depend on the data are multiples of the target's spread or of what scikit-learn calls `gamma="scale"`
([benchmarks/results/starts.md](../benchmarks/results/starts.md)).

The figures are facts from papers, documentation and configuration files; no code was taken. The list is
one file, `src/assay/learners/known.toml` (portfolios: `portfolio.toml`). Figures of the paper *Tunability* other than those of XGBoost,
and of papers on networks, were written down from the papers and not compared with a second source.

This page is generated by `assay.learners.known.page()`."""


def _parts(estimator: Any, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    inside = [
        (f"{name}__", value)
        for name, value in values.items()
        if hasattr(value, "get_params") and not isinstance(value, type)
    ]
    return [("", estimator), *inside]


def _fitted(one: Known, space: Space, base: Mapping[str, Any], start: str) -> Arm | None:
    config, moved, missing = dict(base), [], []
    for published_name, value in one.config.items():
        name = _name(published_name, space, start)
        if name is None:
            missing.append(published_name)
            continue
        now = nearest(space[name], value)
        if now is None and published_name in one.negligible:
            now = nearest(space[name], 0.0)
        if now is None:
            return None
        if now != value:
            moved.append((published_name, value, now))
        config[name] = now
    if len(missing) > _LEAST * len(one.config):
        return None
    try:
        settled = space.settle(config)
    except SpaceError:
        return None  # the space does not allow this combination
    return Arm(one, settled, tuple(moved), tuple(missing))


def _name(published_name: str, space: Space, start: str) -> str | None:
    """What the space calls a parameter: its own name, or a usual other one."""
    usual = _file("known.toml")["aliases"].get(published_name, [])
    known = (start + name for name in (published_name, *usual))
    return next((name for name in known if name in space.names), None)


def nearest(parameter: Parameter, value: Any) -> Any:
    """The value of a parameter for a published one; None where none is near.

    >>> nearest(Float(0.01, 1.0, log=True), 1.5), nearest(Choice(["scale", 0.003, 0.01]), 0.005)
    (1.0, 0.003)
    >>> nearest(Float(0.01, 1.0, log=True), 100.0) is None
    True
    """
    try:
        return parameter.settle(value)
    except SpaceError:
        pass
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(parameter, Choice):
        return _of_listed(parameter.values, value)
    inside = min(max(value, parameter.low), parameter.high)
    if _beyond(parameter, value, inside) > _FAR:
        return None
    return parameter.from_unit(parameter.to_unit(inside))  # type: ignore[arg-type]


def _of_listed(values: Iterable[Any], value: float) -> Any:
    numbers = [
        v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and v > 0
    ]
    if value <= 0 or not numbers:
        return None
    best = min(numbers, key=lambda v: abs(math.log(v / value)))
    return best if abs(math.log(best / value)) <= math.log(_FACTOR) else None


def _beyond(parameter: Float | Int, value: float, inside: float) -> float:
    """How far outside of the range a number is, as a share of the range."""
    if parameter.log:
        if value <= 0:
            return 0.0 if value == 0 else math.inf  # none at all: the least that the range has
        width = math.log(parameter.high / parameter.low)
        return abs(math.log(value / inside)) / width
    return abs(value - inside) / (parameter.high - parameter.low)


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    return {**entry, **lists}


@cache
def _file(name: str) -> dict[str, Any]:
    return tomllib.loads(files("assay.learners").joinpath(name).read_text(encoding="utf-8"))
