"""Who may look: a key of the user, tokens made from it, and sessions in a signed cookie.

The key outlives the server, so that an open page goes on after a restart. What is derived from it
holds for one storage and one mode: a token that was given away to look can do no more, and nothing
elsewhere.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from assay.core.errors import StoreError
from assay.stores.seals import home

_LASTS_S = 30 * 86400
_FILE = "dashboard.key"


def user_key(folder: Path | None = None) -> bytes:
    """The key of this user, made once; readable by this user alone.

    Raises:
        StoreError: it cannot be read or made, or others may read it.
    """
    path = (folder or home()) / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(made, "wb") as file:
                file.write(secrets.token_bytes(32))
        key = path.read_bytes()
        loose = path.stat().st_mode & 0o077
    except OSError as error:
        raise StoreError(
            f"Cannot keep the dashboard's key in {path}: {error.strerror or error}. Set ASSAY_HOME to "
            "a folder where you may write."
        ) from error
    if loose or len(key) != 32:
        why = "others may read it" if loose else f"it has {len(key)} bytes instead of 32"
        raise StoreError(f"{path} is no good key: {why}. Delete it; a new one is made.")
    return key


@dataclass
class Door:
    """Lets in who has the token, a link that was not used yet, or a session.

    Args:
        key: the user's.
        scope: what the tokens are good for: the storage and the mode.
    """

    key: bytes
    scope: str
    _links: set[str] = field(default_factory=set)

    @property
    def token(self) -> str:
        """What may be typed in to log in; the same as long as the key is."""
        return self._sign("token")[:40]

    def link(self) -> str:
        """A code that opens the door once, as it may stay behind in a browser's history."""
        code = secrets.token_urlsafe(24)
        self._links.add(code)
        return code

    def opens(self, word: str) -> bool:
        """Whether this is the token, or a link's code, which is used up by it."""
        if word in self._links:
            self._links.discard(word)
            return True
        return self.is_token(word)

    def is_token(self, word: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(word.encode(errors="replace"), self.token.encode())

    def session(self) -> str:
        """What a cookie holds."""
        until = str(int(time.time()) + _LASTS_S)
        return f"{until}.{self._sign('session', until)}"

    def knows(self, session: str) -> bool:
        """Whether a cookie holds a session that has not run out."""
        until, _, signed = session.partition(".")
        if not until.isascii() or not until.isdigit() or len(until) > 12 or not signed.isascii():
            return False
        right = hmac.compare_digest(signed, self._sign("session", until))
        return right and int(until) > time.time()

    def _sign(self, *what: str) -> str:
        text = "\0".join((self.scope, *what)).encode(errors="surrogatepass")
        return hmac.new(self.key, text, sha256).hexdigest()
