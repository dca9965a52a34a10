"""What the messages of a job become in the log. Changes nothing; the loop does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from assay.core.errors import SpecError
from assay.core.events import Broke, Event, Failed, Measured, Reported, Retried, Told
from assay.core.history import History
from assay.core.jobs import Broken, BrokenKind, Done, Job, Measurement, Message, Step, Unit
from assay.core.spec import StudySpec
from assay.engine.plan import told
from assay.engine.reported import reported


@dataclass
class Running:
    """A job that was submitted, what the log has of its trial, and the events that it gave so far.

    `cut`: its trial is paused or stopped; what it says from now on is not heard.
    """

    job: Job
    retries: list[BrokenKind] = field(default_factory=list)
    steps: dict[int, tuple[float, ...]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    cut: bool = False

    def hold(self, new: Sequence[Event]) -> None:
        """Remember the events of one message."""
        self.events += new
        self.steps |= {e.step: (e.value, *e.others) for e in new if isinstance(e, Reported)}

    @property
    def measured(self) -> dict[Unit, Measured]:
        """What it has measured so far."""
        return {event.unit: event for event in self.events if isinstance(event, Measured)}

    @property
    def left(self) -> tuple[Unit, ...]:
        """The units it has not measured."""
        return tuple(unit for unit in self.job.units if unit not in self.measured)


def is_part(job: Job, spec: StudySpec) -> bool:
    """Whether a job is to bring its trial to a step below the full fidelity, and no further."""
    fidelity = spec.space.fidelity
    part = job.until is not None and fidelity is not None and job.until < fidelity.most
    return part and job.stage == "search"


@dataclass(frozen=True)
class Heard:
    """The events of one message, and the rows' losses that they name by their hash.

    `scheduled`: trials are compared on their way, so that each needs a report at the step that it
    was granted.
    """

    spec: StudySpec
    history: History
    running: Running
    scheduled: bool

    def events(self, message: Message) -> tuple[list[Event], dict[str, bytes]]:
        job = self.running.job
        match message:
            case Step():
                return self._step(message) if job.stage == "search" else [], {}
            case Measurement():
                return _measured(job, message) if message.unit in self.running.left else ([], {})
            case Done():
                return self._done(message), {}
            case Broken():
                return self._broken(message), {}

    def _step(self, message: Step) -> list[Event]:
        try:
            values = reported(message.value, self.spec)
        except SpecError as error:
            return self._invalid(str(error), message)
        if self.running.steps.get(message.step) == values:
            return []  # a resumed trial reports what the log already holds
        return [Reported(self.running.job.trial, message.step, values[0], values[1:])]

    def _done(self, message: Done) -> list[Event]:
        job, spec = self.running.job, self.spec
        if spec.data:
            ended = self._told()
            return [ended] if ended else []
        if wrong := _wrong_names(message.values, spec):
            return self._invalid(wrong, message)
        values = _values(message.values, spec)
        cost = (message.cpu_s, message.wall_s)
        if job.stage != "search":
            return [Measured(job.trial, job.stage, job.units[0], values[0], None, None, *cost)]
        reached = self._reached(values)
        if is_part(job, spec):
            return reached
        own = {*spec.directions, "value"}
        extra = {name: value for name, value in message.values.items() if name not in own}
        return [*reached, Told(job.trial, values, extra or None, *cost)]

    def _reached(self, values: tuple[float, ...]) -> list[Event]:
        """The value as a report, of a trial whose last one is not of the step that it was granted.

        One that reported on the way and may go all the way has ended by itself, and reached no more.
        """
        job, fidelity = self.running.job, self.spec.space.fidelity
        if not self.scheduled or job.until is None or fidelity is None:
            return []
        step = self.history.runs()[job.trial].step
        ended = fidelity.goes_on and not is_part(job, self.spec) and step > job.since
        if ended or step == job.until:
            return []
        return [Reported(job.trial, job.until, values[0], values[1:])]

    def _told(self) -> Told | None:
        """How a trial on data ends, if this job measured what was still missing of it."""
        job = self.running.job
        if job.stage != "search":
            return None
        measured = self.history.units(job.trial, "search") | self.running.measured
        return told(self.spec, job.trial, measured)

    def _invalid(self, reason: str, message: Step | Done) -> list[Event]:
        return self._broken(
            Broken(kind="invalid", reason=reason, cpu_s=message.cpu_s, wall_s=message.wall_s)
        )

    def _broken(self, message: Broken) -> list[Event]:
        job, kind = self.running.job, message.kind
        said = (kind, message.reason, message.output, message.cpu_s, message.wall_s)
        if kind == "cancelled":
            return []  # what is missing is measured when the study is resumed
        if job.stage != "search":
            left = self.running.left
            return [Broke(job.trial, job.stage, left, *said)] if left else []
        if ended := self._told():  # it broke after its last measurement
            return [ended]
        before = [(k == "lost") == (kind == "lost") for k in self.running.retries]
        if sum(before) < self.spec.limits.again(kind):
            return [Retried(job.trial, len(before) + 1, kind, message.reason)]
        return [Failed(job.trial, *said)]


def _measured(job: Job, message: Measurement) -> tuple[list[Event], dict[str, bytes]]:
    rows = sha256(message.rows).hexdigest() if message.rows is not None else None
    event = Measured(
        job.trial,
        job.stage,
        message.unit,
        message.value,
        message.train,
        rows,
        message.cpu_s,
        message.wall_s,
    )
    return [event], {rows: message.rows} if rows and message.rows is not None else {}


def _wrong_names(values: Mapping[str, float], spec: StudySpec) -> str | None:
    own = () if spec.single and "value" in values else spec.objectives
    needed = [*own, *(bound.name for bound in spec.bounds if bound.name not in spec.directions)]
    if all(name in values for name in needed):
        return None
    said = f"the objective returned {sorted(values)}, but the study needs {needed}. "
    if needed == ["value"]:
        name = next(iter(values), "loss")
        return (
            f'{said}Return one number, or say what is better: direction={{"{name}": "minimize"}}.'
        )
    return f"{said}Return a dict with these names."


def _values(values: Mapping[str, float], spec: StudySpec) -> tuple[float, ...]:
    if spec.single:
        (name,) = spec.objectives
        return (values[name] if name in values else values["value"],)
    return tuple(values[name] for name in spec.objectives)
