"""Who may call over HTTP: bearer tokens (RFC 6750), known to the server as hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from halfopen.source import BadInput, Problem

VARIABLES = ("HALFOPEN_TOKEN", "HALFOPEN_TOKENS")
# What a token may be made of, and how many characters keep it from being guessed.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_SHORTEST = 16
_MAKE_ONE = "Make one with: openssl rand -hex 32"
# All tokens are the same caller's: several of them are for changing one without a pause.
_CALLER = "token"


class Tokens:
    """The tokens that are accepted. It can tell one that it knows, and no longer what any of them is."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]
        # Replicas that know the same tokens read what each other has sealed.
        self.keys = [hmac.digest(token, b"halfopen request state", "sha256") for token in self._digests]

    def __len__(self) -> int:
        return len(self._digests)

    async def verify_token(self, token: str) -> AccessToken | None:
        """As the library asks: who bears that token; None if it isn't known."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        # All are compared, each in constant time, so that the time taken doesn't tell which one was near.
        known = [hmac.compare_digest(given, digest) for digest in self._digests]
        return AccessToken(token="", client_id=_CALLER, scopes=[]) if any(known) else None


def read_tokens(file: Path | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens of the file (one a line, `#` begins a comment line) and of the environment (between spaces).

    Raises:
        BadInput: the file can't be read, a place that was named holds no token, or one is too weak. No message
            holds a token.
    """
    found = [] if file is None else _of_file(file)
    for name in VARIABLES:
        if name in environment:
            words = environment[name].split()
            if not words:
                raise _bad(name, "is set and holds no token: unset it, or give it one.")
            found += [_sound(word, name, None) for word in words]
    return tuple(dict.fromkeys(found))


def _of_file(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise _bad(str(file), f"can't be read: {reason}.") from None
    words = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    found = [_sound(word, str(file), number) for number, word in words if word and not word.startswith("#")]
    if not found:
        raise _bad(str(file), f"holds no token: write one a line. {_MAKE_ONE}")
    return found


def _sound(token: str, place: str, line: int | None) -> str:
    if not _TOKEN.fullmatch(token):
        raise _bad(
            place, "holds a token with a character that isn't one of A-Z a-z 0-9 - . _ ~ + / = (RFC 6750).", line
        )
    if len(token) < _SHORTEST:
        few = f"holds a token of {len(token)} characters; it has to be {_SHORTEST} or more."
        raise _bad(place, f"{few} {_MAKE_ONE}", line)
    return token


def _bad(place: str, message: str, line: int | None = None) -> BadInput:
    return BadInput([Problem(message, file=place, line=line)])


class RequireToken:
    """An application that nobody reaches without a token that is known."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._authenticated = AuthenticationMiddleware(self._admit, backend=BearerAuthBackend(tokens))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._authenticated(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(scope["user"], AuthenticatedUser):
            await self._app(scope, receive, send)
            return
        # A caller that sent no token is told of no error (RFC 6750, section 3.1).
        challenge = 'Bearer realm="halfopen"'
        why = "This server takes calls with a bearer token only: Authorization: Bearer TOKEN."
        if any(name == b"authorization" for name, _ in scope["headers"]):
            challenge += ', error="invalid_token", error_description="The token is not known"'
            why = "The token is not known to this server, or the header isn't `Authorization: Bearer TOKEN`."
        refusal = JSONResponse({"error": why}, status_code=401, headers={"WWW-Authenticate": challenge})
        await refusal(scope, receive, send)
