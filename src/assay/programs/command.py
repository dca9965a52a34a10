"""A command with places for parameters, filled in without a shell."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.core.errors import SpecError, did_you_mean

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_BEGUN = re.compile(r"\{([\w.]+)")
_OF_A_SHELL = re.compile(r"\d?(?:\||\|\||&&?|;|<|>>?|>&\d)")
_FILES = ("config", "config.json", "config.toml")
OWN = ("seed", "trial", *_FILES)
"""What a command may name besides parameters: the seed and number of the trial, and files with its config."""


@dataclass(frozen=True)
class Command:
    """A command line with `{name}` where a value goes; `{{` is a brace.

    Every value stays one argument, whatever is in it: no shell reads it. An argument that names a
    parameter which is not active is left out, with the option before it where it is nothing else.

    Args:
        text: the command; words are parted as a POSIX shell does, quotes included.
        shell: run the text by `sh -c`, each value quoted for it.

    Raises:
        SpecError: no command, quotes that do not close, or what only a shell understands.

    >>> Command("python train.py --lr {lr} --depth={depth}").words({"lr": 0.1, "depth": 3})
    ['python', 'train.py', '--lr', '0.1', '--depth=3']
    >>> Command("train --lr {lr} --depth={depth}").words({"lr": "1; reboot"})
    ['train', '--lr', '1; reboot']
    """

    text: str
    shell: bool = False

    def __post_init__(self) -> None:
        try:
            words = shlex.split(self.text)
        except ValueError as error:
            raise SpecError(f"The command {self.text!r:.200} cannot be read: {error}.") from None
        if not words:
            raise SpecError(
                "A command is needed, such as 'python train.py --lr {lr}', got nothing."
            )
        if self.shell:
            return
        for word in shlex.split(self.text, posix=False):  # quotes stay, so that '|' is another word
            if _OF_A_SHELL.fullmatch(word):
                raise SpecError(
                    f"The command has {word} between its words, and no shell reads it. Add --shell "
                    f"(shell=True in Python), or write '{word}' to give it to the program as it is."
                )

    @property
    def names(self) -> list[str]:
        """What it names, in order."""
        found = (match.group(1) for match in _PLACE.finditer(self.text))
        return list(dict.fromkeys(name for name in found if name is not None))

    @property
    def first(self) -> str | None:
        """The program that is started; None where a shell or a parameter says which."""
        word = shlex.split(self.text)[0]
        return None if self.shell or _PLACE.search(word) else word

    def unnamed(self, known: Collection[str]) -> list[str]:
        """The parameters that it leaves out although it names others, and no file with all of them."""
        named = set(self.names)
        if not named & set(known) or named & set(_FILES):
            return []
        return [name for name in known if name not in named]

    def check(self, known: Collection[str]) -> None:
        """See that every name is a parameter or one of our own, and that its brace closes.

        Raises:
            SpecError: one is neither, or does not.
        """
        for begun in _BEGUN.finditer(_PLACE.sub(" ", self.text)):
            if (name := begun.group(1)) in known or name in OWN:
                raise SpecError(f"The command has {{{name} without the closing brace: {{{name}}}.")
        for name in self.names:
            if name not in known and name not in OWN:
                raise SpecError(
                    f"The command names {{{name}}}, which is no parameter. "
                    f"{did_you_mean(name, [*known, *OWN])} Write {{{{ for a brace."
                )

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """The arguments with these values."""
        if self.shell:
            return ["sh", "-c", _PLACE.sub(lambda m: _quoted(m, values), self.text)]
        words: list[str] = []
        for word in shlex.split(self.text):
            if all(name in values for name in _names(word)):
                words.append(_PLACE.sub(lambda m: _plain(m, values), word))
            elif _PLACE.fullmatch(word) and words and words[-1].startswith("-"):
                words.pop()
        return words


def text_of(value: Any) -> str:
    """A value as programs read it: text as it is, everything else as JSON.

    >>> text_of("adam"), text_of(True), text_of(0.1), text_of([1, 2])
    ('adam', 'true', '0.1', '[1, 2]')
    """
    return value if isinstance(value, str) else json.dumps(value)


def to_toml(config: Mapping[str, Any]) -> str:
    r"""A config as TOML; a parameter that is null is left out, because TOML has no null.

    >>> print(to_toml({"lr": 0.1, "layers": [64, 32], "name": 'a "b"'}))
    "lr" = 0.1
    "layers" = [64, 32]
    "name" = "a \"b\""
    """
    lines = (f"{_toml(k)} = {_toml(v)}" for k, v in config.items() if v is not None)
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # other JSON is TOML too, but TOML knows no surrogates and no bare DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _names(word: str) -> list[str]:
    return [m.group(1) for m in _PLACE.finditer(word) if m.group(1) is not None]


def _plain(match: re.Match[str], values: Mapping[str, Any]) -> str:
    if match.group(1) is None:
        return match.group()[0]
    return text_of(values[match.group(1)])


def _quoted(match: re.Match[str], values: Mapping[str, Any]) -> str:
    if match.group(1) is None:
        return match.group()[0]
    return shlex.quote(text_of(values[match.group(1)])) if match.group(1) in values else "''"
