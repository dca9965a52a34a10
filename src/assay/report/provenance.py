"""A study as W3C PROV-JSON: what came from what, and who did it. Pure."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from assay.core.events import Created, Opened, Sealed, Selected
from assay.core.history import History
from assay.core.spec import StudySpec

NAMESPACE = "https://w3id.org/assay/"


def prov_json(name: str, spec: StudySpec, history: History, head: str) -> dict[str, Any]:
    """The document.

    Entities are the data, the plan, configs, scores and the gain; activities are trials, the
    selection and the opening; agents are the sampler and the user.

    Source: Huynh et al. 2013, the PROV-JSON serialization, W3C member submission.
    """
    created: Created = history.last(Created)
    entity: dict[str, Any] = {
        "assay:plan": {"assay:hash": created.plan, "prov:label": f"plan of {name}"},
        "assay:log": {"assay:head": head, "assay:events": history.length},
    }
    if spec.data:
        entity["assay:data"] = {
            "assay:rows": spec.data["rows"],
            "assay:content": spec.data["fingerprint"]["content"],
        }
        entity["assay:splits"] = {
            f"assay:{key}": spec.data[key] for key in ("folds", "repeats") if key in spec.data
        }
    activity: dict[str, Any] = {}
    used: dict[str, Any] = {}
    generated: dict[str, Any] = {}
    associated: dict[str, Any] = {}
    for trial in history.trials:
        act, config, score = (
            f"assay:{kind}-{trial.number}" for kind in ("trial", "config", "score")
        )
        activity[act] = {"assay:state": trial.state, "assay:cpu_s": trial.cpu_s}
        entity[config] = {_named(k): _plain(v) for k, v in trial.config.items()}
        used[f"_:u{trial.number}"] = {"prov:activity": act, "prov:entity": config}
        if spec.data:
            used[f"_:d{trial.number}"] = {"prov:activity": act, "prov:entity": "assay:data"}
            used[f"_:k{trial.number}"] = {"prov:activity": act, "prov:entity": "assay:splits"}
        agent = "assay:sampler" if trial.origin == "sampler" else "assay:user"
        associated[f"_:a{trial.number}"] = {
            "prov:activity": act,
            "prov:agent": agent,
            "prov:plan": "assay:plan",
        }
        if trial.values is not None:
            values = zip(spec.objectives, trial.values, strict=True)
            entity[score] = {_named(objective): value for objective, value in values}
            generated[f"_:g{trial.number}"] = {"prov:entity": score, "prov:activity": act}
    _stages(history, entity, activity, used, generated)
    divided = {"prov:generatedEntity": "assay:splits", "prov:usedEntity": "assay:data"}
    return {
        "prefix": {"assay": NAMESPACE},
        "entity": entity,
        "activity": activity,
        "agent": {
            "assay:sampler": {
                "prov:type": _qualified("prov:SoftwareAgent"),
                "assay:name": spec.sampler["name"],
            },
            "assay:user": {"prov:type": _qualified("prov:Person")},
        },
        "used": used,
        "wasGeneratedBy": generated,
        "wasAssociatedWith": associated,
        **({"wasDerivedFrom": {"_:splits": divided}} if spec.data else {}),
    }


def _stages(
    history: History,
    entity: dict[str, Any],
    activity: dict[str, Any],
    used: dict[str, Any],
    generated: dict[str, Any],
) -> None:
    selected: Selected | None = history.last(Selected)
    if selected:
        activity["assay:selection"] = {"assay:rule": selected.rule}
        entity["assay:selected"] = {"assay:trial": selected.trial, "assay:reason": selected.reason}
        generated["_:selected"] = {
            "prov:entity": "assay:selected",
            "prov:activity": "assay:selection",
        }
        for row in selected.table:
            key = f"_:s{row['trial']}"
            used[key] = {
                "prov:activity": "assay:selection",
                "prov:entity": f"assay:score-{row['trial']}",
            }
    sealed: Sealed | None = history.last(Sealed)
    opened: Opened | None = history.last(Opened)
    if sealed:
        entity["assay:sealed-rows"] = {"assay:rows": sealed.rows, "assay:sha256": sealed.sha256}
    if sealed and opened:
        activity["assay:opening"] = {"assay:look": opened.look}
        gain = opened.results["gain"]
        entity["assay:gain"] = {f"assay:{k}": gain[k] for k in ("estimate", "low", "high")}
        used["_:opening"] = {"prov:activity": "assay:opening", "prov:entity": "assay:sealed-rows"}
        generated["_:gain"] = {"prov:entity": "assay:gain", "prov:activity": "assay:opening"}


def _named(name: str) -> str:
    """A name of the user's as a qualified one: those cannot hold spaces and the like."""
    return f"assay:{quote(name, safe='')}"


def _qualified(name: str) -> dict[str, str]:
    """A name of PROV itself: plain text would only be a label."""
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _plain(value: Any) -> Any:
    """A value that PROV-JSON has, and other ones as JSON text."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
