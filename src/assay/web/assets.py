"""The files that pages need: a fixed table, so that no request names a path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from assay.report.html import text_of

_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
          "svg": "image/svg+xml"}  # fmt: skip
_SCRIPTS = ("app", "chart", "form", "live", "panels", "parallel", "theme", "tip")


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    kind: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file by its name in the address."""
    static = files("assay.web").joinpath("static")
    texts = {f"{name}.js": static.joinpath(f"{name}.js").read_bytes() for name in _SCRIPTS}
    texts["echarts.js"] = static.joinpath("vendor", "echarts.esm.min.js").read_bytes()
    texts["icon.svg"] = static.joinpath("icon.svg").read_bytes()
    styles = ("colours.css", "style.css", "chart.css")
    texts["app.css"] = (
        "".join(map(text_of, styles)).encode() + static.joinpath("app.css").read_bytes()
    )
    return {
        name: Asset(body, _KINDS[name.rpartition(".")[2]], sha256(body).hexdigest()[:16])
        for name, body in texts.items()
    }
