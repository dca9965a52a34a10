"""What a role may do in the database, as SQL: read a study, work for it, or drive it."""

from __future__ import annotations

from assay.core.errors import SpecError, did_you_mean
from assay.stores.postgres.address import Address

_READ = ("layout", "study", "event", "blob", "log")
_WORK = ("board_join", "board_leave", "board_beat", "board_claim", "board_deliver", "board_channel")
KINDS = ("reader", "worker", "driver")


def statements(address: Address, role: str, kind: str) -> list[str]:
    """What gives a role its rights, after taking from it what it had before.

    A reader sees the log. A worker may also join, claim, deliver and leave. A driver may also append
    and hold the seat, through functions that only add. None of them may change or delete an event,
    nor write a table by itself.

    Args:
        address: of the database.
        role: its name as the server knows it.
        kind: "reader", "worker" or "driver".

    Raises:
        SpecError: an unknown kind.

    >>> address = Address("", "assay", "")
    >>> statements(address, "node", "reader")[-2]
    'grant select on "assay".layout, "assay".study, "assay".event, "assay".blob, "assay".log to "node"'
    """
    if kind not in KINDS:
        raise SpecError(f"No kind of role {kind!r}. {did_you_mean(kind, KINDS)}")
    schema, to = address.quoted, '"' + role.replace('"', '""') + '"'
    tables = ", ".join(f"{schema}.{name}" for name in _READ)
    done = [
        f"revoke all on all tables in schema {schema} from {to}",
        f"revoke all on all functions in schema {schema} from {to}",
        f"revoke all on schema {schema} from {to}",
        f"grant usage on schema {schema} to {to}",
        f"grant select on {tables} to {to}",
        f"grant execute on function {schema}.lease_of to {to}",
    ]
    if kind == "worker":
        functions = ", ".join(f"{schema}.{name}" for name in _WORK)
        done.append(f"grant execute on function {functions} to {to}")
    if kind == "driver":
        done.append(f"grant execute on all functions in schema {schema} to {to}")
    return done


def grant(url: str, role: str, kind: str) -> None:
    """Give a role its rights, as the owner of the tables; they are made if they are missing.

    Raises:
        StoreError: there is no such role, or one may not do that.
        SpecError: an unknown kind, or an address that cannot be read.
    """
    from assay.stores.postgres.address import parse
    from assay.stores.postgres.layout import Layout
    from assay.stores.postgres.link import Link

    address = parse(url)
    given = statements(address, role, kind)
    link = Link(address)
    try:
        Layout(link).make()
        link.script(given)
    finally:
        link.close()
