"""Search spaces from elsewhere: formats and objects of other tools, read and written."""

from __future__ import annotations

from assay.spaces.annotated import config_of, space_of
from assay.spaces.formats import FORMATS, read, write

__all__ = ["FORMATS", "config_of", "read", "space_of", "write"]
