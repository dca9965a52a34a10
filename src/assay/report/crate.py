"""The description of an exported folder as an RO-Crate of one run (Process Run Crate). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from assay.report.credit import Credit

_TYPES = {".json": "application/json", ".jsonl": "application/jsonl", ".csv": "text/csv",
          ".html": "text/html", ".md": "text/markdown"}  # fmt: skip
_ABOUT = {
    "log.jsonl": "every event of the study, chained by hashes",
    "trials.csv": "the trials, one a row",
    "plan.json": "the plan, fixed before the first trial",
    "environment.json": "where it ran",
    "report.html": "the report",
    "model-card.md": "the model card",
    "prov.json": "provenance, W3C PROV-JSON",
}


def crate(
    name: str,
    files: Mapping[str, int],
    *,
    sentence: str,
    began: str,
    ended: str,
    user: str,
    version: str,
    credit: Credit,
) -> dict[str, Any]:
    """The content of ro-crate-metadata.json.

    Args:
        files: size in bytes of each file, by name.
        sentence: what the study found.
        began, ended: times in ISO 8601.
        user: who began it.
        version: of Assay.
        credit: license, publisher, author and affiliation, as far as they are stated.

    Source: RO-Crate 1.1, and the profile Process Run Crate 0.5.
    """
    listed = [{"@id": file} for file in files]
    stated, entities = _stated(credit, user)
    graph: list[dict[str, Any]] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Study {name}",
            "description": sentence or "A tuning study.",
            "datePublished": ended,
            **stated,
            "conformsTo": {"@id": "https://w3id.org/ro/wfrun/process/0.5"},
            "hasPart": listed,
            "mentions": {"@id": "#run"},
        },
        {
            "@id": "https://w3id.org/ro/wfrun/process/0.5",
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        },
        {
            "@id": "#assay",
            "@type": "SoftwareApplication",
            "name": "Assay",
            "softwareVersion": version,
        },
        *entities,
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"Study {name}",
            "description": sentence or "A tuning study.",
            "agent": {"@id": "#user"},
            "instrument": {"@id": "#assay"},
            "startTime": _time(began),
            "endTime": _time(ended),
            "result": listed,
        },
    ]
    graph += [
        {
            "@id": file,
            "@type": "File",
            "name": file,
            "description": _ABOUT.get(file, file),
            "contentSize": str(size),
            "encodingFormat": _TYPES.get(file[file.rfind(".") :], "application/octet-stream"),
        }
        for file, size in files.items()
    ]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}


def _stated(credit: Credit, user: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the crate says of license, author and publisher, and all that it speaks of there."""
    bodies = credit.organisations()
    found = {"license": credit.license_entity, "author": credit.person(user)}
    found |= {word: body for word, body in bodies.items() if word == "publisher"}
    every = [{"@id": "#user", "@type": "Person", "name": user}, *found.values(), *bodies.values()]
    once = {entity["@id"]: entity for entity in every}  # a publisher may be the affiliation
    return {word: {"@id": one["@id"]} for word, one in found.items()}, list(once.values())


def _time(iso: str) -> str:
    """To the millisecond and with its offset, as the profile wants it."""
    return datetime.fromisoformat(iso).astimezone(UTC).isoformat(timespec="milliseconds")
