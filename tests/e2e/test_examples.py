"""Pages of another origin on the real server, as the examples' README says; its recogniser speaks symbolic audio."""

import contextlib
import functools
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Browse
from tests.fake_engine import spoken
from tests.live_server import SILENCE, live_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SPEECH = np.concatenate((spoken(20, seconds=1.0), SILENCE, spoken(40, seconds=1.0), SILENCE))
SERVER = "http://127.0.0.1:8000"


class Developer(SimpleHTTPRequestHandler):
    """python -m http.server, with the address of the speech server replaced."""

    def __init__(self, *args: object, speech: str) -> None:
        self.speech = speech
        super().__init__(*args, directory=str(EXAMPLES))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html":
            return super().do_GET()
        text = path.read_text(encoding="utf-8")
        assert text.count(SERVER) == 1
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.replace(SERVER, self.speech).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def developer(speech: str, *, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Developer, speech=speech))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("page_name, start, stop, done", [
    ("dictation.html", "Start", "Stop", "Done."),
    ("dictation.ja.html", "開始", "停止", "終わりました。"),
])  # fmt: skip
def test_a_page_written_for_chrome(browse: Browse, page_name: str, start: str, stop: str, done: str) -> None:
    models = {"en": "fake-en", "ja": "fake-ja"}
    with live_server(allowed_origins="*", models=models) as server, browse(SPEECH) as page:
        speech = f"http://127.0.0.1:{server.port}"
        with developer(speech) as site:
            page.goto(f"http://127.0.0.1:{site.server_port}/{page_name}")
            page.get_by_role("button", name=start).click()
            expect(page.locator("#final")).to_have_text(re.compile("w20.*w40"))
            page.get_by_role("button", name=stop).click()
            expect(page.locator("#state")).to_have_text(done)
            assert page.evaluate("window.SpeechRecognition === window.webkitSpeechRecognition")


def test_a_page_that_the_server_does_not_know(browse: Browse) -> None:
    """It cannot load the module; one that got it elsewhere is refused by the socket."""
    with live_server() as server, browse(SPEECH) as page, developer(f"http://127.0.0.1:{server.port}") as site:
        address = f"http://127.0.0.1:{site.server_port}/dictation.html"
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.evaluate("1")
        assert any("CORS" in text for text in refused)
        told = page.evaluate(f"""() => new Promise((resolve) => {{
          const socket = new WebSocket("{server.url}", "speech.v1");
          const said = [];
          socket.onmessage = ({{ data }}) => said.push(JSON.parse(data).code);
          socket.onclose = ({{ code }}) => resolve([...said, code]);
        }})""")
        assert told == ["not_allowed", 4403]


def test_a_page_that_may_not_load_the_worklet_from_there_gets_it_as_a_blob(browse: Browse) -> None:
    """A fetch is let through where a worklet of another origin is not."""
    with live_server(allowed_origins="*") as server, browse(SPEECH) as page:
        page.add_init_script("""
          const add = AudioWorklet.prototype.addModule;
          window.asked = [];
          AudioWorklet.prototype.addModule = function (url) {
            window.asked.push(new URL(url).protocol);
            const allowed = `${url}`.startsWith("blob:");
            return allowed ? add.call(this, url) : Promise.reject(new DOMException("", "AbortError"));
          };""")
        with developer(f"http://127.0.0.1:{server.port}") as site:
            page.goto(f"http://127.0.0.1:{site.server_port}/dictation.html")
            page.get_by_role("button", name="Start").click()
            expect(page.locator("#final")).to_contain_text("w20")
        assert page.evaluate("asked") == ["http:", "blob:"]


def test_the_react_page(browse: Browse) -> None:
    with live_server(allowed_origins="*", models={"en": "fake-en", "ja": "fake-ja"}) as server, browse(SPEECH) as page:
        with developer(f"http://127.0.0.1:{server.port}") as site:
            page.goto(f"http://127.0.0.1:{site.server_port}/react/index.html")
            page.get_by_role("button", name="Start").click()
            expect(page.locator("#final")).to_have_text(re.compile("w20.*w40"))
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("button", name="Start")).to_be_enabled()
