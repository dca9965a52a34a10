"""Numbers, values and names as text for people. Whatever comes in, what comes out is inert."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

from assay.core.decimals import fixed

_LONGEST = 160
_TURNS_TEXT = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_UNSEEN = {"Cc", "Cs", "Co", "Zl", "Zp"}


def name(text: str, longest: int = _LONGEST) -> str:
    r"""A text that anybody may have written, on one line, safe to show and not too long.

    Control characters, half surrogates and characters that turn the direction of the text around
    them are written as escapes, so that nothing they do can reach the page or the terminal.

    >>> name("a\x00b\u202ec")
    'a\\x00b\\u202ec'
    """
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(map(_visible, short)) or "(empty)"


def headline(text: str, longest: int = 200) -> str:
    r"""The first line of a text, such as the reason of a failure with its traceback, as by `name`.

    >>> headline("ValueError: no GPU\n  File ...")
    'ValueError: no GPU'
    """
    return name(text.strip().partition("\n")[0], longest)


def lines(text: str, most: int = 60) -> list[str]:
    """The last lines of a text of several lines, each as by `name`."""
    found = text.splitlines()
    return [name(line) if line else "" for line in found[-most:]]


def _visible(char: str) -> str:
    if char in "\n\r\t":
        return " "
    point = ord(char)
    if char in _TURNS_TEXT or unicodedata.category(char) in _UNSEEN or point & 0xFFFE == 0xFFFE:
        return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}"
    return char


def number(x: float, digits: int = 4) -> str:
    """A number with a few significant digits and a real minus sign.

    >>> number(0.72741), number(-1234567.0), number(120), number(0.00000123)
    ('0.7274', '−1,234,567', '120', '1.23e−06')
    """
    if not math.isfinite(x):
        return "not finite"
    if x == 0:
        return "0"
    size = abs(x)
    if size >= 10**digits:
        text = f"{x:,.0f}" if size < 1e9 else f"{x:.{digits - 1}e}"
    elif float(x).is_integer():
        text = f"{x:.0f}"
    else:
        text = f"{x:.{digits}g}"
    return text.replace("-", "−")


def score(x: float) -> str:
    """A number for a column of like numbers: four significant digits, zeros kept.

    >>> score(0.66), score(12.5), score(3.0)
    ('0.6600', '12.50', '3')
    """
    if float(x).is_integer() or abs(x) >= 1e4 or not math.isfinite(x):
        return number(x)
    return f"{x:#.4g}".replace("-", "−")


def give_or_take(estimate: float, half_width: float | None) -> str:
    """An estimate with half the width of its interval.

    >>> give_or_take(0.1257, 0.034), give_or_take(0.5, None)
    ('+0.126 ± 0.034', '+0.5')
    """
    if not half_width:
        return signed(estimate)
    places = decimals(half_width)
    return f"{fixed(estimate, places, sign=True)} ± {fixed(half_width, places)}"


def signed(x: float, digits: int = 3) -> str:
    """A number with its sign.

    >>> signed(0.0125), signed(-3.0)
    ('+0.0125', '−3')
    """
    return f"+{number(x, digits)}" if x > 0 else number(x, digits)


_LIMITS = {
    "seconds": "s",
    "cpu_seconds": "CPU s",
    "cpu_hours": "CPU hours",
    "gpu_hours": "GPU hours",
    "kwh": "kWh",
    "kgco2e": "kg CO₂e",
}


def energy(kwh: float) -> str:
    """An energy, given in kWh; below a watt-hour in Wh.

    >>> energy(0.024), energy(4.7e-06)
    ('0.024 kWh', '0.0047 Wh')
    """
    return f"{number(1000 * kwh, 2)} Wh" if kwh < 1e-3 else f"{number(kwh, 2)} kWh"


def limit_name(limit: str, currency: str = "money") -> str:
    """A limit of a budget in words.

    >>> limit_name("trials"), limit_name("kwh"), limit_name("money", "EUR")
    ('trials', 'kWh', 'EUR')
    """
    return name(currency, 20) if limit == "money" else _LIMITS.get(limit, limit)


def decimals(half_width: float) -> int:
    """How many decimals a value with this uncertainty deserves: two digits of the uncertainty."""
    if not math.isfinite(half_width) or half_width <= 0:
        return 4
    return min(max(1 - math.floor(math.log10(half_width)), 0), 8)


def span(estimate: float, low: float | None, high: float | None, *, sign: bool = True) -> str:
    """An estimate with its interval, all to the same decimals.

    >>> span(0.1257, 0.0903, 0.1588)
    '+0.126 (+0.090 to +0.159)'
    >>> span(0.5, None, None)
    '+0.5'
    """
    if low is None or high is None or low == high:
        return signed(estimate) if sign else number(estimate)
    places = decimals((high - low) / 2)
    shown = [fixed(x, places, sign=sign) for x in (estimate, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def seconds(s: float) -> str:
    """A duration.

    >>> seconds(0.034), seconds(9.06), seconds(75), seconds(7265), seconds(200000)
    ('0.034 s', '9.1 s', '1 min 15 s', '2 h 01 min', '2 d 7 h')
    """
    if s < 60:
        return f"{s:.2g} s" if s < 9.95 else f"{s:.0f} s"
    if s < 3600:
        return f"{int(s) // 60} min {int(s) % 60:02d} s"
    if s < 86400:
        return f"{int(s) // 3600} h {int(s) % 3600 // 60:02d} min"
    return f"{int(s) // 86400} d {int(s) % 86400 // 3600} h"


def count(n: int, singular: str, plural: str | None = None) -> str:
    """A number of things.

    >>> count(1, "trial"), count(1200, "trial")
    ('1 trial', '1,200 trials')
    """
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def value(x: Any) -> str:
    """A value of a parameter, short; numbers to six digits.

    >>> value(0.1 + 0.2), value("tree"), value(None), value([1, 2])
    ('0.3', 'tree', 'null', '[1, 2]')
    """
    if isinstance(x, str):
        return name(x, 80)
    if isinstance(x, float):
        return f"{x:.6g}".replace("-", "−") if math.isfinite(x) else "not finite"
    if isinstance(x, int) and not isinstance(x, bool):
        return str(x).replace("-", "−")
    return exact(x, 80)


def exact(x: Any, longest: int = _LONGEST) -> str:
    """A value of a parameter as JSON, to the last digit.

    >>> exact(0.1 + 0.2), exact("tree"), exact(True)
    ('0.30000000000000004', '"tree"', 'true')
    """
    return name(json.dumps(x, ensure_ascii=False, default=str), longest)
