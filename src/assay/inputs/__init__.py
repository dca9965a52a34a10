"""Data from files and from memory, checked before anything is fitted."""

from __future__ import annotations

from assay.inputs.files import load
from assay.inputs.table import Table, Task, from_arrays, task

__all__ = ["Table", "Task", "from_arrays", "load", "task"]
