"""Spaces: conditions, clauses, counting, and their JSON form."""

from __future__ import annotations

import functools
import itertools
import json
import math
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.combinations import combinations
from assay.core.errors import SpaceError
from assay.core.jsonform import canonical, digest
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When, value_key
from assay.core.space import LostPredicate, Space
from assay.testing.sampler_contract import NESTED
from assay.testing.spaces import configs, spaces

A_OR_B = Choice(["a", "b"])


def brute(space):
    """Every config of a finite space, found by trying all values of all parameters."""
    found = {}
    values = [space[name].points(int(space[name].size)) for name in space]
    for combination in itertools.product(*values):
        config = dict(zip(space, combination, strict=True))
        active = {name: config[name] for name in space.active(config)}
        found[canonical(active)] = active
    return found


# --- properties


@given(space=spaces(), data=st.data())
def test_configs_lie_in_their_space(space, data):
    config = data.draw(configs(space))
    assert space.contains(config)
    assert space.settle(config) == config
    assert list(config) == space.active(config)
    assert space.allowed(config)


@given(space=spaces(), data=st.data())
def test_a_config_comes_back_from_the_unit_cube(space, data):
    config = data.draw(configs(space))
    point = space.to_unit(config)
    assert [u is not None for u in point] == [name in config for name in space]
    again = space.from_unit([0.0 if u is None else u for u in point])
    assert again.keys() == config.keys()
    for name, value in config.items():
        if isinstance(value, float) and space[name].size == math.inf:
            assert space[name].to_unit(again[name]) == pytest.approx(space[name].to_unit(value))
        else:
            assert value_key(again[name]) == value_key(value)


@given(space=spaces(), data=st.data())
def test_neither_more_nor_fewer_parameters_lie_in_a_space(space, data):
    config = data.draw(configs(space))
    assert not space.contains({**config, "nobody": 1})
    for name in config:
        smaller = {k: v for k, v in config.items() if k != name}
        assert not space.contains(smaller)
    for name in space.nodes.keys() - config.keys():
        assert not space.contains({**config, name: space[name].from_unit(0.5)})


@given(space=spaces())
def test_spaces_survive_json(space):
    form = json.loads(json.dumps(space.to_json()))
    again = Space.from_json(form)
    assert again == space
    assert hash(again) == hash(space)
    assert digest(again.to_json()) == digest(space.to_json())
    assert list(again) == list(space)


@given(space=spaces(clauses=False), order=st.randoms(use_true_random=False))
def test_the_order_of_parameters_makes_no_difference(space, order):
    names = list(space.to_json()["parameters"])
    order.shuffle(names)
    form = {"parameters": {name: space.to_json()["parameters"][name] for name in names}}
    assert Space.from_json(form) == space


@given(space=spaces(finite=True, clauses=False))
def test_size_counts_what_there_is(space):
    if math.prod(space[name].size for name in space) > 3000:
        return
    found = brute(space)
    assert space.size == len(found)
    listed = []
    for index in range(int(space.size)):
        config = {}
        space.combinations.put(index, config)
        listed.append(canonical(config))
    assert sorted(listed) == sorted(found)


@given(space=spaces(clauses=False), most=st.integers(1, 3))
def test_combinations_of_a_few_points_are_distinct_configs(space, most):
    block = combinations(list(space.nodes.values()), most)
    seen = set()
    for index in range(min(int(block.size), 300)):
        config = {}
        block.put(index, config)
        assert space.contains(config)
        seen.add(canonical(config))
    assert len(seen) == min(block.size, 300)


# --- counting


def test_size_of_continuous_and_conditional_spaces():
    assert Space(x=Float(0, 1)).size == math.inf
    assert Space(k=A_OR_B, x=When("k", "a", Float(0, 1))).size == math.inf
    assert Space(k=A_OR_B, x=When("k", "a", Int(1, 5))).size == 6
    assert NESTED.size == math.inf


