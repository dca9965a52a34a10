"""Spaces of other tools: read as they write them, written as they read them, losses listed."""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import (
    Choice,
    Constant,
    Fidelity,
    Float,
    Int,
    Ordinal,
    Space,
    SpaceError,
    SpecError,
    When,
)
from assay.core.parameters import UNSET
from assay.spaces import FORMATS, config_of, read, space_of, write
from assay.spaces.formats import load, text_of
from assay.testing.spaces import parameters, spaces

names = st.from_regex(r"[a-c][a-c_]{0,5}", fullmatch=True)
finite = st.floats(2**-14, 60_000, width=16)  # their differences are exact: SciPy keeps a width
texts = st.text(st.characters(codec="utf-8", exclude_characters="$"), min_size=1, max_size=5)
ranges = st.tuples(finite, finite).filter(lambda ends: ends[0] < ends[1])
floats = st.builds(lambda ends, log: Float(*ends, log=log), ranges, st.booleans())
ints = st.tuples(st.integers(1, 99), st.integers(100, 999)).map(lambda ends: Int(*ends))
choices = st.lists(texts, min_size=2, max_size=4, unique=True).map(Choice)
plain_spaces = st.dictionaries(names, floats | ints | choices, min_size=1, max_size=5).map(Space)


bare = parameters().map(lambda one: Space(p0=replace(one, default=UNSET)))
"""Of one parameter without a default, so that less is lost."""


def as_said(space):
    """The same space where a parameter of one value has it as its default: no format tells them apart."""
    form = space.to_json()
    for entry in form["parameters"].values():
        if len(entry.get("values", ())) == 1:
            entry |= {"type": "choice", "default": entry["values"][0]}
    return Space.from_json(form)


def with_defaults(space, form):
    """ConfigSpace has no parameter without a default: it becomes the middle."""
    own = space.to_json()
    for entry in form["hyperparameters"]:
        if "default_value" in entry:
            own["parameters"][entry["name"]]["default"] = entry["default_value"]
    return Space.from_json(own)


def said_of(attempt):
    """What it is refused with; nothing if it is not."""
    try:
        attempt()
    except SpaceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", sorted(FORMATS))
@given(space=spaces() | bare)
@settings(max_examples=60, deadline=None)
def test_a_space_comes_back_whole_unless_a_loss_is_said(kind, space):
    """Through the text, as from one file to another."""
    space = as_said(space)
    if refused := said_of(lambda: write(space, kind)):
        assert refused.startswith("Parameter 'p")
        return
    form, lost = write(space, kind)
    if kind == "configspace":
        space = with_defaults(space, form)
    if kind == "scipy" and isinstance(form, list):
        return  # conditions: a list of dicts, which RandomizedSearchCV takes
    text = text_of(form, yaml=False, kind=kind)
    back, unread = read(
        FORMATS[kind].parse(text) if FORMATS[kind].parse else json.loads(text), kind
    )
    assert lost or unread or back == space


@pytest.mark.parametrize("kind", sorted(FORMATS))
@given(space=plain_spaces)
@settings(max_examples=30, deadline=None)
def test_a_space_that_every_format_can_say_comes_back_whole(kind, space):
    form, lost = write(space, kind)
    if kind == "configspace":
        space = with_defaults(space, form)
    assert lost == []
    assert read(form, kind) == (space, [])


FULL = Space(
    lr=Float(1e-4, 1, log=True, default=0.1),
    share=Float(0.1, 0.9, logit=True, default=0.5),
    depth=Int(1, 12, default=6),
    kind=Choice(["tree", "linear", None, 3], default="tree"),
    size=Ordinal(["s", "m", "l"], default="m"),
    fixed=Constant(7),
    sub=When("kind", ["tree", 3], When("size", "m", Float(0.3, 1.0, default=1.0))),
    forbid="depth > 10 and lr > 0.5",
)


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"assay", "dataclass"}))
def test_what_a_format_cannot_say_is_listed(kind):
    _, lost = write(FULL, kind)
    assert any("forbidden" in what for what in lost)
    assert ("share: its logit scale" in lost) == (kind not in ("hydra", "overrides"))
    assert ("lr: its default" in lost) == (kind not in ("configspace", "keras-tuner"))
    assert ("sub: its condition" in lost) == (kind not in ("configspace", "keras-tuner", "scipy"))


def test_steps_are_a_loss_where_they_cannot_be_said():
    stepped = Space(x=Float(0, 1, step=0.25), n=Int(0, 8, step=2))
    assert write(stepped, "configspace")[1] == ["x: its steps", "n: its steps"]
    assert read(write(stepped, "katib")[0], "katib") == (stepped, [])


