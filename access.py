"""Who may use the server from where: pages of other origins, and the token of a closed server. Pure."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TOKEN_PROTOCOL = "token."  # and the token in base64url: a browser can send no header with a WebSocket
NO_TOKEN, WRONG_ORIGIN = 4401, 4403  # close codes


@dataclass(frozen=True)
class Refusal:
    close: int
    message: str


@dataclass(frozen=True)
class Access:
    """`origins`: besides the server's own; `"*"` stands for all. `token`: "" opens the server to all."""

    origins: frozenset[str] = frozenset()
    token: str = ""

    def refusal(self, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Refusal | None:
        """Why this connection may not be; None when it may. Header names in lower case."""
        origin = headers.get("origin", "")
        if not self.allows_origin(origin, headers.get("host", "")):
            return Refusal(WRONG_ORIGIN, f"pages of {origin[:100]} may not use this server (ALLOWED_ORIGINS)")
        if self.token and not hmac.compare_digest(_token(headers, subprotocols), self.token.encode()):
            return Refusal(NO_TOKEN, "this server wants a token")
        return None

    def allows_origin(self, origin: str, host: str) -> bool:
        """A program that is no browser sends no origin; the server's own pages have its host."""
        own = not origin or origin.lower().partition("://")[2] == host.lower() != ""
        return own or "*" in self.origins or origin.lower() in self.origins

    def cors_headers(self, origin: str) -> dict[str, str]:
        """For what pages of other origins may load."""
        headers = {"Vary": "Origin"} if self.origins else {}
        if origin and ("*" in self.origins or origin.lower() in self.origins):
            headers["Access-Control-Allow-Origin"] = origin
        return headers


def valid_origin(text: str) -> bool:
    """`"*"`, `"null"`, or scheme, host and port without a path."""
    try:
        parts = urlsplit(text)
        return text in ("*", "null") or text.lower() == f"{parts.scheme}://{parts.netloc}" and bool(parts.hostname)
    except ValueError:
        return False


def _token(headers: Mapping[str, str], subprotocols: Sequence[str]) -> bytes:
    """The subprotocol comes first: a recorder's header may hold the token of its stream."""
    for protocol in subprotocols:
        if protocol.startswith(TOKEN_PROTOCOL):
            return _from_base64url(protocol.removeprefix(TOKEN_PROTOCOL))
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip().encode() if scheme.lower() == "bearer" else b""


def _from_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