def test_size_is_quick_for_many_parents():
    many = {f"p{i}": Choice([0, 1, 2]) for i in range(30)}
    many |= {f"c{i}": When(f"p{i}", 1, Int(1, 4)) for i in range(30)}
    assert Space(many).size == 6**30
    wide = {"p": Int(0, 9999), "c": When("p", [1, 2, 3], A_OR_B)}
    assert Space(wide).size == 9997 + 6


def test_size_follows_several_parents_of_one_child():
    child = When("a", 1, When("b", [0, 1], Int(1, 10)))
    space = Space(a=Choice([0, 1]), b=Choice([0, 1, 2]), child=child, d=When("child", 3, A_OR_B))
    assert space.size == len(brute(space)) == 1 * 3 + (2 * (9 + 2) + 1)


# --- conditions


def test_children_may_be_listed_before_their_parents():
    space = Space(child=When("kind", "a", Int(1, 3)), kind=A_OR_B)
    assert list(space) == ["kind", "child"]
    assert space.contains({"kind": "b"})


def test_a_child_of_an_inactive_parent_is_inactive():
    assert NESTED.active({"model": "linear", "optimizer": "sgd"}) == ["model"]
    assert NESTED.contains({"model": "net", "optimizer": "adam", "layers": 2})
    assert not NESTED.contains({"model": "tree", "depth": 3, "layers": 2, "momentum": 0.9})


def test_values_of_a_parent_are_told_apart_as_json():
    space = Space(p=Choice([1, True, "1", None]), c=When("p", True, Int(1, 2)))
    assert space.active({"p": True}) == ["p", "c"]
    assert space.active({"p": 1}) == ["p"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Space, "at least one parameter, got none"),
        (lambda: Space(a=3), "'a' must be Float, Int, .* got int: 3"),
        (lambda: Space({"": Int(0, 1)}), "needs a name, got ''"),
        (lambda: Space({3: Int(0, 1)}), "needs a name, got 3"),
        (lambda: Space({"a": Int(0, 1)}, a=Int(0, 1)), "'a' is given twice"),
        (
            lambda: Space(kind=A_OR_B, x=When("knid", "a", Int(0, 1))),
            "'x' depends on 'knid', which does not exist. Did you mean 'kind'",
        ),
        (
            lambda: Space(kind=A_OR_B, x=When("kind", "c", Int(0, 1))),
            "'x' is active when 'kind' is \"c\", a value that 'kind' never takes",
        ),
        (
            lambda: Space(a=When("b", "a", A_OR_B), b=When("a", "a", A_OR_B)),
            r"conditions of \['a', 'b'\] depend on each other in a circle",
        ),
        (lambda: Space(a=When("a", "a", A_OR_B)), "in a circle"),
        (lambda: Space(a=Float(0, 1), b=When("a", 0.5, Int(0, 1))), "no countable values"),
        (lambda: Space(a=Int(0, 1), forbid=[3]), "forbid takes expressions or functions .* got 3"),
        (lambda: Space(a=Int(0, 1), require="b > 1"), "no parameter 'b'"),
    ],
)
def test_impossible_spaces_are_refused_in_words(make, message):
    with pytest.raises(SpaceError, match=message):
        make()


# --- settling


SETTLED = Space(
    kind=Choice(["a", "b"], default="a"),
    x=When("kind", "a", Float(0, 1, default=0.5)),
    n=Int(1, 9),
    forbid="n == 9",
)


def test_settling_fills_in_defaults_and_settles_values():
    assert SETTLED.settle({"n": 3.0}) == {"kind": "a", "x": 0.5, "n": 3}
    assert type(SETTLED.settle({"n": 3.0})["n"]) is int


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nn": 1}, "No parameter 'nn'. Did you mean 'n'"),
        ({}, "'n' is missing, and it has no default"),
        ({"n": 10}, r"'n': 10 is outside \[1, 9\]"),
        ({"n": "x"}, "'n': Int needs a number"),
        (
            {"kind": "b", "x": 0.5, "n": 1},
            "'x' is not active .* needs 'kind' in .*\"a\".* Leave it",
        ),
        ({"n": 9}, r"\{'kind': 'a', 'x': 0.5, 'n': 9\} is not allowed: 'n == 9' is forbidden"),
    ],
)
def test_wrong_configs_are_refused_in_words(values, message):
    with pytest.raises(SpaceError, match=message):
        SETTLED.settle(values)
    assert not SETTLED.contains(values)