def test_the_own_form_says_all():
    form, lost = write(FULL, "assay")
    assert lost == []
    assert read(form, "assay") == (FULL, [])


def test_configspace_reads_what_we_write_and_we_read_what_it_writes():
    theirs = pytest.importorskip("ConfigSpace")
    whole = Space({n: _given(FULL, n) for n in FULL if n != "share"})
    form, lost = write(whole, "configspace")
    assert lost == []
    made = theirs.ConfigurationSpace.from_serialized_dict(form)
    assert dict(made.get_default_configuration()) == whole.defaults()
    back, lost = read(json.loads(json.dumps(made.to_serialized_dict())), "configspace")
    assert lost == []
    assert {n: back[n] for n in back} == {n: whole[n] for n in whole}
    for config in made.sample_configuration(50):
        assert back.contains(dict(config)), dict(config)


def _given(space, name):
    node = space.nodes[name]
    entry = node.parameter
    for parent, keys in reversed(node.conditions):
        entry = When(parent, [v for v in space[parent].points(99) if json.dumps(v) in keys], entry)
    return entry


def test_conditions_clauses_and_distributions_of_configspace():
    cs = pytest.importorskip("ConfigSpace")
    theirs = cs.ConfigurationSpace(seed=1)
    depth, kind = cs.Integer("depth", (1, 12), default=6), cs.Categorical("kind", ["a", "b"])
    deep = cs.Float("deep", (0, 1))
    normal = cs.Float("normal", (0, 1), distribution=cs.Normal(0.5, 0.1))
    either = cs.Float("either", (0, 1))
    theirs.add(depth, kind, deep, normal, either)
    theirs.add(cs.GreaterThanCondition(deep, depth, 9))
    theirs.add(
        cs.OrConjunction(
            cs.EqualsCondition(either, kind, "a"), cs.EqualsCondition(either, depth, 3)
        )
    )
    theirs.add(
        cs.ForbiddenAndConjunction(
            cs.ForbiddenEqualsClause(kind, "b"), cs.ForbiddenInClause(depth, [1, 2])
        )
    )
    space, lost = read(theirs.to_serialized_dict(), "configspace")
    assert "deep" in space.active({"depth": 10, "kind": "a"})
    assert "deep" not in space.active({"depth": 9, "kind": "a"})
    assert not space.allowed({"kind": "b", "depth": 2})
    assert space.allowed({"kind": "a", "depth": 2})
    assert lost == [
        "normal: its normal distribution",
        "either: its condition (OR), so that it is always active",
    ]


SWEEP = """
program: train.py
method: bayes
metric: {name: loss, goal: minimize}
early_terminate: {type: hyperband, min_iter: 3}
parameters:
  lr: {distribution: log_uniform_values, min: 1e-4, max: 1}
  epochs: {value: 10}
  depth: {min: 1, max: 12}
  momentum: {min: 0.0, max: 0.99}
  batch: {values: [16, 32, 64]}
  width: {distribution: q_uniform, min: 8, max: 64, q: 8}
  old: {distribution: log_uniform, min: -4, max: 0}
  optimizer:
    parameters:
      name: {values: [adam, sgd], probabilities: [0.3, 0.7]}
"""


def test_a_sweep_of_weights_and_biases(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    space, lost = read(load(str(tmp_path / "sweep.yaml")), "wandb")
    assert space["lr"] == Float(1e-4, 1, log=True)
    assert space["epochs"] == Constant(10)
    assert space["depth"] == Int(1, 12)
    assert space["momentum"] == Float(0, 0.99)
    assert space["width"] == Float(8, 64, step=8)
    assert space["old"].low == pytest.approx(0.0183, rel=1e-2)
    assert space["optimizer.name"] == Choice(["adam", "sgd"])
    assert lost == ["optimizer.name: its probabilities"]


EXPERIMENT = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
spec:
  objective: {type: maximize, objectiveMetricName: accuracy}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "1e-4", max: "0.1", distribution: logUniform}}
    - {name: layers, parameterType: int, feasibleSpace: {min: "2", max: "8", step: "2"}}
    - {name: batch, parameterType: discrete, feasibleSpace: {list: ["32", "16", "64"]}}
    - {name: optimizer, parameterType: categorical, feasibleSpace: {list: [sgd, adam]}}
