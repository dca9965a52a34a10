"""What every board promises, as tests. Subclass, say how a store is opened, and run pytest.

class TestMyBoard(SharedBoardContract):
    def open(self, place):
        return MyStore(place / "log")
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from assay.core.errors import SpecError, StoreError
from assay.core.jobs import Broken, Done, Job, Measurement, Message, Step
from assay.core.protocols import Board, Member, Store, Task
from assay.testing.stores import Opens, behaves_like, in_processes

MESSAGES: tuple[Message, ...] = (
    Step(step=3, value=-0.25),
    Measurement(unit=(0, 1, 2), value=0.1, train=1e-300, rows=bytes(range(256)), cpu_s=0.5),
    Measurement(unit=(2, 0, 0), value=-5e300),
    Broken(kind="lost", reason='größer 🙂\n"quoted"', output="\x1b[31mred", cpu_s=1.5, wall_s=2.0),
    Done(values={"loss": 0.1, "größe": 12.0}, cpu_s=0.5, wall_s=0.75),
)
"""Messages of every kind, with values that are easily lost on the way; the last two end a task."""


def a_job(number: int = 0) -> Job:
    """A job whose parts are easily lost on the way."""
    return Job(
        id=number,
        trial=number - 1,
        stage="search",
        config={"x": 0.1, "n": -3, "s": "naïve \u2028", "none": None, "on": True, "l": [1, {"a": []}]},
        units=((0, 0, 0), (1, 4, 2)),
        seeds=(2**63, 7),
        timeout_s=0.5 if number % 2 else None,
    )  # fmt: skip


def a_member(worker: str, slots: int = 1) -> Member:
    """A worker that joins."""
    return Member(worker, "größer", "a place", 4711, "99", slots, ("numpy: 2.4.5 → 2.4.6", "ö"))


class BoardContract(Opens):
    """The promises of a board that only its own process can reach."""

    @pytest.fixture
    def board(self, store: Store) -> Board:
        """The board of a study that has no log yet, with the workers "a" and "b"."""
        board = store.board("s")
        board.join(a_member("a"))
        board.join(a_member("b", slots=2))
        return board

    def test_a_new_board_is_empty(self, store: Store) -> None:
        board = store.board("s")
        assert (board.tasks(), board.letters(), board.crew()) == ([], [], [])
        assert list(store.studies()) == [], "a board is no study"

    def test_a_job_arrives_as_it_was_posted(self, board: Board) -> None:
        jobs = [a_job(1), a_job(2)]
        numbers = board.post(jobs)
        assert numbers == sorted(set(numbers))
        assert [(task.number, task.job, task.worker) for task in board.tasks()] == [
            (number, job, None) for number, job in zip(numbers, jobs, strict=True)
        ]
        assert [task.job for task in board.claim("a", 5)] == jobs
        assert board.post([]) == []

    def test_the_oldest_are_claimed_first_and_no_more_than_asked_for(self, board: Board) -> None:
        numbers = board.post([a_job(n) for n in range(5)])
        assert [task.number for task in board.claim("a", 2)] == numbers[:2]
        assert [task.number for task in board.claim("b", 2)] == numbers[2:4]
        assert all(task.worker == "b" for task in board.tasks()[2:4])
        assert [task.number for task in board.claim("a", 9)] == numbers[4:]
        assert board.claim("b", 9) == []

    def test_a_message_arrives_as_it_was_delivered(self, board: Board) -> None:
        (first, second) = board.post([a_job(), a_job()])
        board.claim("a", 2)
        sent = [(first, message) for message in MESSAGES[:4]] + [(second, MESSAGES[4])]
        assert board.deliver("a", sent) == frozenset()
        letters = board.letters()
        assert [(letter.task, letter.message) for letter in letters] == sent
        numbers = [letter.number for letter in letters]
        assert numbers == sorted(set(numbers))
        assert board.letters(after=numbers[2]) == letters[3:]
        assert board.letters(after=numbers[-1]) == []

    def test_letters_of_several_deliveries_come_in_order(self, board: Board) -> None:
        (task,) = board.post([a_job()])
        board.claim("a", 1)
        seen = 0
        for step in range(20):
            board.deliver("a", [(task, Step(step=step, value=0.5))])
            (letter,) = board.letters(after=seen)
            assert letter.message == Step(step=step, value=0.5)
            seen = letter.number

    def test_a_task_accepts_nothing_after_its_end(self, board: Board) -> None:
        (task,) = board.post([a_job()])
        board.claim("a", 1)
        assert board.deliver("a", [(task, MESSAGES[4]), (task, MESSAGES[0])]) == frozenset()
        assert board.deliver("a", [(task, MESSAGES[4])]) == {task}
        assert [letter.message for letter in board.letters()] == [MESSAGES[4]]
        assert board.beat("a") == frozenset([task]), "it holds the task until that is settled"

    def test_a_task_accepts_messages_of_its_own_worker_alone(self, board: Board) -> None:
        one, other, free = board.post([a_job(), a_job(), a_job()])
        board.claim("a", 1)
        board.claim("b", 1)
        sent = [(number, MESSAGES[0]) for number in (one, other, free, free + 1000)]
        assert board.deliver("a", sent) == {other, free, free + 1000}
        assert [letter.task for letter in board.letters()] == [one]

    def test_a_settled_task_is_gone_with_its_letters(self, board: Board) -> None:
        one, other = board.post([a_job(1), a_job(2)])
        board.claim("a", 2)
        board.deliver("a", [(one, MESSAGES[0]), (other, MESSAGES[0])])
        board.settle([one])
        assert [task.number for task in board.tasks()] == [other]
        assert [letter.task for letter in board.letters()] == [other]
        assert board.beat("a") == frozenset([other])
        assert board.deliver("a", [(one, MESSAGES[4]), (other, MESSAGES[1])]) == {one}
        board.settle([one, other, other + 1000])
        board.settle([])
        assert (board.tasks(), board.letters()) == ([], [])

    def test_numbers_are_never_used_again(self, board: Board) -> None:
        (task,) = board.post([a_job()])
        board.claim("a", 1)
        board.deliver("a", [(task, MESSAGES[4])])
        (letter,) = board.letters()
        board.settle([task])
        (later,) = board.post([a_job()])
        board.claim("a", 1)
        board.deliver("a", [(later, MESSAGES[4])])
        assert later > task
        assert board.letters(after=letter.number)[0].number > letter.number

    def test_a_task_that_was_not_claimed_can_be_taken_back(self, board: Board) -> None:
        numbers = board.post([a_job(), a_job()])
        board.settle(numbers[:1])
        assert [task.number for task in board.claim("a", 9)] == numbers[1:]

    def test_the_crew_is_who_joined_and_did_not_leave(self, board: Board) -> None:
        assert board.crew() == [a_member("a"), a_member("b", slots=2)]
        board.join(a_member("a"))
        board.leave("b")
        board.leave("never joined")
        assert board.crew() == [a_member("a")]

    def test_a_beat_is_seen(self, board: Board) -> None:
        assert board.beat("a") == frozenset()
        before = {member.worker: member.beats for member in board.crew()}
        board.beat("a")
        after = {member.worker: member.beats for member in board.crew()}
        assert after["a"] > before["a"]
        assert after["b"] == before["b"]

    @pytest.mark.parametrize("how", ["dismiss", "leave"])
    def test_who_is_gone_can_do_nothing_more(self, board: Board, how: str) -> None:
        task, _ = board.post([a_job(), a_job()])
        board.claim("a", 1)
        board.deliver("a", [(task, MESSAGES[0])])
        getattr(board, how)("a")
        assert board.beat("a") is None
        assert board.claim("a", 1) == []
        assert board.deliver("a", [(task, MESSAGES[4])]) == {task}
        assert board.tasks()[0].worker == "a"
        assert [letter.message for letter in board.letters()] == [MESSAGES[0]], "this was in time"

    def test_who_was_dismissed_can_join_under_another_name(self, board: Board) -> None:
        (task,) = board.post([a_job()])
        board.claim("a", 1)
        board.dismiss("a")
        board.join(a_member("a again"))
        assert board.beat("a again") == frozenset()
        assert board.deliver("a again", [(task, MESSAGES[4])]) == {task}

    def test_boards_of_studies_are_independent(self, store: Store, board: Board) -> None:
        other = store.board("it's another; drop table task; --")
        (task,) = board.post([a_job()])
        assert (other.tasks(), other.crew()) == ([], [])
        other.join(a_member("a"))
        assert other.claim("a", 1) == []
        board.claim("a", 1)
        assert other.deliver("a", [(task, MESSAGES[4])]) == {task}
        other.settle([task])
        other.dismiss("a")
        assert board.beat("a") == frozenset([task])
        assert board.deliver("a", [(task, MESSAGES[4])]) == frozenset()

    @pytest.mark.parametrize("name", ["", "a\0b"], ids=ascii)
    def test_a_name_that_cannot_be_kept_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(StoreError, match="name"):
            store.board(name).post([a_job()])

    def test_threads_claim_each_task_once(self, board: Board) -> None:
        numbers = board.post([a_job(n) for n in range(40)])
        for who in range(4):
            board.join(a_member(f"thread {who}"))
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda who: _claim_all(board, f"thread {who}"), range(4))
        assert sorted(number for claimed in found for number in claimed) == numbers

    def test_it_behaves_like_lists(self) -> None:
        behaves_like(_Model, 15, 30, opener=staticmethod(self.open))


class SharedBoardContract(BoardContract):
    """The promises of a board that outlives its process and that many processes can reach."""

    def test_a_config_that_cannot_be_sent_is_refused(self, board: Board) -> None:
        wrong = Job(id=1, trial=1, stage="search", config={"x": object()})
        with pytest.raises(SpecError, match="trial 1"):
            board.post([a_job(), wrong])
        assert board.tasks() == []

    def test_driver_and_worker_meet_through_two_stores(self, board: Board, tmp_path: Path) -> None:
        with closing(self.open(tmp_path)) as other:
            workers = other.board("s")
            (task,) = board.post([a_job(1)])
            assert workers.claim("b", 1) == [Task(task, a_job(1), "b")]
            assert workers.deliver("b", [(task, MESSAGES[4])]) == frozenset()
            assert board.letters()[0].message == MESSAGES[4]
            board.settle([task])
            assert workers.beat("b") == frozenset()

    def test_a_board_is_still_there_when_opened_again(
        self, store: Store, board: Board, tmp_path: Path
    ) -> None:
        (task,) = board.post([a_job(1)])
        board.claim("a", 1)
        board.deliver("a", [(task, MESSAGES[1])])
        before = (board.tasks(), board.letters(), board.crew())
        store.close()
        with closing(self.open(tmp_path)) as again:
            found = again.board("s")
            assert (found.tasks(), found.letters(), found.crew()) == before

    def test_processes_claim_each_task_once(self, board: Board, tmp_path: Path) -> None:
        """Four processes share 200 tasks: each is evaluated by one, and heard of once."""
        numbers = board.post([a_job(n) for n in range(200)])

        def work(who: str) -> None:
            with closing(self.open(tmp_path)) as own:
                mine = own.board("s")
                mine.join(a_member(who))
                while tasks := mine.claim(who, 3):
                    ends = [(t.number, Done(values={"x": float(t.number)})) for t in tasks]
                    assert mine.deliver(who, ends) == frozenset()

        assert in_processes(work, [f"process {number}" for number in range(4)]) == [0] * 4
        letters = board.letters()
        assert sorted(letter.task for letter in letters) == numbers
        for letter in letters:
            assert letter.message == Done(values={"x": float(letter.task)})
        assert all(task.worker for task in board.tasks())


def _claim_all(board: Board, who: str) -> list[int]:
    found: list[int] = []
    while tasks := board.claim(who, 1):
        found += [task.number for task in tasks]
    return found


_workers = strategies.sampled_from(["a", "b", "c"])
_messages = strategies.sampled_from(MESSAGES)
_which = strategies.integers(0, 7)


class _Model(RuleBasedStateMachine):
    """A board beside the dicts that say what it must hold."""

    opener: Callable[[Path], Store]

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = type(self).opener(Path(self.folder.name))
        self.board = self.store.board("s")
        self.names: dict[str, str] = {}
        self.joined = 0
        self.tasks: dict[int, Task] = {}
        self.ended: set[int] = set()
        self.letters: list[tuple[int, Message]] = []
        self.numbers: list[int] = []

    def name(self, worker: str) -> str:
        """The name under which a worker is known at present; nobody's if it has not joined."""
        return self.names.get(worker, "nobody")

    @rule(jobs=strategies.integers(0, 3))
    def post(self, jobs: int) -> None:
        posted = [a_job(n) for n in range(jobs)]
        for number, job in zip(self.board.post(posted), posted, strict=True):
            assert number > max(self.numbers, default=0)
            self.numbers.append(number)
            self.tasks[number] = Task(number, job, None)

    @rule(worker=_workers)
    def join(self, worker: str) -> None:
        if worker not in self.names:
            self.joined += 1
            self.names[worker] = f"{worker} {self.joined}"
        self.board.join(a_member(self.names[worker]))

    @rule(worker=_workers, dismissed=strategies.booleans())
    def go(self, worker: str, dismissed: bool) -> None:
        (self.board.dismiss if dismissed else self.board.leave)(self.name(worker))
        self.names.pop(worker, None)

    @rule(worker=_workers, limit=strategies.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        name = self.name(worker)
        free = [number for number, task in self.tasks.items() if task.worker is None]
        expected = free[:limit] if worker in self.names else []
        claimed = self.board.claim(name, limit)
        assert [task.number for task in claimed] == expected
        self.tasks |= {task.number: task for task in claimed}

    @rule(worker=_workers, places=strategies.lists(_which, max_size=4), data=strategies.data())
    def deliver(self, worker: str, places: list[int], data: strategies.DataObject) -> None:
        sent = [
            (self.numbers[place], data.draw(_messages))
            for place in places
            if place < len(self.numbers)
        ]
        accepted = {number for number, message in sent if self.accepts(worker, number, message)}
        refused = {number for number, _ in sent} - accepted
        assert self.board.deliver(self.name(worker), sent) == refused

    def accepts(self, worker: str, number: int, message: Message) -> bool:
        task = self.tasks.get(number)
        mine = task is not None and worker in self.names and task.worker == self.names[worker]
        if not mine or number in self.ended:
            return False
        self.letters.append((number, message))
        if isinstance(message, Done | Broken):
            self.ended.add(number)
        return True

    @rule(worker=_workers)
    def beat(self, worker: str) -> None:
        if worker not in self.names:
            assert self.board.beat(self.name(worker)) is None
            return
        name = self.names[worker]
        held = frozenset(number for number, task in self.tasks.items() if task.worker == name)
        assert self.board.beat(name) == held

    @rule(places=strategies.lists(_which, max_size=3))
    def settle(self, places: list[int]) -> None:
        gone = [self.numbers[place] for place in places if place < len(self.numbers)]
        self.board.settle(gone)
        self.tasks = {number: task for number, task in self.tasks.items() if number not in gone}
        self.letters = [letter for letter in self.letters if letter[0] not in gone]

    @invariant()
    def it_holds_the_same(self) -> None:
        assert self.board.tasks() == list(self.tasks.values())
        found = self.board.letters()
        assert [(letter.task, letter.message) for letter in found] == self.letters
        assert {member.worker for member in self.board.crew()} == set(self.names.values())

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()
