"""Where the server is and what to send it: from arguments, or from a TOML or JSON file."""

import base64
import json
import os
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from audiosockets.audio import BLOCK_MS, Encoding
from audiosockets.wire import SUBPROTOCOL

TOKEN_VARIABLE = "AUDIOSOCKETS_TOKEN"
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
PAPER_KEYS = {"header", "format", "disconnect_msg", "logging_format", "logging_level"}  # of its wire; nothing here
RANGES = {"port": (1, 65535), "block_ms": (5, 1000), "buffer_s": (1, 86_400)}


class ConfigError(ValueError):
    """Names the key, its value and what is allowed."""


@dataclass(frozen=True)
class Config:
    """The keys of a configuration file. `server` is a URL, or a host beside `port` and `tls`."""

    server: str = "http://localhost:8000"
    port: int | None = None
    tls: bool = False
    ca_file: str = ""  # certificates to trust instead of the system's
    stream: str = "live"
    name: str = ""  # of this program, for the server's log
    token: str = ""  # what this program may do; of a recorder: its record token
    server_token: str = ""  # a recorder's, where the server has an ACCESS_TOKEN
    # A recorder's own
    record_token: str = ""
    publish_token: str = ""
    listen_token: str = ""
    open: bool = False  # anybody who reaches the server may listen
    recognize: str | None = None  # a language, or "" for the server's default
    file: str = ""  # instead of a microphone; "-" is standard input
    device: str | int | None = None
    sample_rate: int | None = None  # Hz
    channels: int = 1
    encoding: Encoding = "s16le"
    block_ms: int = BLOCK_MS
    buffer_s: float = 600.0  # kept while the network is away

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            kinds = _KINDS[each.name]
            if type(value) not in kinds:
                raise ConfigError(f"{each.name} is {value!r}; it must be {' or '.join(k.__name__ for k in kinds)}")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} is {value}; it must be from {low} to {high}")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise ConfigError(f"ca_file is {self.ca_file!r}; there is no such file")
        self.url("/")  # raises now rather than later

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Raises ConfigError, or OSError when the file cannot be read."""
        text = Path(path).read_text(encoding="utf-8")
        try:
            values = tomllib.loads(text) if Path(path).suffix == ".toml" else json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path} cannot be read: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path} must hold keys and values")
        try:
            return cls(**_known(values))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    @classmethod
    def of(cls, where: "str | Path | Config | None", **changes: Any) -> "Config":
        """A configuration as it is, the name of a file, or the URL of a server; then what `changes` it."""
        if isinstance(where, Config):
            config = where
        elif where is not None and str(where).endswith((".toml", ".json")):
            config = cls.load(where)
        else:
            config = cls() if where is None else cls(server=str(where))
        known = {name: value for name, value in changes.items() if value is not None}
        return replace(config, **{"token": config.token or os.environ.get(TOKEN_VARIABLE, ""), **known})

    def url(self, path: str, *, http: bool = False) -> str:
        """Of a path on the server; WebSocket unless `http`."""
        server = self.server if "://" in self.server else f"{'https' if self.tls else 'http'}://{self.server}"
        parts = urlsplit(server)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(f"server is {self.server!r}; it must be like https://speech.example or 192.168.1.20")
        scheme = SCHEMES[parts.scheme]
        if http:
            scheme = scheme.replace("ws", "http")
        host = parts.netloc if self.port is None else f"{_bracketed(parts.hostname)}:{self.port}"
        return f"{scheme}://{host}{parts.path.rstrip('/')}{path}"

    def stream_url(self, action: str) -> str:
        return self.url(f"/streams/{quote(self.stream, safe='')}/{action}")

    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.url("/").startswith("wss:"):
            return None
        return ssl.create_default_context(cafile=self.ca_file or None)

    @property
    def subprotocols(self) -> list[str]:
        """The protocol; and the server's token, because the header holds the stream's."""
        token = base64.urlsafe_b64encode(self.server_token.encode()).decode().rstrip("=")
        return [SUBPROTOCOL, f"token.{token}"] if token else [SUBPROTOCOL]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


_KINDS: dict[str, tuple[type, ...]] = {each.name: (type(each.default),) for each in fields(Config)}
_KINDS["port"] = _KINDS["sample_rate"] = (int, type(None))
_KINDS["recognize"] = (str, type(None))
_KINDS["device"] = (str, int, type(None))
_KINDS["buffer_s"] = (float, int)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Also in capitals and with the keys of the paper's files, of which only the address means something here."""
    lower = {key.lower(): value for key, value in values.items() if key.lower() not in PAPER_KEYS}
    if "host" in lower:
        lower["server"] = lower.pop("host")
    if unknown := sorted(lower.keys() - _KINDS.keys()):
        raise ConfigError(f"unknown key {unknown[0]}; there are host, {', '.join(_KINDS)}")
    return lower
