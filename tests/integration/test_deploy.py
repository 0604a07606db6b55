"""The real gunicorn behind the real nginx: TLS, redirect, headers, and a dictation over wss."""

import asyncio
import http.client
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.served import MODEL, ROOT, free_port, served
from tests.speech import WORDS, read_recording, transcribe

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
    with served(gunicorn, ports[0], SPEECH_PORT=str(ports[0])):
        nginx = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(configuration)])
        try:
            wait_until_listening(ports[2])
            yield Deployment(*ports, ssl.create_default_context(cafile=str(certificate)))
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
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_dictation_over_wss_gives_the_same_text(deployment: Deployment, speech_fixtures: Path) -> None:
    audio = read_recording(speech_fixtures)
    direct = asyncio.run(transcribe(f"ws://127.0.0.1:{deployment.direct}/ws", audio))
    secure = asyncio.run(transcribe(f"wss://127.0.0.1:{deployment.secure}/ws", audio, tls=deployment.tls))
    assert direct == secure == [WORDS]
