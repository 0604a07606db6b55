"""The real gunicorn behind the real nginx: TLS, redirect, headers, and a dictation over wss."""

import asyncio
import http.client
import json
import logging
import os
import runpy
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from audio import SAMPLE_RATE
from tests.hub_client import LISTEN, hub_socket, ramp, recording, sound
from tests.live_server import finals, messages
from tests.served import MODEL, ROOT, free_port, served
from tests.speech import read_recording, transcribe

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="needs nginx and openssl"),
    pytest.mark.skipif(not MODEL.exists(), reason="needs the bundled model"),
]


@dataclass
class Deployment:
    direct: int  # gunicorn's port
    plain: int  # nginx, http
    secure: int  # nginx, https
    tls: ssl.SSLContext
    gunicorn: subprocess.Popen[bytes]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def write_configuration(folder: Path, ports: tuple[int, int, int], certificate: Path, key: Path) -> Path:
    """deploy/nginx.conf itself, with its ports, name and certificate replaced."""
    direct, plain, secure = ports
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{direct}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
        ("/etc/ssl/certs/speech.example.pem", str(certificate)),
        ("/etc/ssl/private/speech.example.key", str(key)),
        ("speech.example", "localhost"),
    ):
        assert old in site
        site = site.replace(old, new)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = f"pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{ access_log off; {paths}\n{site}\n}}\n")
    return folder / "nginx.conf"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("nginx")
    ports = (free_port(), free_port(), free_port())
    certificate, key = make_certificate(folder)
    configuration = write_configuration(folder, ports, certificate, key)
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    with served(gunicorn, ports[0], SPEECH_PORT=str(ports[0])) as process:
        nginx = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(configuration)])
        try:
            wait_until_listening(ports[2])
            yield Deployment(*ports, ssl.create_default_context(cafile=str(certificate)), process)
        finally:
            nginx.terminate()
            nginx.wait(20)


def wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.05)


def get(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Host": "localhost"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_https_with_its_headers_and_redirect(deployment: Deployment) -> None:
    redirect = get(http.client.HTTPConnection("127.0.0.1", deployment.plain), "/page")
    assert (redirect.status, redirect.headers["Location"]) == (301, "https://localhost/page")
    page = get(http.client.HTTPSConnection("127.0.0.1", deployment.secure, context=deployment.tls), "/")
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Permissions-Policy"] == "microphone=(self)"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(deployment: Deployment, path: str) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", deployment.secure, context=deployment.tls)
    assert get(connection, path).status == 200


def test_dictation_over_wss_gives_the_same_text(deployment: Deployment, speech_fixtures: Path) -> None:
    audio = read_recording(speech_fixtures)
    direct = asyncio.run(transcribe(f"ws://127.0.0.1:{deployment.direct}/ws", audio))
    secure = asyncio.run(transcribe(f"wss://127.0.0.1:{deployment.secure}/ws", audio, tls=deployment.tls))
    assert direct == secure != []


def test_a_stream_over_wss_is_heard_to_the_sample(deployment: Deployment) -> None:
    async def main() -> bytes:
        secure: dict[str, Any] = {
            "scheme": "wss",
            "ssl": deployment.tls,
            "origin": f"https://127.0.0.1:{deployment.secure}",
        }
        async with recording(deployment.secure, "talk", **secure) as (recorder, _):
            async with hub_socket(deployment.secure, "talk/subscribe", LISTEN, **secure) as listener:
                await listener.next()
                await recorder.audio(0, ramp(0, 16_000))
                await recorder.send("end")
                await recorder.rest()
                return sound(await listener.rest())

    assert asyncio.run(main()) == ramp(0, 16_000)


def test_a_second_worker_process_is_refused() -> None:
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert (
        done.stderr.count("2 worker processes: live streams need exactly one") == 1 and "Traceback" not in done.stderr
    )


def test_a_worker_process_added_later_is_taken_back() -> None:
    class Server:
        num_workers = 2
        log = logging.getLogger("gunicorn")

    runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))["nworkers_changed"](Server, 2, 1)
    assert Server.num_workers == 1


def test_sigterm_answers_what_was_said_then_closes_with_1012(deployment: Deployment, speech_fixtures: Path) -> None:
    """The last test of this file: it ends the service, in the middle of an utterance."""
    audio = read_recording(speech_fixtures)[:-SAMPLE_RATE]  # no pause: the utterance is still open

    async def main() -> tuple[list[str], int | None]:
        url = f"wss://127.0.0.1:{deployment.secure}/ws"
        async with connect(url, subprotocols=[Subprotocol("speech.v1")], ssl=deployment.tls) as socket:
            await socket.send(json.dumps({"type": "start", "lang": "en"}))
            await socket.send(audio.tobytes())
            heard = []
            async for message in messages(socket):
                heard.append(message)
                if message["type"] == "progress" and message["received_ms"] >= len(audio) // 16 - 1_000:
                    deployment.gunicorn.terminate()
            return finals(heard), socket.close_code

    texts, code = asyncio.run(main())
    assert len(texts) == 1 and code == 1012
    assert deployment.gunicorn.wait(60) == 0


@pytest.mark.parametrize(
    "name, value, code, sentence",
    [
        ("SPEECH_MODELS", '{"en": "bundled:nothing"}', 3, "no bundled model is named"),
        ("SPEECH_MAX_STREAMS", "0", 1, "MAX_STREAMS is 0; it must be a number from 1"),
    ],
)
def test_what_cannot_work_ends_gunicorn_too(name: str, value: str, code: int, sentence: str) -> None:
    environment = {**os.environ, "SPEECH_PORT": str(free_port()), name: value}
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert done.stderr.count(sentence) == 1 and "Traceback" not in done.stderr
