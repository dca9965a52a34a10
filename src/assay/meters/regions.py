"""Grams of CO2 equivalent for each kilowatt-hour of electricity, by country; never asked of a network.

Source: Ember, Yearly Electricity Data, as published by Our World in Data (carbon intensity of
electricity generation, life cycle), CC BY 4.0; the file holds for each country the newest year
that CodeCarbon 3.3.2 (MIT) compiled from it, rounded to whole grams. A mean over a year and a country
says little of one hour in one data centre: give g_per_kwh where you know better.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from assay.core.errors import SpecError

SOURCE = "Ember, by Our World in Data (CC BY 4.0)"


@dataclass(frozen=True)
class Region:
    """A country with the mean carbon intensity of its electricity in a year."""

    code: str
    name: str
    g_per_kwh: float
    year: int


@cache
def regions() -> dict[str, Region]:
    """All regions by their ISO 3166 code of three letters."""
    text = files("assay.meters").joinpath("regions.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return {
        row["code"]: Region(row["code"], row["name"], float(row["g_per_kwh"]), int(row["year"]))
        for row in rows
    }


def region(name: str) -> Region:
    """A region by its code of three letters, or by its English name.

    Raises:
        SpecError: there is none; give g_per_kwh instead.

    >>> region("NOR").g_per_kwh < 50 < region("poland").g_per_kwh
    True
    """
    known = regions()
    by_name = {r.name.lower(): r for r in known.values()}
    found = known.get(name.upper()) or by_name.get(name.lower())
    if found is None:
        near = get_close_matches(name.title(), [r.name for r in known.values()], 1)
        near += get_close_matches(name.upper(), known, 1) if len(name) == 3 else []
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise SpecError(
            f"There is no region {name!r}; use a code of three letters, such as 'DEU', or an English "
            f"name.{hint} Where you know better, give g_per_kwh."
        )
    return found
