"""What happened, in order. Events are the only thing that a study stores.

Stored names (`tag`) and fields never change their meaning and are never reused: a study written by
any released version stays readable. Values are kept in the user's own direction and units. Who
wrote an event, when and with which version belongs to the stored row, not to the event.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from assay.core.errors import StoreError
from assay.core.jobs import BrokenKind, Unit

FLOOR = -1
"""The trial number under which the dummy model's values are kept."""
CONTROL = 0
"""The trial number of the control group, when there is one."""
Wish: TypeAlias = Literal["pause", "go on", "stop"]


class Created(Struct, frozen=True, tag="created", omit_defaults=True):
    """A study begins with its whole plan; `plan` is the plan's hash.

    `source` says how to load the data again; it is no part of the plan.
    """

    spec: dict[str, Any]
    plan: str
    source: dict[str, Any] | None = None


class Environment(Struct, frozen=True, tag="environment"):
    """Where it runs; written at the start and again when something changed."""

    facts: dict[str, Any]


class Joined(Struct, frozen=True, tag="joined"):
    """A worker elsewhere joined, whose environment differs from the recorded one: in what, in words."""

    worker: str
    host: str
    differs: tuple[str, ...]


class Sealed(Struct, frozen=True, tag="sealed"):
    """The test rows were set apart before anything was fitted."""

    seal: str
    rows: int
    level: str
    sha256: str
    sketch: str
    note: str = ""


class Inspected(Struct, frozen=True, tag="inspected"):
    """The checks before the first trial: their verdict, and what each found.

    `scope` is "quick" (no fit of the model) or "full".
    """

    scope: str
    verdict: str
    findings: tuple[dict[str, Any], ...]


class Enqueued(Struct, frozen=True, tag="enqueued", omit_defaults=True):
    """A config to be tried before the sampler's, with where it comes from."""

    config: dict[str, Any]
    source: str = ""
    note: str = ""


class Learned(Struct, frozen=True, tag="learned"):
    """What an earlier study found, taken over before the first trial, so that the log needs no other.

    `study`, `plan`, `head` (the hash of its last row) and `trials` say which study, and how far it
    had come; `configs` are some of its configs, as far as this space has their parameters; `losses`
    are those of the configs as normal scores of their ranks among all its trials, lower is better.
    """

    study: str
    plan: str
    head: str
    trials: int
    configs: list[dict[str, Any]]
    losses: tuple[float, ...]


class Asked(Struct, frozen=True, tag="asked", omit_defaults=True):
    """A config was proposed after seeing the first `seen` events of the log.

    `origin` is "control", "given" or "sampler"; `why` is what the proposer says of its choice. In
    strict order it saw the results of the trials before `results_before`, and no others.
    `until` is the step of the fidelity to which it may run; None: all of it.
    """

    trial: int
    config: dict[str, Any]
    seen: int
    origin: str = "sampler"
    why: dict[str, Any] | None = None
    results_before: int | None = None
    until: int | None = None


class Paused(Struct, frozen=True, tag="paused", omit_defaults=True):
    """A trial came to `step` and waits for more; `reason` in words and numbers.

    `checkpoint` is the hash of the files that it left to go on from. CPU and wall seconds are those
    since it was started or resumed.
    """

    trial: int
    step: int
    reason: str
    checkpoint: str | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Stopped(Struct, frozen=True, tag="stopped", omit_defaults=True):
    """A trial was cut at `step`, for good: it has no value, and can never be selected."""

    trial: int
    step: int
    reason: str
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Resumed(Struct, frozen=True, tag="resumed", omit_defaults=True):
    """A paused trial gets more, until a step. It goes on from step `since`; 0: it begins anew."""

    trial: int
    until: int
    reason: str
    since: int = 0


class Reported(Struct, frozen=True, tag="reported", omit_defaults=True):
    """An intermediate value of a running trial; `others` are those of the further objectives."""

    trial: int
    step: int
    value: float
    others: tuple[float, ...] = ()


class Measured(Struct, frozen=True, tag="measured", omit_defaults=True):
    """One unit of a config was evaluated; `rows` is the hash of the blob of per-row values."""

    trial: int
    stage: str
    unit: Unit
    value: float
    train: float | None = None
    rows: str | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Told(Struct, frozen=True, tag="told", omit_defaults=True):
    """A trial ended with a value for each objective; `extra` are other numbers it returned."""

    trial: int
    values: tuple[float, ...]
    extra: dict[str, float] | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Failed(Struct, frozen=True, tag="failed", omit_defaults=True):
    """A trial ended without a value."""

    trial: int
    kind: BrokenKind
    reason: str
    output: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Broke(Struct, frozen=True, tag="broke", omit_defaults=True):
    """An evaluation outside the search (control repeats, recheck, test) gave no value."""

    trial: int
    stage: str
    units: tuple[Unit, ...]
    kind: BrokenKind
    reason: str
    output: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Retried(Struct, frozen=True, tag="retried"):
    """A trial broke and is run again."""

    trial: int
    attempt: int
    kind: BrokenKind
    reason: str


