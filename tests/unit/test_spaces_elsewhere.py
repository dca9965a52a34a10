"""Spaces of other tools: read as they write them, written as they read them, losses listed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import Choice, Constant, Float, Int, Ordinal, Space, SpaceError, SpecError, When
from assay.spaces import FORMATS, config_of, read, space_of, write
from assay.spaces.formats import load, text_of

WRITTEN = [name for name, kind in FORMATS.items() if kind.write]
names = st.text("abcdefgh_", min_size=1, max_size=6)
finite = st.floats(1e-6, 1e6)
texts = st.text(min_size=1, max_size=5)
ranges = st.tuples(finite, finite).filter(lambda ends: ends[0] < ends[1])
floats = st.builds(lambda ends, log: Float(*ends, log=log), ranges, st.booleans())
ints = st.tuples(st.integers(1, 99), st.integers(100, 999)).map(lambda ends: Int(*ends))
choices = st.lists(texts, min_size=2, max_size=4, unique=True).map(Choice)
plain_spaces = st.dictionaries(names, floats | ints | choices, min_size=1, max_size=5).map(Space)


@pytest.mark.parametrize("kind", sorted(set(WRITTEN) - {"configspace"}))
@given(space=plain_spaces)
@settings(max_examples=30, deadline=None)
def test_a_space_that_a_format_can_say_comes_back_whole(kind, space):
    form, lost = write(space, kind)
    assert lost == []
    back, lost = read(json.loads(json.dumps(form)), kind)
    assert lost == []
    assert back == space


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


@pytest.mark.parametrize("kind", sorted(set(WRITTEN) - {"assay"}))
def test_what_a_format_cannot_say_is_listed(kind):
    _, lost = write(FULL, kind)
    assert any("forbidden" in what for what in lost)
    assert "share: its logit scale" in lost
    if kind != "configspace":
        assert "sub: its condition" in lost
        assert "lr: its default" in lost


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
    if kind == "hydra" and form in ({"x": 1}, {"parameters": 3}):
        assert read(form, kind)[0].size == 1
        return
    if kind == "hydra" and isinstance(form, dict) and form:
        return
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
    with pytest.raises(SpecError, match="not written"):
        write(FULL, "hydra")
    (tmp_path / "bad.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    pytest.importorskip("yaml")
    with pytest.raises(SpaceError, match="constructor"):
        load(str(tmp_path / "bad.yaml"))
    assert "lr" in text_of(write(FULL, "wandb")[0], yaml=True)
