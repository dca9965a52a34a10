"""Who may use an exported study, who publishes it and who made it: as stated by who exports it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from assay.core.errors import SpecError

_NAMED = re.compile(r"(?P<name>[^<>]*[^<>\s])\s*(?:<(?P<url>[^<>\s]+)>)?")
_URL = re.compile(r"https?://[^\s<>]+")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_ORCID = re.compile(r"https?://orcid\.org/(\d{4})-(\d{4})-(\d{4})-(\d{3}[\dX])")
_ROR = re.compile(r"https?://ror\.org/0[a-hj-km-np-tv-z0-9]{6}\d{2}")

UNSTATED = {
    "@id": "#no-license",
    "@type": "CreativeWork",
    "name": "No license stated",
    "description": "Whoever exported this study stated no license, so it grants no right to use it: ask "
    "its author, or state one (assay export --license).",
}


@dataclass(frozen=True)
class Credit:
    """What the log does not know, and is written only where it is given.

    Args:
        license: a URL, or an identifier of SPDX such as "CC-BY-4.0".
        publisher, affiliation: an organisation, "Name" or "Name <https://ror.org/…>".
        author: a person, "Name" or "Name <https://orcid.org/…>"; None: who began the study.

    Raises:
        SpecError: one of these is not such a text, or an ORCID or ROR is mistyped.

    >>> Credit(license="CC-BY-4.0").license_entity["@id"]
    'https://spdx.org/licenses/CC-BY-4.0'
    """

    license: str | None = None
    publisher: str | None = None
    author: str | None = None
    affiliation: str | None = None

    def __post_init__(self) -> None:
        for word in ("publisher", "author", "affiliation"):
            if (given := getattr(self, word)) is not None:
                _named(word, given)
        if self.license is not None and not (
            _URL.fullmatch(self.license) or _SPDX.fullmatch(self.license)
        ):
            raise SpecError(
                "license needs a URL or an identifier of https://spdx.org/licenses, such as "
                f"CC-BY-4.0; got {self.license!r:.80}."
            )

    @property
    def stated(self) -> list[str]:
        """Which of them are given."""
        return [f.name for f in fields(self) if getattr(self, f.name) is not None]

    @property
    def license_entity(self) -> dict[str, Any]:
        """The license; where none is stated, an entity that says so."""
        if self.license is None:
            return dict(UNSTATED)
        url = _URL.fullmatch(self.license)
        return {
            "@id": self.license if url else f"https://spdx.org/licenses/{self.license}",
            "@type": "CreativeWork",
            "name": self.license,
            "description": "The license that whoever exported this study stated.",
        }

    def organisations(self) -> dict[str, dict[str, Any]]:
        """The publisher and the author's affiliation, as far as they are given."""
        found = {}
        for word in ("publisher", "affiliation"):
            if (given := getattr(self, word)) is not None:
                name, url = _named(word, given)
                found[word] = {"@id": url or f"#{word}", "@type": "Organization", "name": name}
                found[word] |= {"url": url} if url else {}
        return found

    def person(self, user: str) -> dict[str, Any]:
        """The author; who began the study, if no other is given."""
        name, url = _named("author", self.author) if self.author else (user, None)
        own = self.organisations().get("affiliation")
        return {
            "@id": url or ("#author" if self.author else "#user"),
            "@type": "Person",
            "name": name,
        } | ({"affiliation": {"@id": own["@id"]}} if own else {})


def _named(word: str, text: str) -> tuple[str, str | None]:
    """The name and the URL of "Name <URL>"."""
    found = _NAMED.fullmatch(text.strip()) if isinstance(text, str) else None
    url = found["url"] if found else None
    if not found or (url and not _URL.fullmatch(url)):
        raise SpecError(
            f"{word} needs a name, and may have a URL after it: 'Name <https://…>'; got {text!r:.80}."
        )
    if url and "orcid.org" in url and not _is_orcid(url):
        raise SpecError(
            f"{word}: {url!r:.60} is no ORCID: look at its digits, the last checks them."
        )
    if url and "ror.org" in url and not _ROR.fullmatch(url):
        raise SpecError(f"{word}: {url!r:.60} is no ROR such as https://ror.org/02mhbdp94.")
    return found["name"].strip(), url


def _is_orcid(url: str) -> bool:
    """Whether the last character is the check of the others (ISO 7064, MOD 11-2)."""
    found = _ORCID.fullmatch(url)
    if not found:
        return False
    digits, total = "".join(found.groups()), 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return digits[-1] == "0123456789X"[(12 - total % 11) % 11]
