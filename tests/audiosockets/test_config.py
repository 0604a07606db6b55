import json
import ssl
from pathlib import Path

import pytest

from audiosockets.config import Config, ConfigError


@pytest.mark.parametrize(
    "config, expected",
    [
        (Config(), "ws://localhost:8000/streams/live/record"),
        (Config("https://speech.example", stream="a.b"), "wss://speech.example/streams/a.b/record"),
        (Config("192.168.1.20", port=8000), "ws://192.168.1.20:8000/streams/live/record"),
        (Config("speech.example", tls=True), "wss://speech.example/streams/live/record"),
        (Config("[::1]", port=5050), "ws://[::1]:5050/streams/live/record"),
        (Config("http://host/speech/"), "ws://host/speech/streams/live/record"),
        (Config(stream="../x y"), "ws://localhost:8000/streams/..%2Fx%20y/record"),
    ],
)
def test_addresses(config: Config, expected: str) -> None:
    assert config.stream_url("record") == expected


def test_the_token_of_a_closed_server_is_a_subprotocol() -> None:
    assert Config().subprotocols == ["audiosockets.v1"]
    assert Config(server_token="secret").subprotocols == ["audiosockets.v1", "token.c2VjcmV0"]


def test_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.toml"
    path.write_text('host = "10.0.0.2"\nport = 8443\ntls = true\nstream = "kitchen"\ntoken = "t"\nbuffer_s = 60\n')
    config = Config.of(path, stream=None, token=None)
    assert config.url("/") == "wss://10.0.0.2:8443/"
    assert (config.stream, config.token, config.buffer_s) == ("kitchen", "t", 60)
    assert Config.of(path, token="other").token == "other"


def test_a_file_of_the_papers_programs(tmp_path: Path) -> None:
    path = tmp_path / "server_info.json"
    info = {"SERVER": "10.0.0.2", "PORT": 5050, "HEADER": 64, "FORMAT": "utf-8", "DISCONNECT_MSG": "DISCONNECT",
            "logging_format": "%(asctime)s", "logging_level": "info"}  # fmt: skip
    path.write_text(json.dumps(info))
    assert Config.load(path) == Config(server="10.0.0.2", port=5050)


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"prot": 1}', "unknown key prot"),
        ('{"port": "8000"}', "port is '8000'; it must be int"),
        ('{"port": 70000}', "port is 70000; it must be from 1 to 65535"),
        ('{"tls": 1}', "tls is 1; it must be bool"),
        ('{"server": "ftp://x"}', "server is 'ftp://x'"),
        ('{"server": "http://"}', "server is"),
        ('{"ca_file": "nowhere.pem"}', "ca_file is 'nowhere.pem'"),
        ("[1]", "must hold keys and values"),
        ("{", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        Config.load(path)


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOSOCKETS_TOKEN", "secret")
    assert Config.of("http://host").headers == {"Authorization": "Bearer secret"}
    assert Config.of("http://host", token="argument").token == "argument"
    assert Config().headers == {}


def test_tls() -> None:
    assert Config().ssl_context() is None
    context = Config("https://host").ssl_context()
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED
