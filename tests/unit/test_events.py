"""Events: each kind survives its stored form, and the stored form never changes."""

from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core import events
from assay.core.errors import StoreError
from assay.core.events import Asked, Event, Told, Wish, decode, encode
from assay.core.jobs import BrokenKind
from assay.testing.spaces import JSON_VALUES

KINDS = get_args(Event)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.integers(-1, 10**6)
UNIT = st.tuples(*[st.integers(0, 2000)] * 3)
OBJECT = st.dictionaries(TEXT, JSON_VALUES, max_size=3)
BY_TYPE = {
    "int": NUMBER, "int | None": st.none() | NUMBER, "str": TEXT, "str | None": st.none() | TEXT,
    "float": FLOAT, "float | None": st.none() | FLOAT, "Any": JSON_VALUES, "Unit": UNIT,
    "tuple[Unit, ...]": st.lists(UNIT, max_size=3).map(tuple),
    "tuple[dict[str, Any], ...]": st.lists(OBJECT, max_size=2).map(tuple),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[int, ...]": st.lists(NUMBER, max_size=3).map(tuple),
    "tuple[float, ...]": st.lists(FLOAT, max_size=3).map(tuple),
    "dict[str, Any]": OBJECT, "dict[str, Any] | None": st.none() | OBJECT,
    "dict[str, float] | None": st.none() | st.dictionaries(TEXT, FLOAT, max_size=3),
    "list[dict[str, Any]]": st.lists(OBJECT, max_size=2),
    "BrokenKind": st.sampled_from(get_args(BrokenKind)),
    "Wish": st.sampled_from(get_args(Wish)),
}  # fmt: skip


def made(kind):
    return st.builds(kind, **{name: BY_TYPE[type_] for name, type_ in kind.__annotations__.items()})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_events_survive_their_stored_form(kind, data):
    event = data.draw(made(kind))
    again = decode(encode(event))
    assert type(again) is kind
    assert again == event
    assert encode(again) == encode(event)
    assert json.loads(encode(event))["type"] == kind.__struct_config__.tag


def test_the_stored_names_stay_what_they_are():
    assert {kind.__struct_config__.tag: list(kind.__struct_fields__) for kind in KINDS} == {
        "created": ["spec", "plan", "source"],
        "environment": ["facts"],
        "joined": ["worker", "host", "differs"],
        "sealed": ["seal", "rows", "level", "sha256", "sketch", "note"],
        "inspected": ["scope", "verdict", "findings"],
        "enqueued": ["config", "source", "note"],
        "learned": ["study", "plan", "head", "trials", "configs", "losses"],
        "asked": ["trial", "config", "seen", "origin", "why", "results_before", "until"],
        "paused": ["trial", "step", "reason", "checkpoint", "cpu_s", "wall_s"],
        "stopped": ["trial", "step", "reason", "cpu_s", "wall_s"],
        "resumed": ["trial", "until", "reason", "since"],
        "reported": ["trial", "step", "value", "others"],
        "measured": ["trial", "stage", "unit", "value", "train", "rows", "cpu_s", "wall_s"],
        "told": ["trial", "values", "extra", "cpu_s", "wall_s"],
        "failed": ["trial", "kind", "reason", "output", "cpu_s", "wall_s"],
        "broke": ["trial", "stage", "units", "kind", "reason", "output", "cpu_s", "wall_s"],
        "retried": ["trial", "attempt", "kind", "reason"],
        "exhausted": ["reason"],
        "ended": ["trials", "seconds"],
        "selected": ["trial", "challenger", "rule", "reason", "table"],
        "frozen": ["contenders", "refits", "plan"],
        "opening": ["look", "frozen", "contenders", "reason"],
        "opened": ["look", "results"],
        "voided": ["reason"],
        "metered": ["source", "kwh", "seconds", "cpu_s"],
        "ablated": ["ablation", "plan"],
        "varied": ["ablation", "study", "plan", "on", "search", "budget"],
        "attributed": ["ablation", "result"],
        "audited": ["trial", "study", "result"],
        "estimated": ["final", "results"],
        "deviated": ["what", "before", "after", "reason"],
        "noted": ["text", "trial"],
        "steered": ["wish", "reason"],
        "concluded": ["verdict"],
    }


def test_events_are_frozen_and_every_one_has_a_docstring():
    with pytest.raises(AttributeError):
        Told(0, (1.0,)).trial = 1
    assert all(kind.__doc__ for kind in KINDS)


def test_a_report_of_one_value_is_written_as_ever():
    assert (
        encode(events.Reported(3, 1, 0.5)) == b'{"type":"reported","trial":3,"step":1,"value":0.5}'
    )
    several = encode(events.Reported(3, 1, 0.5, (8.0,)))
    assert json.loads(several)["others"] == [8.0]


def test_what_is_usual_is_not_written():
    assert encode(Asked(0, {"a": 1}, 3)) == b'{"type":"asked","trial":0,"config":{"a":1},"seen":3}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b'{"type":"asked"}',
        b'{"type":"unheard"}',
        b'{"type":"told","trial":0,"values":[null]}',
        b'{"type":"told","trial":"0","values":[1]}',
        b'{"type":"failed","trial":0,"kind":"odd","reason":""}',
        b'\xff\xfe{"type":"noted","text":""}',
    ],
)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(StoreError, match="Cannot read an event"):
        decode(text)


def test_the_union_lists_every_event():
    structs = [
        value
        for value in vars(events).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value is not msgspec.Struct
    ]
    assert set(structs) == set(KINDS)
