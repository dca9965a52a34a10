"""What only a store in a server has to keep: rights, lost answers, seats, restarts, clear errors."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.postgres import running

from assay.api.parts import store_at
from assay.core.errors import (
    ConflictError,
    DeniedError,
    SealError,
    SpecError,
    StateError,
    StoreError,
)
from assay.core.events import Noted
from assay.core.jobs import Done, Job
from assay.core.protocols import Member
from assay.stores.chain import verify
from assay.stores.postgres import layout, link, seat
from assay.stores.postgres.address import parse, shown, without_password
from assay.stores.postgres.grants import grant
from assay.stores.postgres.store import PostgresStore

JOB = Job(id=1, trial=0, stage="search", config={"x": 0.5})


def member(name):
    return Member(name, "host", "place", 1, "1", 1)


@pytest.fixture
def url(postgres):
    return postgres.new()


@pytest.fixture
def store(url):
    with closing(PostgresStore(url)) as store:
        yield store


def schema_of(url):
    return url.rpartition("=")[2]


def rows(postgres, url, sql):
    return postgres.sql(sql.replace("{s}", schema_of(url)))


# --- rights


@pytest.mark.parametrize("table", ["event", "blob"])
@pytest.mark.parametrize(
    "change", ["delete from {s}.{t}", "update {s}.{t} set hash = 'x'", "truncate {s}.{t}"]
)
def test_not_even_the_owner_changes_what_is_stored(store, postgres, url, table, change):
    import psycopg

    data = b"losses"
    name = hashlib.sha256(data).hexdigest()
    store.append("s", [Noted("a")], after=0, blobs={name: data})
    with pytest.raises(psycopg.errors.RestrictViolation, match="never changed"):
        rows(postgres, url, change.replace("{t}", table))
    assert store.read("s") == [Noted("a")]
    assert store.blob(name) == data


@pytest.fixture(scope="module")
def roles(postgres):
    for role in ("a_reader", "a_worker", "a_driver", "nobody"):
        postgres.sql(f"create role {role} login")


FORBIDDEN = [
    f"{verb} {{s}}.{table}{rest}"
    for table in ("event", "blob", "study", "lease", "task", "letter", "member", "vault", "layout")
    for verb, rest in (
        ("delete from", ""),
        ("truncate", ""),
        ("update", " set {c} = {c}"),
        ("insert into", " default values"),
    )
]
COLUMN = {"event": "seq", "blob": "hash", "lease": "pid", "vault": "seal", "layout": "version"}


@pytest.mark.parametrize("kind", ["reader", "worker", "driver"])
def test_the_server_lets_no_role_change_a_table(kind, roles, postgres, url):
    import psycopg

    grant(url, f"a_{kind}", kind)
    for sql in FORBIDDEN:
        table = sql.partition("{s}.")[2].split()[0]
        text = sql.replace("{c}", COLUMN.get(table, "study" if table != "study" else "name"))
        text = text.replace("{t}", table).replace("{s}", schema_of(url))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.sql(text, user=f"a_{kind}")


def test_a_worker_can_do_its_work_and_nothing_else(roles, postgres, url, store):
    grant(url, "a_worker", "worker")
    store.append("s", [Noted("plan")], after=0)
    ours = store.board("s")
    (task,) = ours.post([JOB])
    with closing(PostgresStore(postgres.url(schema_of(url), user="a_worker"))) as other:
        theirs = other.board("s")
        theirs.join(member("w"))
        assert theirs.claim("w", 1)[0].job == JOB
        assert theirs.beat("w") == {task}
        assert theirs.deliver("w", [(task, Done(values={"value": 1.0}))]) == frozenset()
        assert other.read("s") == [Noted("plan")]
        assert other.studies() == ["s"]
        assert other.driver("s") is None
        for refused in (
            lambda: other.append("s", [Noted("forged")], after=1),
            lambda: other.acquire("s"),
            lambda: theirs.post([JOB]),
            lambda: theirs.settle([task]),
            theirs.letters,
            lambda: theirs.dismiss("w"),
            lambda: other.vault().get("any", "00"),
            lambda: other.append("new", [Noted("study")], after=0),
        ):
            with pytest.raises(
                DeniedError, match=r"role 'a_worker' lacks a right .* assay grant a_worker"
            ):
                refused()
        theirs.leave("w")
    assert ours.letters()[0].message == Done(values={"value": 1.0})
    assert store.read("s") == [Noted("plan")]


def test_a_driver_needs_no_more_than_its_role(roles, postgres, url):
    grant(url, "a_driver", "driver")
    with closing(PostgresStore(postgres.url(schema_of(url), user="a_driver"))) as store:
        store.acquire("s")
        store.append("s", [Noted("a")], after=0)
        store.board("s").settle(store.board("s").post([JOB]))
        store.release("s")


def test_rights_can_be_taken_back(roles, postgres, url, store):
    store.append("s", [Noted("a")], after=0)
    grant(url, "a_driver", "driver")
    grant(url, "a_driver", "reader")
    with closing(PostgresStore(postgres.url(schema_of(url), user="a_driver"))) as other:
        assert other.read("s") == [Noted("a")]
        with pytest.raises(StoreError, match="assay grant"):
            other.append("s", [Noted("b")], after=1)


# --- lost answers


@pytest.fixture
def torn(store, monkeypatch):
    """Every statement is carried out, and its answer lost the first time: the connection breaks."""
    import psycopg

    asked = link.Link._asked
    lost = []

    def tear(self, text, values):
        answer = asked(self, text, values)
        if "select * from" in text and (text, values) not in lost:
            lost.append((text, values))
            self._db.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return answer

    monkeypatch.setattr(link.Link, "_asked", tear)
    return lost


def test_an_append_whose_answer_was_lost_counts_once(store, torn):
    for number in range(5):
        assert (
            store.append("s", [Noted(str(number)), Noted("b")], after=2 * number) == 2 * number + 2
        )
    assert len(store.read("s")) == 10
    assert verify("s", store.rows("s")) == []
    assert sum("log_append" in text for text, _ in torn) == 5


def test_a_conflict_is_one_also_when_an_answer_was_lost(store, url, torn):
    store.append("s", [Noted("a")], after=0)
    with closing(PostgresStore(url)) as other:
        other.append("s", [Noted("b")], after=1)
    with pytest.raises(ConflictError):
        store.append("s", [Noted("c")], after=1)
    assert store.read("s") == [Noted("a"), Noted("b")]


def test_the_board_does_everything_once_when_answers_are_lost(store, torn):
    board = store.board("s")
    board.join(member("w"))
    numbers = board.post([JOB, JOB])
    assert [task.number for task in board.tasks()] == numbers
    assert [task.number for task in board.claim("w", 2)] == numbers
    said = [(number, Done(values={"value": 1.0})) for number in numbers]
    assert board.deliver("w", said) == frozenset()
    assert [letter.task for letter in board.letters()] == numbers
    board.settle(numbers)
    assert board.tasks() == []
    assert {"board_post", "board_claim", "board_deliver"} <= {
        re.search(r"\.(\w+)\(", text)[1] for text, _ in torn
    }


def test_a_claim_that_was_never_answered_is_not_forgotten(store, monkeypatch):
    """The server gave a task away, and the worker does not know: it asks for the same one again."""
    import psycopg

    board = store.board("s")
    board.join(member("w"))
    (task,) = board.post([JOB])
    asked = link.Link._asked

    def tear(self, text, values):
        answer = asked(self, text, values)
        if "board_claim" in text:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return answer

    monkeypatch.setattr(link.Link, "_asked", tear)
    with pytest.raises(StoreError, match="did not answer"):
        board.claim("w", 1)
    monkeypatch.undo()
    assert [found.number for found in board.claim("w", 1)] == [task]
    assert board.claim("w", 1) == []


# --- seats


def move_elsewhere(postgres, url, silent_s, token="x"):
    rows(
        postgres,
        url,
        f"update {{s}}.lease set place = 'elsewhere', host = 'elsewhere', token = '{token}',"
        f" beat = clock_timestamp() - interval '{silent_s} s'",
    )


def test_a_driver_that_was_replaced_can_write_nothing_more(store, postgres, url):
    store.acquire("s")
    store.append("s", [Noted("a")], after=0)
    board = store.board("s")
    (task,) = board.post([JOB])
    move_elsewhere(postgres, url, 0)
    for call in (
        lambda: store.append("s", [Noted("b")], after=1),
        lambda: store.touch("s"),
        lambda: board.post([JOB]),
        board.tasks,
        lambda: board.settle([task]),
        lambda: board.dismiss("w"),
    ):
        with pytest.raises(StateError, match="elsewhere"):
            call()
    assert store.read("s") == [Noted("a")]
    store.release("s")
    assert rows(postgres, url, "select host from {s}.lease") == [("elsewhere",)]


def test_a_silent_driver_elsewhere_is_followed_by_the_clock_of_the_server(
    store, postgres, url, monkeypatch
):
    store.acquire("s")
    move_elsewhere(postgres, url, 3600)
    # the server is younger than the silence, and in its absence nobody could beat
    monkeypatch.setattr(seat, "SILENT_S", 3000.0)
    with closing(PostgresStore(url)) as other, pytest.raises(StateError, match="on elsewhere"):
        other.acquire("s")
    monkeypatch.setattr(seat, "SILENT_S", 0.2)
    time.sleep(0.2)
    with closing(PostgresStore(url)) as other:
        other.acquire("s")
        assert other.driver("s").pid == os.getpid()


def test_a_driver_beats_by_itself(store, postgres, url, monkeypatch):
    monkeypatch.setattr(seat, "BEAT_S", 0.02)
    store.acquire("s")

    def beat():
        return rows(postgres, url, "select beat from {s}.lease")[0]

    first, end = beat(), time.monotonic() + 20
    while beat() == first:
        assert time.monotonic() < end
    store.release("s")
    assert rows(postgres, url, "select * from {s}.lease") == []


DRIVE = """
import sys
from assay.stores.postgres.store import PostgresStore
store = PostgresStore(sys.argv[1])
store.acquire("s")
print("driving", flush=True)
sys.stdin.read()
"""


def test_a_killed_driver_of_this_machine_is_followed_at_once(store, url):
    source = os.fspath(Path(link.__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", DRIVE, url],
        env=os.environ | {"PYTHONPATH": source},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "driving\n"
        with pytest.raises(StateError, match=rf"driven by process {process.pid} on .*kill"):
            store.acquire("s")
        process.kill()
        process.wait()
        store.acquire("s")


# --- the server goes away and comes back


def test_calls_wait_for_a_server_that_restarts_and_give_up_in_the_end(tmp_path, monkeypatch):
    with running() as own:
        with closing(PostgresStore(own.new())) as store:
            store.append("s", [Noted("a")], after=0)
            own.stop()
            back = threading.Timer(0.5, own.start)
            back.start()
            assert store.append("s", [Noted("b")], after=1) == 2
            back.join()
            store.acquire("s")
            own.stop()
            with pytest.raises(StoreError, match=r"did not answer.*acknowledged is safe"):
                store._link.ask("select 1", patience_s=0.3)
            with pytest.raises(StoreError, match="did not answer"):
                PostgresStore(own.url())
            own.start()
            assert store.read("s") == [Noted("a"), Noted("b")]
        assert own.sql("select count(*) from place_0.lease") == [(0,)]


# --- errors


def test_a_password_is_never_shown(postgres):
    postgres.sql("create role ann login password 'right'")
    wrong = postgres.url(user="ann:s3cr3t")
    with pytest.raises(StoreError) as caught:
        PostgresStore(wrong)
    text = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "refuses this user or password" in str(caught.value)
    assert "s3cr3t" not in text
    assert "ann:***@" in text
    PostgresStore(postgres.url(user="ann:right")).close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cr3t@db/lab",
        "postgres://ann:s3c:r3t@db/lab",
        "postgresql://ann:s3@cr3t/s3cr3t@db:1,db2/lab?password=s3cr3t&sslmode=require",
        "postgresql:///lab?user=ann&password=s3cr3t",
    ],
)
def test_no_form_of_a_password_is_shown(url):
    for said in (shown(url), without_password(url), parse(url).shown):
        assert "s3" not in said
        assert "r3t" not in said
    assert parse(without_password(url))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database": "nothing_here"}, r"no such database.*createdb"),
        ({"user": "never_made"}, "refuses this user"),
    ],
)
def test_a_wrong_address_is_explained(change, said, postgres):
    with pytest.raises(StoreError, match=said):
        PostgresStore(postgres.url(**change))


def test_an_old_server_another_encoding_and_no_psycopg_are_explained(
    postgres, monkeypatch, tmp_path
):
    postgres.sql("create database latin encoding 'LATIN1' locale 'C' template template0")
    with pytest.raises(StoreError, match=r"LATIN1.*createdb --encoding UTF8"):
        PostgresStore(postgres.url(database="latin"))
    monkeypatch.setattr(link, "OLDEST", 990000)
    with pytest.raises(StoreError, match=r"is PostgreSQL \d+.*Assay needs 99 or newer"):
        PostgresStore(postgres.url())
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError(name='psycopg')")
    code = "import assay; assay.open_study('postgresql://db/lab')"
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(link.__file__).parents[3]}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert "pip install 'assay[postgres]'" in done.stderr


def test_an_address_that_cannot_be_read_is_refused():
    with pytest.raises(SpecError, match="small letters"):
        store_at("postgresql://db/lab?schema=Robert'); drop table")
    with pytest.raises(SpecError, match="postgresql://user@host"):
        store_at("mysql://ann:s3cr3t@db/lab")


def test_tables_of_another_program_are_left_alone(postgres, url):
    rows(postgres, url, "create schema {s}; create table {s}.event (x int)")
    with closing(PostgresStore(url)) as store:
        for call in (store.studies, lambda: store.append("s", [Noted("a")], after=0)):
            with pytest.raises(StoreError, match=r"another program.*\?schema=NAME"):
                call()
    assert rows(postgres, url, "select * from {s}.event") == []


# --- tables


def test_looking_makes_nothing(postgres, url):
    with closing(PostgresStore(url, readonly=True)) as store:
        assert (store.studies(), store.read("s"), store.rows("s")) == ([], [], [])
        assert store.driver("s") is None
        with pytest.raises(StoreError, match="only reads"):
            store.append("s", [Noted("a")], after=0)
    found = postgres.sql(f"select 1 from pg_namespace where nspname = '{schema_of(url)}'")
    assert found == []


def test_tables_of_an_older_version_are_brought_up_and_of_a_newer_one_refused(
    postgres, url, monkeypatch
):
    with monkeypatch.context() as older:
        older.setattr(layout, "_SCRIPTS", layout._SCRIPTS[:1])
        older.setattr(layout, "LAYOUT", 1)
        with closing(PostgresStore(url)) as store:
            store.append("s", [Noted("a")], after=0)
    with closing(PostgresStore(url)) as store:
        store.append("t", [Noted("b")], after=0)
        assert store.board("s").tasks() == []
        assert store.read("s") == [Noted("a")]
    found = rows(postgres, url, "select version from {s}.layout order by 1")
    assert found == [(number,) for number in range(1, layout.LAYOUT + 1)]
    rows(postgres, url, "insert into {s}.layout (version) values (99)")
    with closing(PostgresStore(url)) as store, pytest.raises(StoreError, match="newer version"):
        store.studies()


def test_two_may_make_the_tables_at_the_same_time(url):
    def begin(name):
        with closing(PostgresStore(url)) as store:
            store.append(name, [Noted(name)], after=0)

    threads = [threading.Thread(target=begin, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(PostgresStore(url)) as store:
        assert sorted(store.studies()) == [f"s{n}" for n in range(4)]


def test_a_fork_opens_its_own(store):
    store.append("s", [Noted("a")], after=0)
    pid = os.fork()
    if pid == 0:
        try:
            store.read("s")
        except StoreError as error:
            os._exit(0 if "forked" in str(error) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.read("s") == [Noted("a")]


def test_sealed_rows_lie_in_the_database(store, url):
    sha256 = store.vault().put("a", {"x": np.arange(3)}, {"target": "x"})
    assert store.vault().put("a", {"x": np.arange(3)}, {"target": "x"}) == sha256
    with closing(PostgresStore(url)) as other:
        arrays, meta = other.vault().get("a", sha256)
        assert (arrays["x"].tolist(), meta) == ([0, 1, 2], {"target": "x"})
        with pytest.raises(SealError, match="another test set"):
            other.vault().put("a", {"x": np.arange(4)}, {})
        other.vault().void("a")
    for call in (
        lambda: store.vault().get("a", sha256),
        lambda: store.vault().put("a", {"x": np.arange(3)}, {"target": "x"}),
    ):
        with pytest.raises(SealError, match="given up"):
            call()
    for call in (lambda: store.vault().get("b", sha256), lambda: store.vault().void("b")):
        with pytest.raises(SealError, match="missing"):
            call()


# --- the line at the log's end


def test_who_lines_up_is_not_overtaken_by_the_next_in_line(url):
    with closing(PostgresStore(url)) as first, closing(PostgresStore(url)) as second:
        first.append("s", [Noted("0")], after=0)
        assert first.line_up("s", after=0, most=10) == [Noted("0")]
        came = []

        def next_in_line():
            came.extend(second.line_up("s", after=1, most=10))
            second.append("s", [Noted("second")], after=1 + len(came))

        thread = threading.Thread(target=next_in_line)
        thread.start()
        assert first.append("s", [Noted("first")], after=1) == 2
        thread.join(60)
        assert came == [Noted("first")]
        assert [event.text for event in first.read("s")] == ["0", "first", "second"]
        assert verify("s", first.rows("s")) == []


def test_the_place_in_line_ends_with_an_append_that_failed_and_when_one_leaves(url):
    with closing(PostgresStore(url)) as first, closing(PostgresStore(url)) as second:
        first.append("s", [Noted("0")], after=0)
        first.line_up("s", after=1, most=10)
        second.append("s", [Noted("out of line")], after=1)
        with pytest.raises(ConflictError):
            first.append("s", [Noted("late")], after=1)
        assert second.line_up("s", after=2, most=10) == []
        second.leave_line("s")
        assert first.line_up("s", after=1, most=10) == [Noted("out of line")]
        first.leave_line("s")
        second.line_up("s", after=2, most=10)
        assert second._alone_until == 0.0, "nobody kept it waiting"


def test_one_in_line_who_does_not_move_is_not_waited_for_twice(url, monkeypatch):
    monkeypatch.setattr("assay.stores.postgres.store._LINE_MS", 50)
    with closing(PostgresStore(url)) as still, closing(PostgresStore(url)) as other:
        still.append("s", [Noted("0")], after=0)
        still.line_up("s", after=1, most=10)
        assert other.line_up("s", after=0, most=10) == [Noted("0")]
        assert other.append("s", [Noted("1")], after=1) == 2
        asked = []
        monkeypatch.setattr(other._link, "call", lambda *values: asked.append(values))
        assert other.line_up("s", after=2, most=10) == []
        assert asked == []


def test_a_place_in_line_is_lost_with_its_connection(url):
    with closing(PostgresStore(url)) as first, closing(PostgresStore(url)) as second:
        first.append("s", [Noted("0")], after=0)
        first.line_up("s", after=1, most=10)
        first._link._drop()
        second.line_up("s", after=1, most=10)
        assert second._alone_until == 0.0
        second.append("s", [Noted("1")], after=1)
        with pytest.raises(ConflictError):
            first.append("s", [Noted("late")], after=1)
        assert first.line_up("s", after=1, most=10) == [Noted("1")]
        assert first.append("s", [Noted("2")], after=2) == 3
