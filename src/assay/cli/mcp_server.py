"""The Model Context Protocol over standard input and output: JSON-RPC 2.0, one message a line.

Written by hand because the official package brings a web server and a schema library; what a server of
tools needs of the protocol is four methods. Source: modelcontextprotocol.io, revisions 2024-11-05 to
2025-06-18, "Lifecycle" and "Tools".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TextIO

from assay import __version__
from assay.api import agents
from assay.core.errors import AssayError

_VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")
_PARSE, _INVALID, _NO_METHOD, _PARAMS, _INTERNAL = -32700, -32600, -32601, -32602, -32603
_STUDY = {"type": "string", "description": "Name of the study; may be left out if there is one."}
_TRIAL = {"type": "integer", "minimum": 0, "description": "Number of the trial."}

Tool = tuple[Callable[..., Any], str, dict[str, Any], list[str]]
TOOLS: dict[str, Tool] = {
    "create": (
        agents.create,
        "Begin a study of parameters that you evaluate yourself with ask and tell.",
        {
            "study": {"type": "string", "minLength": 1, "description": "Its name."},
            "space": {
                "type": "object",
                "description": 'Parameters by name, such as {"lr": "1e-4..1 log default=0.1", '
                '"depth": "1..12 default=6", "kind": "tree|linear"}. With a default for each, the '
                "first trial is the defaults: the control.",
            },
            "direction": {
                "description": '"minimize", "maximize", or one for each objective by name.',
                "anyOf": [{"type": "string"}, {"type": "object"}],
            },
            "constraints": {"type": "array", "items": {"type": "string"}},
            "seed": {"type": "integer", "minimum": 0},
            "sampler": {"type": "string"},
        },
        ["study", "space"],
    ),
    "ask": (agents.ask, "The next trial: number, config and seed.", {"study": _STUDY}, []),
    "tell": (
        agents.tell,
        "End a trial with its value, or as failed with a reason.",
        {
            "study": _STUDY,
            "trial": _TRIAL,
            "value": {
                "description": "A number, or numbers by name.",
                "anyOf": [{"type": "number"}, {"type": "object"}],
            },
            "failed": {"type": "string", "description": "Why it has no value."},
        },
        ["trial"],
    ),
    "report": (
        agents.report,
        "Record an intermediate value of a trial that runs.",
        {
            "study": _STUDY,
            "trial": _TRIAL,
            "step": {"type": "integer"},
            "value": {
                "description": "A number, or an object with one for each objective.",
                "anyOf": [{"type": "number"}, {"type": "object"}],
            },
        },
        ["trial", "step", "value"],
    ),
    "status": (agents.status, "Where the studies stand.", {"study": _STUDY}, []),
    "trials": (
        agents.trials,
        "The trials of a study with their values, newest last.",
        {"study": _STUDY, "limit": {"type": "integer", "minimum": 1}},
        [],
    ),
    "verdict": (
        agents.verdict,
        "What a study concluded: claim, gain with its interval, and what to use.",
        {"study": _STUDY},
        [],
    ),
}
"""What may be called, what it does, its arguments, and which of them are needed."""


class _CallError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(storage: str, lines: TextIO, out: TextIO) -> None:
    """Answer messages until the input ends."""
    for line in lines:
        if line.strip() and (answer := answer_to(line, storage)) is not None:
            out.write(json.dumps(answer) + "\n")
            out.flush()


def answer_to(line: str, storage: str) -> dict[str, Any] | None:
    """The answer to one message; None for a notification.

    >>> answer_to('{"jsonrpc": "2.0", "id": 1, "method": "ping"}', "lab.db")
    {'jsonrpc': '2.0', 'id': 1, 'result': {}}
    """
    number: Any = None
    try:
        message = _read(line)
        number = message.get("id")
        result = _result(message, storage)
    except _CallError as error:
        if number is None and error.code not in (_PARSE, _INVALID):
            return None
        return _envelope(number, error={"code": error.code, "message": str(error)})
    return None if number is None else _envelope(number, result=result)


def _envelope(number: Any, **content: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, **content}


def _read(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise _CallError(_PARSE, "This is not JSON.") from None
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise _CallError(_INVALID, "A message is an object with a method.")
    return message


def _result(message: dict[str, Any], storage: str) -> Any:
    given = message.get("params") or {}
    if not isinstance(given, dict):
        raise _CallError(_PARAMS, "params must be an object.")
    match message["method"]:
        case "initialize":
            wanted = given.get("protocolVersion")
            return {
                "protocolVersion": wanted if wanted in _VERSIONS else _VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "assay", "version": __version__},
            }
        case "ping":
            return {}
        case "tools/list":
            return {"tools": [_described(name) for name in TOOLS]}
        case "tools/call":
            return _called(given, storage)
        case method if method.startswith("notifications/"):
            return None
        case method:
            raise _CallError(_NO_METHOD, f"There is no method {method!r:.80}.")


def _described(name: str) -> dict[str, Any]:
    _, about, properties, needed = TOOLS[name]
    return {
        "name": name,
        "description": about,
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": needed,
            "additionalProperties": False,
        },
    }


def _called(given: dict[str, Any], storage: str) -> dict[str, Any]:
    name, arguments = given.get("name"), given.get("arguments") or {}
    if not isinstance(name, str) or name not in TOOLS:
        raise _CallError(_PARAMS, f"There is no tool {name!r:.80}. Known: {', '.join(TOOLS)}.")
    function, _, properties, needed = TOOLS[name]
    if not isinstance(arguments, dict):
        raise _CallError(_PARAMS, "arguments must be an object.")
    unknown, missing = arguments.keys() - properties, [n for n in needed if n not in arguments]
    arguments = {key: v for key, v in arguments.items() if v is not None or key in needed}
    if unknown or missing:
        said = f"no argument {min(unknown)!r:.80}" if unknown else f"{missing[0]!r} is missing"
        return _mistake(f"{name}: {said}. It takes {', '.join(properties)}.")
    for key, value in arguments.items():
        if wrong := _wrong(properties[key], value):
            return _mistake(f"{name}: {key} needs {wrong}")
    try:
        found = function(storage, **arguments)
    except AssayError as error:
        if name != "create" and agents.no_study(storage):
            return _mistake("There is no study yet. Begin one with the tool create.")
        return _mistake(str(error))
    except TypeError as error:
        return _mistake(f"{name}: {error}")
    except Exception as error:
        raise _CallError(_INTERNAL, f"{type(error).__name__}: {error}") from error
    text = json.dumps(found)
    return {"content": [{"type": "text", "text": text}], "structuredContent": found}


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a text"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "object": (dict, "an object"),
    "array": (list, "a list"),
}


def _wrong(form: dict[str, Any], value: Any) -> str | None:
    """What an argument needs and was not given; None if it is as its schema says."""
    kinds = [_KINDS[one["type"]] for one in form.get("anyOf", [form])]
    about = f" {form['description']}" if "description" in form else ""
    got = f"got {json.dumps(value)[:100]}.{about}"
    if isinstance(value, bool) or not any(isinstance(value, kind) for kind, _ in kinds):
        return f"{' or '.join(word for _, word in kinds)}, {got}"
    if "minimum" in form and value < form["minimum"]:
        return f"a whole number >= {form['minimum']}, {got}"
    if "minLength" in form and not value.strip():
        return f"a text that is not empty, {got}"
    return None


def _mistake(said: str) -> dict[str, Any]:
    """Told as a result and not as an error of the protocol: so the model sees it, and can mend it."""
    return {"content": [{"type": "text", "text": said}], "isError": True}