"""


def test_an_experiment_of_katib(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "katib.yaml").write_text(EXPERIMENT)
    space, lost = read(load(str(tmp_path / "katib.yaml")), "katib")
    assert space == Space(
        lr=Float(1e-4, 0.1, log=True),
        layers=Int(2, 8, step=2),
        batch=Ordinal([16, 32, 64]),
        optimizer=Choice(["sgd", "adam"]),
    )
    assert lost == []


def test_optuna_reads_what_we_write():
    optuna = pytest.importorskip("optuna")
    form, _ = write(
        Space(x=Float(0, 1, step=0.25), n=Int(1, 64, log=True), k=Choice(["a", None])), "optuna"
    )
    made = {n: optuna.distributions.json_to_distribution(json.dumps(d)) for n, d in form.items()}
    assert made["x"] == optuna.distributions.FloatDistribution(0, 1, step=0.25)
    assert made["n"] == optuna.distributions.IntDistribution(1, 64, log=True)
    theirs = {n: json.loads(optuna.distributions.distribution_to_json(d)) for n, d in made.items()}
    assert read(theirs, "optuna") == read(form, "optuna")


OVERRIDES = {
    "lr": ("tag(log, interval(1e-4, 1))", Float(1e-4, 1, log=True)),
    "momentum": ("interval(0.0, 0.99)", Float(0, 0.99)),
    "depth": ("range(1, 10)", Int(1, 9)),
    "even": ("range(0, 9, 2)", Int(0, 8, step=2)),
    "units": ("int(interval(8, 64))", Int(8, 64)),
    "kind": ("choice(adam,'s,gd')", Choice(["adam", "s,gd"])),
    "simple": ("1,2,3", Choice([1, 2, 3])),
}


def test_hydra_takes_these_overrides_and_so_do_we():
    parser = pytest.importorskip(
        "hydra.core.override_parser.overrides_parser"
    ).OverridesParser.create()
    for name, (text, _) in OVERRIDES.items():
        assert parser.parse_override(f"{name}={text}").is_sweep_override()
    form = {"hydra": {"sweeper": {"params": {name: text for name, (text, _) in OVERRIDES.items()}}}}
    space, lost = read(form, "hydra")
    assert {name: space[name] for name in space} == {
        n: parameter for n, (_, parameter) in OVERRIDES.items()
    }
    assert lost == []


class Kind(Enum):
    TREE = 1
    LINEAR = 2


def test_what_scipy_says_is_what_random_search_draws():
    sampler = pytest.importorskip("sklearn.model_selection").ParameterSampler
    space = Space(
        lr=Float(1e-4, 1, log=True),
        share=Float(0.1, 0.7),
        kind=Choice(["tree", "linear", "off"]),
        size=When("kind", ["tree", "linear"], Ordinal([1, 2, 3])),
        depth=When("size", [2, 3], Int(1, 4)),
    )
    grids, lost = write(space, "scipy")
    assert lost == []
    drawn = list(sampler(grids, 300, random_state=0))
    assert all(space.contains(config) for config in drawn)
    assert {config["kind"] for config in drawn} == {"tree", "linear", "off"}
    assert {config.get("depth") for config in drawn} == {None, 1, 2, 3, 4}
    text = text_of(grids, yaml=False, kind="scipy")
    names = {}
    exec(text, names)
    for made, grid in zip(names["param_distributions"], FORMATS["scipy"].parse(text), strict=True):
        assert list(sampler(made, 9, random_state=1)) == list(sampler(grid, 9, random_state=1))
    with pytest.raises(SpaceError, match="SearchCV, which takes a list of dicts"):
        read(grids, "scipy")


def test_scipy_says_why_it_cannot_say_something():
    space = Space(n=Int(1, 64, log=True), x=Float(0, 1, step=0.5), k=Choice([1, 2, 3]))
    assert write(space, "scipy")[1] == [
        "n: its log scale",
        "x: its steps, which become a list of values",
        "k: that its values have no order",
    ]


@given(space=spaces())
@settings(max_examples=60, deadline=None)
def test_the_source_of_a_dataclass_runs_and_gives_the_space(space):
    space = as_said(space)
    source, lost = write(space, "dataclass")
    names = {"__name__": "builtins"}
    exec(compile(source, "config.py", "exec", dont_inherit=True), names)
    assert lost or space_of(names["Config"]) == space


def test_the_source_of_a_dataclass_is_what_one_would_write():
    space = Space(
        lr=Float(1e-4, 1, log=True, default=0.1),
        kind=Choice(["tree", "linear"]),
        depth=When("kind", "tree", Int(1, 12, default=6)),
        warm=Choice([False, True], default=True),
        path=Constant("data"),
        layers=Choice([[8], [8, 8]], default=[8]),
        forbid="depth > 10 and lr > 0.5",
        fidelity=Fidelity("epochs", 1, 81),
    )
    source, lost = write(space, "dataclass")
    assert lost == []
    assert source.partition("class Config:\n")[2].splitlines() == [
        "    lr: Annotated[float, assay.Float(0.0001, 1.0, log=True)] = 0.1",
        "    kind: Literal['tree', 'linear']",
        "    depth: Annotated[int, assay.When('kind', ['tree'], assay.Int(1, 12))] = 6",
        "    warm: bool = True",
        "    path: str = 'data'",
        "    layers: Annotated[list, assay.Choice([[8], [8, 8]])] = field(default_factory=lambda: [8])",
        "    forbid: ClassVar = ('depth > 10 and lr > 0.5',)",
        "    fidelity: ClassVar = assay.Fidelity(name='epochs', least=1, most=81, kind='epochs')",
    ]
    assert read(source, "dataclass") == (space, [])


def test_a_dataclass_is_read_and_never_run():
    source = """
