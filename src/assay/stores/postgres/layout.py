"""The tables in the database: numbered scripts, run once each, forward only. They never change."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from assay.core.errors import StoreError
from assay.stores.postgres.link import Link

_SCRIPTS = ("1_log", "2_board", "3_vault", "4_turn", "5_line")
"""The script at place n makes layout n + 1 of layout n."""
LAYOUT = len(_SCRIPTS)
_LOCK = 0x41535359  # "ASSY"
_PRESENT = "coalesce((select max(version) from layout), 0)"
_TABLE = """
create table if not exists layout (
    version integer not null primary key,
    made timestamptz not null default now(),
    made_by text not null default current_user
)
"""


class Layout:
    """Whether the tables are there. They are made when something is first written.

    Looking at a database makes nothing in it, and a worker can wait for a driver to begin.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._whole = False

    def exists(self) -> bool:
        """Whether there is anything to read.

        Raises:
            StoreError: the tables are of another program, or of another version of Assay.
        """
        self._whole = self._whole or self._version() == LAYOUT
        return self._whole

    def make(self) -> None:
        """Make the tables, or what an older version lacks, unless they are there.

        Raises:
            StoreError: the tables are of another program, or this role may not make them.
        """
        if not self.exists():
            lay_out(self._link)

    def _version(self) -> int:
        link = self._link
        (found,) = link.ask(
            "select to_regclass('{s}.layout') is not null,"
            " (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = %s)",
            link.address.schema,
        )
        ours, tables = found
        if not ours:
            self._refuse_foreign(tables)
            return 0
        ((version,),) = link.ask("select coalesce(max(version), 0) from {s}.layout")
        if version > LAYOUT:
            raise StoreError(
                f"{link.address.shown} was written by a newer version of Assay (layout {version}; "
                f"this version reads up to {LAYOUT}). Upgrade: pip install --upgrade assay."
            )
        return int(version)

    def _refuse_foreign(self, tables: int) -> None:
        if tables:
            raise StoreError(
                f"{self._link.address.shown}: the schema {self._link.address.schema!r} holds tables "
                "of another program. Name another one: …?schema=NAME."
            )


def lay_out(link: Link) -> None:
    """Bring the tables, whole or in part, to the present layout: all of it, or nothing."""
    begin = [
        f"select pg_advisory_xact_lock({_LOCK}, 0)",  # two may begin at the same time
        "create schema if not exists {s}",
        "set local search_path = {s}, pg_temp",
        _TABLE,
    ]
    steps = [_step(number, name) for number, name in enumerate(_SCRIPTS, 1)]
    end = ["revoke all on all functions in schema {s} from public"]
    link.script([*begin, *steps, *end])


def _step(number: int, name: str) -> str:
    """A script as a block that does nothing where it was run before."""
    body = script(name)
    return (
        f"do $step$ begin if {_PRESENT} < {number} then execute $script$ {body} $script$;"  # noqa: S608
        f" insert into layout (version) values ({number}); end if; end $step$"
    )


@cache
def script(name: str) -> str:
    """The text of a script."""
    return files("assay.stores.postgres").joinpath(f"scripts/{name}.sql").read_text("utf-8")
