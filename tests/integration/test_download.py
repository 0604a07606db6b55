"""espnet_model_zoo's own downloader against a web server on this machine: whole, cut off, and not there."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recognizer.base import ModelError
from recognizer.models import resolve
from tests.served import ROOT
from tests.unit.test_models import package, write_zip

pytestmark = pytest.mark.filterwarnings("default")
NAME = "Shinji Watanabe/laborotv_asr_train_asr_conformer2_latest33_raw_char_sp_valid.acc.ave"


class Zoo(BaseHTTPRequestHandler):
    content = b""
    sent = 1.0  # share of the content that leaves before the connection breaks
    gets = 0

    def do_HEAD(self) -> None:
        self.send_response(200 if self.content else 404)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        type(self).gets += 1
        self.do_HEAD()
        self.wfile.write(self.content[: int(len(self.content) * self.sent)])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Zoo]]:
    from espnet_model_zoo.downloader import ModelDownloader

    handler = type("Here", (Zoo,), {"content": write_zip(tmp_path / "served.zip", package()).read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    url = f"http://127.0.0.1:{server.server_port}/model.zip"
    monkeypatch.setattr(ModelDownloader, "get_url", lambda self, name, **_: url)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_downloaded_once_with_a_progress_bar(
    zoo: type[Zoo], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert resolve(NAME, tmp_path / "cache").asr_model_file.read_text() == "weights"
    assert zoo.gets == 1 and "100%" in capfd.readouterr().err


def test_a_download_that_breaks_off_leaves_nothing_behind(zoo: type[Zoo], tmp_path: Path) -> None:
    zoo.sent = 0.5
    with pytest.raises(ModelError, match="cannot be downloaded"):
        resolve(NAME, tmp_path / "cache")
    zoo.sent = 1.0
    assert resolve(NAME, tmp_path / "cache").asr_model_file.read_text() == "weights"


def test_a_model_that_is_gone_is_one_sentence(zoo: type[Zoo], tmp_path: Path) -> None:
    zoo.content = b""
    with pytest.raises(ModelError, match="cannot be downloaded .HTTPError.; is there a network"):
        resolve(NAME, tmp_path / "cache")


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as huggingface_hub asks for: what a repository holds, and its files."""

    files: dict[str, bytes] = {}
    commit = "a" * 40

    def do_HEAD(self) -> None:
        name = self.path.split(f"/resolve/{self.commit}/")[-1]
        if name not in self.files:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(self.files[name]).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("Content-Length", str(len(self.files[name])))
        self.end_headers()

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/somebody/some-model"):
            tree = [{"type": "file", "path": n, "size": len(c), "oid": n} for n, c in self.files.items()]
            siblings = [{"rfilename": name} for name in self.files]
            about = {"id": "somebody/some-model", "sha": self.commit, "siblings": siblings}
            body = json.dumps(tree if "/tree/" in self.path else about).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.do_HEAD()
            self.wfile.write(self.files.get(self.path.split(f"/resolve/{self.commit}/")[-1], b""))

    def log_message(self, *_: object) -> None:
        pass


def test_a_hub_id_is_downloaded_and_then_needs_no_hub(tmp_path: Path) -> None:
    files = {name: content.encode() for name, content in package().items()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHere", (Hub,), {"files": files}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    program = f"""
from pathlib import Path
from recognizer.models import resolve
files = resolve("somebody/some-model", Path({str(tmp_path)!r}))
assert files.asr_model_file.read_text() == "weights"
"""
    endpoint = f"http://127.0.0.1:{server.server_port}"
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-W", "ignore", "-c", program]
    first = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    server.shutdown()
    server.server_close()
    thread.join()
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0, first.stderr[-800:]
    assert again.returncode == 0, again.stderr[-800:]