import assay, os
from enum import Enum
os.mkdir("was run")
class Kind(Enum):
    TREE = 1
    LINEAR = 2
class Other: ...
@dataclass(frozen=True)
class Config:
    lr: "Annotated[float, Float(1e-4, 1, log=True)]" = 0.1
    kind: Kind = Kind.TREE
    depth: Annotated[int, When("kind", "TREE", Int(1, 12))] = field(default=6)
    names: list = field(default_factory=list)
    mode: Literal["a", "b"] = "b"
    require: ClassVar[str] = "lr < 0.5"
    def method(self): ...
"""
    space, lost = read(source, "dataclass")
    assert lost == []
    assert space.defaults() == {"lr": 0.1, "kind": "TREE", "depth": 6, "names": [], "mode": "b"}
    assert not space.allowed({"lr": 0.7})
    for bad, said in [
        ("x = 1", "this source has 0"),
        (source + "@dataclass\nclass More: ...", "this source has 2"),
        (source.replace("= 0.1", "= os.getpid()"), r"Line 11: 'os.getpid\(\)': it is read and not"),
        (source.replace("(1, 12)", "(1, 12, most=3)"), "Line 13: .*has no argument 'most'"),
        ("class", "no Python"),
    ]:
        with pytest.raises(SpaceError, match=said):
            read(bad, "dataclass")
    with pytest.raises(SpaceError, match=r"'model\.kind' cannot be a field .*Rename it"):
        write(Space({"model.kind": Int(1, 2)}), "dataclass")


@given(space=spaces(conditions=False, clauses=False))
@settings(max_examples=100, deadline=None)
def test_hydra_reads_the_overrides_that_we_write(space):
    parser = pytest.importorskip(
        "hydra.core.override_parser.overrides_parser"
    ).OverridesParser.create()
    if said_of(lambda: write(space, "overrides")):
        return
    unquoted = operator.attrgetter("text")
    for text in write(space, "overrides")[0]:
        override = parser.parse_override(text)
        parameter, told = space[override.key_or_group], override.value()
        if not override.is_sweep_override():
            assert json.dumps([told], default=unquoted) == json.dumps(list(parameter.values))
        elif isinstance(parameter, Choice):
            assert json.dumps(told.list, default=unquoted) == json.dumps(list(parameter.values))
        elif override.is_range_sweep():
            points = parameter.points(10**6) if parameter.size < 1000 else []
            theirs = [float(x) for x in override.sweep_iterator()] if points else []
            assert theirs == pytest.approx(points)
        else:
            assert (told.start, told.end) == (parameter.low, parameter.high)


def test_overrides_are_lines_for_a_shell():
    space = Space({"model.kind": Choice(["a", "b c"]), "lr": Float(1e-5, 0.1, log=True)})
    form, _ = write(space, "overrides")
    text = text_of(form, yaml=False, kind="overrides")
    assert text == ("'model.kind=choice(a,'\"'\"'b c'\"'\"')'\n'lr=tag(log,interval(1e-05,0.1))'\n")
    parse = FORMATS["overrides"].parse
    assert read(parse("python train.py -m " + text), "overrides") == (space, [])
    with pytest.raises(SpaceError, match="'a b' cannot be the key of an override"):
        write(Space({"a b": Int(1, 2)}), "overrides")


def test_nested_params_of_hydra_are_names_with_dots():
    form = {"hydra": {"sweeper": {"params": {"model": {"kind": "choice(a,'b=c')", "on": True}}}}}
    space = Space({"model.kind": Choice(["a", "b=c"]), "model.on": Constant(True)})
    assert read(form, "hydra") == (space, [])


KERAS = {
    "space": [
        {"class_name": "Float", "config": {"name": "lr", "default": 0.1, "conditions": [], "min_value": 1e-4, "max_value": 1.0, "step": None, "sampling": "log"}},
        {"class_name": "Choice", "config": {"name": "kind", "default": "a", "conditions": [], "values": ["a", "b"], "ordered": False}},
        {"class_name": "Int", "config": {"name": "depth", "default": None, "conditions": [{"class_name": "Parent", "config": {"name": "kind", "values": ["a"]}}], "min_value": 1, "max_value": 11, "step": 2, "sampling": "linear"}},
        {"class_name": "Boolean", "config": {"name": "flag", "default": False, "conditions": []}},
        {"class_name": "Fixed", "config": {"name": "f", "conditions": [], "value": 3}},
        {"class_name": "Int", "config": {"name": "units", "default": None, "conditions": [], "min_value": 1, "max_value": 64, "step": 2, "sampling": "log"}},
        {"class_name": "Float", "config": {"name": "rev", "default": 1.0, "conditions": [], "min_value": 1.0, "max_value": 64.0, "step": None, "sampling": "reverse_log"}},
        {"class_name": "Int", "config": {"name": "depth", "default": None, "conditions": [], "min_value": 1, "max_value": 3, "step": 1, "sampling": "linear"}},
    ],
    "values": {"lr": 0.1},
}  # fmt: skip


def test_hyperparameters_of_keras_tuner():
    space, lost = read(KERAS, "keras-tuner")
    assert space == Space(
        lr=Float(1e-4, 1, log=True, default=0.1),
        kind=Choice(["a", "b"], default="a"),
        depth=When("kind", "a", Int(1, 11, step=2)),
        flag=Choice([False, True], default=False),
        f=Constant(3),
        units=Int(1, 64, log=True),
        rev=Float(1, 64, default=1.0),
    )
    assert lost == [
        "units: its steps, which multiply",
        "rev: its reversed logarithmic scale",
        "depth: its second definition, under other conditions",
    ]


def test_keras_tuner_reads_what_we_write():
    theirs = pytest.importorskip("keras_tuner")
    form, lost = write(read(KERAS, "keras-tuner")[0], "keras-tuner")
    assert lost == []
    made = theirs.HyperParameters.from_config(json.loads(json.dumps(form)))
    assert {one.name for one in made.space} == {entry["config"]["name"] for entry in form["space"]}
    again = made.get_config()
    assert read(again, "keras-tuner") == read(form, "keras-tuner")


@dataclass
class Config:
    lr: Annotated[float, Float(1e-4, 1, log=True)] = 0.1
    kind: Kind = Kind.TREE
    depth: Annotated[int, When("kind", "TREE", Int(1, 12))] = 6
    warm: bool = False
    mode: Literal["a", "b"] = "b"
    path: str = "data"


def test_a_dataclass_is_a_space_and_a_config_its_object():
    space = space_of(Config)
    assert space.defaults() == {
        "lr": 0.1, "kind": "TREE", "depth": 6, "warm": False, "mode": "b", "path": "data",
    }  # fmt: skip
    assert config_of(Config, space.defaults()) == Config()
    assert config_of(Config, {"kind": "LINEAR", "lr": 1.0}) == Config(lr=1.0, kind=Kind.LINEAR)
    with pytest.raises(SpaceError, match="no field 'x'"):
        config_of(Config, {"x": 1})
    with pytest.raises(SpaceError, match="dataclass"):
        space_of(int)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "form",
    [
        {},
        [],
        {"x": 1},
        {"parameters": 3},
        {"parameters": [1]},
        {"hyperparameters": [{}]},
        [{"name": "x"}],
    ],
)
def test_what_is_none_of_it_is_refused(kind, form):
    if FORMATS[kind].loose and isinstance(form, dict) and form:
        return  # a table of whatever is one of constants
    with pytest.raises(SpaceError):
        read(form, kind)


def test_other_mistakes(tmp_path):
    with pytest.raises(SpecError, match="Did you mean 'wandb'"):
        read({"x": 1}, "wandbb")
    of_katib, _ = write(Space(lr=Float(0, 1)), "katib")
    said = "This is not a sweep of Weights & Biases.* It can be read as katib: --from katib"
    with pytest.raises(SpaceError, match=said) as refused:
        read(of_katib, "wandb")
    assert "Error" not in str(refused.value), "Python's own words help nobody"
    with pytest.raises(SpaceError, match="Biases"):
        read({"parameters": 3}, "wandb")
    (tmp_path / "bad.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    pytest.importorskip("yaml")
    with pytest.raises(SpaceError, match="constructor"):
        load(str(tmp_path / "bad.yaml"))
    assert "lr" in text_of(write(FULL, "wandb")[0], yaml=True)
