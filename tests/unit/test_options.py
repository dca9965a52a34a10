"""What `assay tune` can be told, and study files."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api.options import TuneOptions, options_from, read_options
from assay.api.programs import ProgramOptions, schema
from assay.core.errors import SpecError

values = st.fixed_dictionaries(
    {"data": st.just("a.csv")},
    optional={
        "target": st.text(max_size=5),
        "trials": st.none() | st.integers(1, 99),
        "smallest_gain": st.none() | st.floats(0, 1) | st.integers(0, 1),
        "drop": st.lists(st.text(max_size=3), max_size=3),
        "open_test": st.booleans(),
        "space": st.none() | st.just({"x": {"kind": "float"}}),
        "given": st.lists(st.just({"config": {"x": 1}}), max_size=2),
        "evidence": st.just({"repeats": 3}),
        "seed": st.integers(0, 9),
    },
)


@given(values)
def test_options_survive_their_stored_form(form):
    options = options_from(form)
    assert options_from(json.loads(json.dumps(options.to_json()))) == options


@given(values)
def test_only_what_differs_from_the_defaults_is_stored(form):
    stored = options_from(form).to_json()
    assert stored["data"] == "a.csv"
    default = TuneOptions("a.csv")
    for name, value in stored.items():
        if name != "data":
            assert value != getattr(default, name)


def test_defaults_alone_store_the_file_alone():
    assert TuneOptions("a.csv").to_json() == {"data": "a.csv"}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"data": "a.csv", "trails": 3}, "Did you mean 'trials'"),
        ({"data": "a.csv", "trials": "many"}, "a whole number"),
        ({"data": "a.csv", "trials": 1.5}, "a whole number"),
        ({"data": "a.csv", "trials": True}, "a whole number"),
        ({"data": "a.csv", "test": "half"}, "a number"),
        ({"data": "a.csv", "open_test": "yes"}, "true or false"),
        ({"data": "a.csv", "drop": "id"}, "a list"),
        ({"data": "a.csv", "drop": [1]}, "a list"),
        ({"data": "a.csv", "space": []}, "a table"),
        ({"data": 3}, "a text"),
        ({"target": "y"}, "'data' is missing"),
        ([], "a table of options"),
        ("a.csv", "a table of options"),
    ],
    ids=str,
)
def test_a_wrong_entry_says_where_what_and_how(form, words):
    with pytest.raises(SpecError) as error:
        options_from(form, where="study.toml")
    assert words in str(error.value)
    assert "study.toml" in str(error.value)


def test_a_file_is_read_from_toml_or_json(tmp_path):
    (tmp_path / "s.toml").write_text('data = "a.csv"\ntrials = 5\n[evidence]\nrepeats = 2\n')
    (tmp_path / "s.json").write_text(
        '{"$schema": "x", "data": "a.csv", "trials": 5, "evidence": {"repeats": 2}}'
    )
    one, two = read_options(tmp_path / "s.toml"), read_options(tmp_path / "s.json")
    assert one == two == TuneOptions("a.csv", trials=5, evidence={"repeats": 2})


def test_the_data_may_lie_beside_the_study_file(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "s.toml").write_text('data = "a.csv"\n')
    assert read_options(tmp_path / "s.toml").data == str(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [("s.toml", "data = "), ("s.json", "{"), ("s.toml", "\xff"), ("no.toml", None)],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text):
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(SpecError, match=name.replace(".", r"\.")):
        read_options(path)


def test_the_schema_knows_every_option_and_nothing_else():
    form = schema()["else"]
    names = {field.name for field in fields(TuneOptions)}
    assert set(form["properties"]) == names | {"$schema", "ablation"}
    assert form["additionalProperties"] is False
    assert form["properties"]["open_test"] == {"type": "boolean"}
    assert form["properties"]["drop"] == {"type": "array", "items": {"type": "string"}}
    assert {"type": "null"} in form["properties"]["trials"]["anyOf"]
    json.dumps(form)


def test_the_schema_knows_the_file_of_a_program():
    form = schema()
    assert form["if"] == {"required": ["command"]}
    names = {field.name for field in fields(ProgramOptions)}
    assert set(form["then"]["properties"]) == names | {"$schema"}
    assert form["then"]["required"] == ["command", "space"]
    assert {"type": "string"} in form["then"]["properties"]["minimize"]["anyOf"]


def test_a_file_may_begin_with_the_mark_of_an_editor(tmp_path):
    (tmp_path / "study.toml").write_text('data = "a.csv"\ntrials = 5', encoding="utf-8-sig")
    assert read_options(tmp_path / "study.toml").trials == 5


def test_every_option_is_described():
    for field in fields(TuneOptions):
        assert field.name in TuneOptions.__doc__