class Exhausted(Struct, frozen=True, tag="exhausted"):
    """The search ended before its budget: every config of the space was tried."""

    reason: str


class Ended(Struct, frozen=True, tag="ended", omit_defaults=True):
    """The search is over, after so many trials: its budget was used, or nothing was left to try.

    `seconds` is the wall-clock time that it used, if the budget limits that: the log alone does not
    tell. It holds until the budget is changed or another trial is asked for.
    """

    trials: int
    seconds: float = 0.0


class Selected(Struct, frozen=True, tag="selected"):
    """The search is over: `challenger` did best on fresh units; `trial` is what the rule keeps."""

    trial: int
    challenger: int
    rule: str
    reason: str
    table: list[dict[str, Any]]


class Frozen(Struct, frozen=True, tag="frozen"):
    """The contenders are named; from here on nothing more is searched."""

    contenders: tuple[int, ...]
    refits: int
    plan: str


class Opening(Struct, frozen=True, tag="opening", omit_defaults=True):
    """The sealed test set is about to be opened: written before any prediction is made."""

    look: int
    frozen: str
    contenders: tuple[int, ...]
    reason: str = ""


class Opened(Struct, frozen=True, tag="opened"):
    """What the test set said of each contender."""

    look: int
    results: dict[str, Any]


class Voided(Struct, frozen=True, tag="voided"):
    """The seal was given up."""

    reason: str


class Metered(Struct, frozen=True, tag="metered"):
    """A meter counted energy: so many kWh in `seconds`, in which the log gained `cpu_s` of CPU time.

    A reading that failed is not here: what it would have covered is estimated.
    """

    source: str
    kwh: float
    seconds: float
    cpu_s: float


class Ablated(Struct, frozen=True, tag="ablated"):
    """An ablation was planned: its components, design, budget for each search, and fresh units.

    `ablation` is the hash of `plan`.
    """

    ablation: str
    plan: dict[str, Any]


class Varied(Struct, frozen=True, tag="varied"):
    """A variant is tuned in a study of its own: its name and plan, what is on, which search it is."""

    ablation: str
    study: str
    plan: str
    on: tuple[str, ...]
    search: int
    budget: dict[str, Any]


class Attributed(Struct, frozen=True, tag="attributed"):
    """What an ablation found of each component, in words and numbers."""

    ablation: str
    result: dict[str, Any]


class Audited(Struct, frozen=True, tag="audited"):
    """Which of the changes of the winner, trial `trial`, did the work, as study `study` measured it."""

    trial: int
    study: str
    result: dict[str, Any]


class Estimated(Struct, frozen=True, tag="estimated"):
    """What rows that had no part in a choice say of the whole procedure, where no test set was sealed.

    `final` is "bbc" or "nested".
    """

    final: str
    results: dict[str, Any]


class Deviated(Struct, frozen=True, tag="deviated"):
    """Something was done off plan, and why."""

    what: str
    before: Any
    after: Any
    reason: str


class Noted(Struct, frozen=True, tag="noted", omit_defaults=True):
    """A remark by a person, on the study or on one trial."""

    text: str
    trial: int | None = None


class Steered(Struct, frozen=True, tag="steered", omit_defaults=True):
    """Whoever drives the study is asked to pause, to go on, or to end when the running trials have.

    It holds until the next one; a new driver goes on, and says so.
    """

    wish: Wish
    reason: str = ""


class Concluded(Struct, frozen=True, tag="concluded"):
    """The verdict, in words and numbers."""

    verdict: dict[str, Any]


Event: TypeAlias = (
    Created | Environment | Joined | Sealed | Inspected | Enqueued | Learned | Asked | Paused | Stopped | Resumed | Reported
    | Measured | Told | Failed | Broke | Retried | Exhausted | Ended | Selected | Frozen | Opening | Opened | Voided | Metered
    | Ablated | Varied | Attributed | Audited | Estimated | Deviated | Noted | Steered | Concluded
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The stored JSON text of an event.

    >>> encode(Told(3, (0.5,)))
    b'{"type":"told","trial":3,"values":[0.5]}'
    """
    return _encoder.encode(event)


def decode(text: bytes | str) -> Event:
    """The event that `encode` wrote.

    Raises:
        StoreError: not an event that this version knows.
    """
    try:
        event: Event = _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise StoreError(f"Cannot read an event: {error}. Text: {str(text)[:200]}") from None
    return event