def test_defaults_are_a_config_or_none():
    assert SETTLED.defaults() is None
    space = Space(a=Choice([[1], [2]], default=[2]), b=When("a", [[1]], Int(0, 1)))
    space.defaults()["a"].append(3)
    assert space.defaults() == {"a": [2]}


def test_parameters_are_looked_up_by_name():
    assert SETTLED["n"] == Int(1, 9)
    assert len(SETTLED) == 3
    assert "n" in list(SETTLED)
    assert repr(Space(a=Int(0, 1))) == f"Space(a={Int(0, 1)!r})"
    with pytest.raises(SpaceError, match="No parameter 'm'"):
        SETTLED["m"]


def test_parameters_may_be_called_forbid_and_require():
    space = Space(forbid=Int(0, 1), require=Float(0, 1), parameters=Int(1, 2))
    assert set(space) == {"forbid", "require", "parameters"}
    assert not space.forbidden


# --- clauses


def no_large_sum(config):
    return config["a"] + config["b"] > 5


def asks_for_nobody(config):
    return config["bb"] > 5


class NoSmall:
    def __call__(self, config):
        return config["a"] < 2


def test_clauses_are_expressions_or_predicates():
    space = Space(a=Int(1, 5), b=Int(1, 5), forbid=[no_large_sum, "a == b"], require="a < b")
    assert space.contains({"a": 1, "b": 3})
    assert space.broken_clause({"a": 3, "b": 4}) == "'no_large_sum' is forbidden"
    assert space.broken_clause({"a": 2, "b": 2}) == "'a == b' is forbidden"
    assert space.broken_clause({"a": 3, "b": 1}) == "'a < b' is required"
    assert not Space(a=Int(1, 5), require=lambda c: c["a"] > 3).allowed({"a": 2})


def test_a_clause_about_an_inactive_parameter_does_not_apply():
    space = Space(
        kind=A_OR_B,
        a=When("kind", "a", Int(1, 5)),
        b=Int(1, 5),
        forbid=no_large_sum,
        require="a <= b",
    )
    assert space.contains({"kind": "b", "b": 5})
    assert not space.contains({"kind": "a", "a": 5, "b": 5})
    assert not space.contains({"kind": "a", "a": 2, "b": 1})


def test_a_predicate_that_asks_for_nobody_gets_a_hint():
    space = Space(a=Int(1, 5), b=Int(1, 5), forbid=asks_for_nobody)
    with pytest.raises(SpaceError, match=r"No parameter 'bb'\. Did you mean 'b'"):
        space.allowed({"a": 1, "b": 2})


def test_a_stored_space_names_its_predicates_but_cannot_run_them():
    space = Space(a=Int(1, 5), b=Int(1, 5), forbid=[no_large_sum, "a == b"])
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert isinstance(again.forbidden[0], LostPredicate)
    with pytest.raises(
        SpaceError, match="predicate 'no_large_sum', which a study file does not hold"
    ):
        again.allowed({"a": 1, "b": 2})


def test_predicates_are_told_apart_by_their_source():
    forms = [
        Space(a=Int(1, 5), forbid=clause).to_json()
        for clause in (
            lambda c: c["a"] > 3,
            lambda c: c["a"] > 4,
            eval("lambda c: c['a'] > 3"),
            eval("lambda c: c['a'] > 4"),
            eval("lambda c: c['b'] > 4"),
            NoSmall(),
            functools.partial(no_large_sum),
        )
    ]
    assert len({digest(form) for form in forms}) == len(forms)


def test_a_plan_with_odd_predicates_has_the_same_hash_in_every_process():
    program = (
        "import functools\n"
        "from assay.core.jsonform import digest\n"
        "from assay.core.parameters import Int\n"
        "from assay.core.space import Space\n"
        "def f(c): return c['a'] > 3\n"
        "clauses = [functools.partial(f), f, lambda c: all(x > 3 for x in [c['a']])]\n"
        "print(digest(Space(a=Int(1, 5), forbid=clauses).to_json()))\n"
    )
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True) for _ in range(2)]
    assert runs[0].stdout
    assert runs[0].stdout == runs[1].stdout, runs[0].stderr


