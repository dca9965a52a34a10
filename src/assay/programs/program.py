"""A program as an objective: started for each trial, watched, and read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assay.core.errors import SpecError
from assay.programs.command import Command, text_of, to_toml
from assay.programs.listening import lines_of
from assay.programs.reading import Reading, compiled


class Trial(Protocol):
    """What a program needs of a trial."""

    number: int
    config: dict[str, Any]
    seed: int

    def report(self, step: int, value: float) -> None: ...


@dataclass(frozen=True)
class Program:
    """An objective in any language: `assay.optimize(Program("Rscript fit.R --lr {lr}"), space, …)`.

    The program gets its config by arguments, `{lr}`; by a file, `{config.json}` or `{config.toml}`;
    or by its environment: ASSAY_CONFIG (all of it as JSON), ASSAY_PARAM_<NAME> for each parameter,
    ASSAY_SEED and ASSAY_TRIAL. It runs where the study was started. It gives its numbers by printing
    them (see `Reading`), or in a file.

    Args:
        command: with `{name}` where a value goes; no shell reads it.
        metrics: the names of the numbers that it gives; the first is what it reports with a step.
        pattern: a regular expression that finds them in its output.
        output: a file that it writes them to, as JSON, JSON lines or `name: number`; `{trial}` in it
            is the number of the trial.
        shell: run the command by `sh -c`, with every value quoted.

    Raises:
        SpecError: a command or pattern that cannot be read.

    >>> from types import SimpleNamespace
    >>> trial = SimpleNamespace(number=0, config={"x": 3}, seed=1, report=print)
    >>> Program("echo value: {x}")(trial)
    value: 3
    {'value': 3.0}
    """

    command: str
    metrics: Sequence[str] = ("value",)
    pattern: str | None = None
    output: str | None = None
    shell: bool = False
    directory: str = field(default_factory=os.getcwd)

    def __post_init__(self) -> None:
        Command(self.command, self.shell)
        object.__setattr__(self, "metrics", tuple(self.metrics))
        if self.pattern is not None:
            compiled(self.pattern)

    def check(self, names: Sequence[str]) -> None:
        """See that the command is there and fits a space with these parameters.

        Warns:
            UserWarning: it names some of them, and others reach the program by its environment alone.

        Raises:
            SpecError: it names something else, or cannot be found.
        """
        command = Command(self.command, self.shell)
        command.check(names)
        if not os.path.isdir(self.directory):
            raise SpecError(
                f"The program runs in the folder {self.directory!r}, which is not there. Make it, with "
                "what the program needs, or name another (directory = … in the study file)."
            )
        if unnamed := command.unnamed(names):
            named, variable = ", ".join(f"{{{name}}}" for name in unnamed), _variable(unnamed[0])
            warnings.warn(
                f"The command does not name {named}: the program gets such values by its environment "
                f"alone ({variable}, …). If it does not read them, name them, or search fewer.",
                stacklevel=3,
            )
        first = command.first
        if first and not self._is_there(first):
            raise SpecError(
                f"There is no program {first!r} to start, looked for in "
                f"{self.directory if '/' in first else 'the PATH'}. Install it, or give its path (a "
                f"program beside you is './{first.rpartition('/')[2]}')."
            )

    def _is_there(self, first: str) -> bool:
        return (
            shutil.which(os.path.join(self.directory, first) if "/" in first else first) is not None
        )

    def to_json(self) -> dict[str, Any]:
        """Its settings, from which `Program(**form)` is made again."""
        return {
            "command": self.command,
            "metrics": list(self.metrics),
            "pattern": self.pattern,
            "output": self.output,
            "shell": self.shell,
            "directory": self.directory,
        }

    def __call__(self, trial: Trial) -> dict[str, float]:
        """Run the program; its numbers by name.

        Raises:
            ProgramError: it cannot be started, ends with another code than 0, or gives no number.
        """
        printed = Reading(self.metrics, self.pattern, trial.report)
        with self._values(trial) as values:
            words = Command(self.command, self.shell).words(values)
            output = self._output(trial)
            if output is not None:
                output.unlink(
                    missing_ok=True
                )  # what an earlier trial left says nothing of this one
            code = self._run(words, self._environment(trial), printed)
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise ProgramError(f"the program {how}: {_shown(words)}")
        found, where = printed.values, "the program did not print"
        if output is not None:
            found, where = self._left(output), f"{output} does not hold"
        if missing := [name for name in self.metrics if name not in found]:
            unnamed = (
                " If it has another name, say --minimize NAME." if missing == ["value"] else ""
            )
            raise ProgramError(
                f'{where} {missing[0]!r}. Print a line such as "{missing[0]}: 0.5" or '
                f'{{"{missing[0]}": 0.5}}, or say where it is with a pattern or a file.{unnamed}'
            )
        return found

    def _output(self, trial: Trial) -> Path | None:
        if self.output is None:
            return None
        return Path(self.directory, self.output.replace("{trial}", str(trial.number)))

    def _left(self, output: Path) -> dict[str, float]:
        reading = Reading(self.metrics, self.pattern)
        reading.whole(_text(output))
        return reading.values

    def _run(self, words: list[str], environment: dict[str, str], reading: Reading) -> int:
        """Start the program and pass its output on; its exit code."""
        try:
            process = subprocess.Popen(
                words,
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
                bufsize=1,
            )
        except OSError as error:
            raise ProgramError(f"{words[0]!r} cannot be started: {error.strerror}.") from None
        lines = lines_of(process)
        try:
            for line in lines:
                sys.stdout.write(line)
                reading.line(line)
        except BaseException:
            process.kill()
            for _ in lines:  # whoever listens may wait for room
                pass
            raise
        return process.wait()

    @contextmanager
    def _values(self, trial: Trial) -> Iterator[dict[str, Any]]:
        values: dict[str, Any] = {**trial.config, "seed": trial.seed, "trial": trial.number}
        names = Command(self.command, self.shell).names
        with tempfile.TemporaryDirectory(prefix="assay-") as folder:
            for name in ("config", "config.json", "config.toml"):
                if name in names and name not in trial.config:
                    values[name] = _written(folder, name, trial.config)
            yield values

    def _environment(self, trial: Trial) -> dict[str, str]:
        own = {
            "ASSAY_CONFIG": json.dumps(trial.config),
            "ASSAY_SEED": str(trial.seed),
            "ASSAY_TRIAL": str(trial.number),
            "PYTHONUNBUFFERED": "1",  # so that intermediate values arrive when they are printed
        }
        for name, value in trial.config.items():
            own[_variable(name)] = text_of(value)
        return {**os.environ, **own}


def _variable(name: str) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    return f"ASSAY_PARAM_{safe.upper()}"


class ProgramError(Exception):
    """A program that gave no number; the trial fails with this reason."""


def _written(folder: str, name: str, config: Mapping[str, Any]) -> str:
    path = Path(folder, "config.toml" if name.endswith("toml") else "config.json")
    path.write_text(to_toml(config) if path.suffix == ".toml" else json.dumps(config), "utf-8")
    return str(path)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise ProgramError(f"the program left no file {path}: {error.strerror}.") from None


def _shown(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= 300 else f"{text[:300]}…"
