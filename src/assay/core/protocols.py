"""The plug-in points. Anything with these methods fits; there is nothing to inherit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from assay.core.events import Event
from assay.core.jobs import Job, Message
from assay.core.runs import Resume, Run, Verdict
from assay.core.space import Space

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History


class Proposal(NamedTuple):
    """A config, and what the sampler says of its choice."""

    config: dict[str, Any]
    why: dict[str, Any] | None = None


class ExhaustedError(Exception):
    """A sampler has no config left that was not tried; the message says so in words."""


class Sampler(Protocol):
    """Proposes configs. Pure: equal arguments give an equal proposal; no I/O, no clock."""

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: every config of the space was tried.
        """
        ...


class Scheduler(Protocol):
    """Says which trials get more. Pure: equal runs give equal answers; no I/O, no clock, no chance.

    One that pauses trials may have `over(runs, coming)`, the paused trials that get no more, when at most
    `coming` further trials begin (None: not known): their checkpoints are removed.
    """

    def start(self, runs: Sequence[Run]) -> int:
        """The step to which the next new trial runs without another decision."""
        ...

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """What becomes of a trial after its newest report, which is part of `runs`.

        Args:
            runs: all trials, by number.
            trial: the one that reported. At `until`, below the full fidelity, it cannot just go on.
        """
        ...

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Who gets a free slot; None: a new trial."""
        ...


class Forecast(Protocol):
    """Says what trials that were evaluated in part promise. Pure: a function of the history."""

    def promises(self, history: History, apart: int | None = None) -> Sequence[float | None]:
        """`Run.promise` for each trial by number.

        Args:
            history: what is known.
            apart: the running trial that is being judged; of the others it is believed that they end.
        """
        ...


@runtime_checkable
class Informed(Protocol):
    """A scheduler that is shown what it asks for, instead of the plain runs of a history."""

    def look(self, history: History, trial: int | None) -> Sequence[Run]:
        """The runs for its next decision: on `trial` after a report, or, for None, on a free slot."""
        ...


class Row(NamedTuple):
    """A stored event in its envelope. `hash` chains it to the row before."""

    seq: int
    time: str
    actor: str
    version: int
    body: bytes
    hash: str


Blobs: TypeAlias = Mapping[str, bytes]


class Store(Protocol):
    """An append-only log for each study, and blobs by the hash of their content."""

    def append(
        self, study: str, events: Sequence[Event], *, after: int, blobs: Blobs | None = None
    ) -> int:
        """Append all `events`, or none, if the log still has `after` events; durable on return.

        Reports alone need only survive the end of any process until the next append, which brings
        them to the disk with its own events.

        Returns:
            The new length.

        Raises:
            ConflictError: the log does not have `after` events: another writer was first.
            StoreError: it could not be written; nothing was.
        """
        ...

    def read(self, study: str, *, after: int = 0, most: int | None = None) -> Sequence[Event]:
        """The events from number `after` on, `most` at most; empty for a study that does not exist."""
        ...

    def rows(self, study: str, *, after: int = 0, most: int | None = None) -> Sequence[Row]:
        """The same with their envelopes, for audits and exports."""
        ...

    def studies(self) -> Sequence[str]:
        """The names of the studies, oldest first."""
        ...

    def blob(self, sha256: str) -> bytes:
        """The blob with this hash.

        Raises:
            TamperError: it is missing, or its content does not have this hash.
        """
        ...

    def acquire(self, study: str) -> None:
        """Become the one driver of a study, until `release` or the end of this process.

        Raises:
            StateError: another live process drives it; the message names it.
        """
        ...

    def release(self, study: str) -> None:
        """Give the study free for another driver."""
        ...

    def driver(self, study: str) -> Any:
        """The process that drives a study now, as an object with `pid` and `host`; None: nobody."""
        ...

    def board(self, study: str) -> Board:
        """Where the driver of a study and workers elsewhere meet."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Member(NamedTuple):
    """A worker that has joined a study. `beats` rises as long as it lives.

    `worker` is a name that is never used again; `place`, `pid` and `birth` tell a process of the same
    machine whether it lives; `slots` is how many jobs it runs at once, and `differs` says in words how
    its environment differs from the one that the log holds.
    """

    worker: str
    host: str
    place: str
    pid: int
    birth: str
    slots: int
    differs: tuple[str, ...] = ()
    beats: int = 0


class Task(NamedTuple):
    """A job on the board, and the worker that claimed it, if one did.

    A task is claimed once and its number is never used again, so the number is the fencing token: a
    worker that comes back too late delivers to a task that is gone.
    """

    number: int
    job: Job
    worker: str | None


class Letter(NamedTuple):
    """A message of a task, as it lies on the board; `number` rises with each."""

    number: int
    task: int
    message: Message


class Board(Protocol):
    """Where the driver of one study leaves jobs for workers elsewhere, and they leave messages.

    It is no part of the log: what lies here is copied into the log by the driver, and then settled.
    Every call is one transaction; what it wrote is durable on return. A driver that has lost its seat
    gets a StateError from the calls that change something.
    """

    def post(self, jobs: Sequence[Job]) -> list[int]:
        """The driver: offer jobs; their task numbers, rising."""
        ...

    def tasks(self) -> list[Task]:
        """The driver: all tasks that are not settled, oldest first."""
        ...

    def letters(self, *, after: int = 0) -> list[Letter]:
        """The driver: what was delivered later than letter `after`, in order.

        The letters of one worker come in the order in which it delivered them, and none appears
        later below a number that was seen already.
        """
        ...

    def settle(self, tasks: Sequence[int]) -> None:
        """The driver: remove tasks with their letters; whoever works on them loses them.

        Numbers that are settled already are left alone.
        """
        ...

    def crew(self) -> list[Member]:
        """The driver: the workers that have joined and not left, in the order in which they came."""
        ...

    def dismiss(self, worker: str) -> None:
        """The driver: forget a worker that went silent. Nothing that it sends is accepted any more.

        What it delivered before stays until its tasks are settled.
        """
        ...

    def join(self, member: Member) -> None:
        """A worker: be counted, under a name that nobody had before. A second time changes nothing."""
        ...

    def leave(self, worker: str) -> None:
        """A worker: be counted no more. It has ended its tasks itself, each with a last message."""
        ...

    def beat(self, worker: str) -> frozenset[int] | None:
        """A worker: live; the tasks that it claimed and that are not settled.

        None: it was dismissed, and has to join anew under another name.
        """
        ...

    def claim(self, worker: str, limit: int) -> list[Task]:
        """A worker: take up to `limit` tasks, the oldest first; nobody else gets them.

        Nothing for one that was dismissed.
        """
        ...

    def deliver(self, worker: str, messages: Sequence[tuple[int, Message]]) -> frozenset[int]:
        """A worker: leave messages by task number, all that its tasks still accept.

        A task accepts messages from the worker that claimed it, until that is dismissed or leaves, up
        to and with a Done or Broken.

        Returns:
            The tasks that accepted nothing: settled, ended, or not this worker's. Stop working on them.
        """
        ...


class Executor(Protocol):
    """Runs jobs; see `assay.executors`.

    A `poll` acknowledges what the one before it returned: by then that is durable in the log.
    """

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        ...

    def submit(self, job: Job) -> None: ...
    def poll(self, timeout_s: float) -> list[tuple[int, Message]]: ...
    def cancel(self, job_id: int) -> None: ...
    def close(self) -> None: ...