# --- as values


def test_spaces_are_values():
    space = Space(a=Choice([1, 2]), b=Int(1, 5), forbid="a > b")
    assert pickle.loads(pickle.dumps(space)) == space
    assert space != Space(a=Choice([1, 2]), b=Int(1, 5))
    assert Space(a=Choice([1])) != Space(a=Choice([True]))
    assert space != {"a": 1}
    assert space.key({"a": 1, "b": 2}) == space.key({"b": 2, "a": 1}) == '{"a":1,"b":2}'


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ([], "needs an object 'parameters', got"),
        ({"parameters": []}, "needs an object 'parameters'"),
        ({"parameters": {}}, "at least one parameter"),
        ({"parameters": {"a": 3}}, "'a' needs an object with a 'type', got 3"),
        ({"parameters": {"a": {"type": "int", "low": 3, "high": 1}}}, "'a': Int needs low < high"),
        (
            {"parameters": {"a": {"type": "int", "low": 1, "high": 3, "when": [3]}}},
            r"'a': 'when' is",
        ),
        ({"parameters": {"a": {"type": "int", "low": 1, "high": 3, "when": 3}}}, r"'a': 'when' is"),
        (
            {"parameters": {"a": {"type": "choice", "values": [1]}}, "forbit": []},
            "no entry 'forbit'",
        ),
        ({"parameters": {"a": {"type": "choice", "values": [1]}}, "forbid": [3]}, "A clause is"),
        (
            {"parameters": {"a": {"type": "choice", "values": [1]}}, "forbid": {"b": 1}},
            "A clause is",
        ),
    ],
)
def test_wrong_json_forms_are_refused(form, message):
    with pytest.raises(SpaceError, match=message):
        Space.from_json(form)


def test_a_single_clause_need_not_be_a_list():
    form = {"parameters": {"a": {"type": "int", "low": 1, "high": 5}}, "forbid": "a > 3"}
    assert not Space.from_json(form).allowed({"a": 4})


def test_the_json_form_stays_as_it_is():
    space = Space(
        kind=Choice(["a", None, 1.5], default="a"),
        lr=When("kind", ["a", None], Float(0.001, 1, log=True)),
        size=When("kind", "a", When("lr_on", True, Ordinal([1, 2]))),
        lr_on=Constant(True),
        n=Int(1, 9, step=2, default=3),
        require="n < 8",
    )
    assert space.to_json() == {
        "parameters": {
            "kind": {"type": "choice", "values": ["a", None, 1.5], "default": "a"},
            "lr": {
                "type": "float", "low": 0.001, "high": 1.0, "scale": "log",
                "when": [["kind", ["a", None]]],
            },
            "lr_on": {"type": "choice", "values": [True], "default": True},
            "size": {
                "type": "ordinal", "values": [1, 2], "when": [["kind", ["a"]], ["lr_on", [True]]],
            },
            "n": {"type": "int", "low": 1, "high": 9, "scale": "linear", "step": 2, "default": 3},
        },
        "require": ["n < 8"],
    }  # fmt: skip


def test_what_depends_on_a_replaced_parameter_stays_as_far_as_it_can_be_active():
    space = Space(
        kind=Choice(["a", "b", "c"]),
        one=When("kind", "a", Int(1, 3)),
        two=When("kind", ["a", "b"], Choice([True, False])),
        three=When("two", True, Int(1, 3)),
        forbid=["one == 2", "three == 2"],
    )
    assert space.changed([], {"kind": Constant("c")}).names == ("kind",)
    held = space.changed([], {"kind": Constant("b"), "new": When("kind", "b", Int(0, 1))})
    assert held.names == ("kind", "two", "three", "new")
    assert [str(clause.text) for clause in held.forbidden] == ["three == 2"]
    assert held.active({"kind": "b", "two": True}) == list(held)
