"""The address of a database, and how it is shown without its password."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from assay.core.errors import SpecError

SCHEMES = ("postgresql://", "postgres://")
DEFAULT_SCHEMA = "assay"
_SECRETS = ("password", "sslpassword")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Address(NamedTuple):
    """Where studies lie: `conninfo` is for the driver of the database and holds the password."""

    conninfo: str
    schema: str
    shown: str

    @property
    def quoted(self) -> str:
        """The schema's name as SQL."""
        return f'"{self.schema}"'


def parse(url: str) -> Address:
    """The parts of an address such as "postgresql://user@host/database?schema=assay".

    All that libpq knows may stand after the "?", and what is left out is taken from its variables
    and files (PGPASSWORD, ~/.pgpass, a service). `schema` is ours: the tables' place in the database.

    Raises:
        SpecError: the schema's name is not plain, or the address cannot be read.

    >>> parse("postgresql://ann:secret@db.lab/tuning?sslmode=require")
    ... # doctest: +NORMALIZE_WHITESPACE
    Address(conninfo='postgresql://ann:secret@db.lab/tuning?sslmode=require', schema='assay',
        shown='postgresql://ann:***@db.lab/tuning?sslmode=require')
    """
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError as error:
        raise SpecError(f"Cannot read the address {shown(url)!r}: {error}.") from None
    schema = next((value for key, value in options if key == "schema"), DEFAULT_SCHEMA)
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise SpecError(
            f"schema={schema!r} cannot name a schema here. Use up to 63 small letters, digits and _, "
            "not beginning with pg_."
        )
    rest = urlencode([(k, v) for k, v in options if k != "schema"], quote_via=quote)
    return Address(urlunsplit(parts._replace(query=rest)), schema, shown(url))


def is_postgres(storage: str) -> bool:
    """Whether a storage is a database of ours to ask for.

    >>> is_postgres("postgresql://db.lab/tuning"), is_postgres("sqlite:///lab.db")
    (True, False)
    """
    return storage.startswith(SCHEMES)


def shown(storage: str) -> str:
    """The address with stars instead of a password; any other text as it is.

    >>> shown("postgresql://ann:p@ss@db.lab/tuning?password=x")
    'postgresql://ann:***@db.lab/tuning?password=***'
    """
    return _without(storage, ":***", "***")


def without_password(storage: str) -> str:
    """The same address without a password, to be typed again.

    >>> without_password("postgresql://ann:p@ss@db.lab/tuning?password=x&sslmode=require")
    'postgresql://ann@db.lab/tuning?sslmode=require'
    """
    return _without(storage, "", "")


def _without(storage: str, in_user: str, in_query: str) -> str:
    if not is_postgres(storage):
        return storage
    scheme, _, rest = storage.partition("://")
    rest, mark, query = rest.partition("?")
    # A password may hold "/" and "@" that nobody escaped: the last "@" ends it, wherever it is.
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    fields = []
    for field in query.split("&") if mark else []:
        key = field.partition("=")[0]
        if key not in _SECRETS:
            fields.append(field)
        elif in_query:
            fields.append(f"{key}={in_query}")
    tail = "?" + "&".join(fields) if fields else ""
    return f"{scheme}://{name}{in_user if colon else ''}{at}{place}{tail}"
