import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from audiosockets import Format, Stream
from audiosockets.processors.relay import Relay
from tests.audiosockets.clients import TOKEN, Running, eventually, recording
from tests.fake_engine import spoken


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A web server; it refuses the second post, and hangs up on the third."""
    posts = list[dict[str, object]]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if len(posts) == 3:
                self.connection.close()
                return
            self.send_response(500 if len(posts) == 2 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/captions", posts
        server.shutdown()
        thread.join()


def test_finals_are_printed_and_posted(
    url: str, stream: str, receiver: tuple[str, list[dict[str, object]]],
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    address, posts = receiver
    with recording(url, stream, recognize="en") as (_, source):
        running = Running(relay := Relay(url, stream, token=TOKEN, url=address))
        eventually(lambda: relay.stream)
        for number in (1, 2, 3, 4):
            source.say((spoken(number) * 32767).astype("<i2").tobytes() + bytes(64_000))
        eventually(lambda: len(posts) == 4)
    running.join()
    assert [post["text"] for post in posts] == ["w1", "w2", "w3", "w4"]
    assert posts[0]["stream"] == stream
    assert isinstance(posts[0]["start_s"], float) and posts[0]["start_s"] < posts[0]["end_s"]  # type: ignore[operator]
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["w1", "w2", "w3", "w4"]
    assert caplog.text.count("was not posted") == 2


def test_an_address_that_is_none_is_told_before_the_first_word() -> None:
    with pytest.raises(ValueError, match="it must begin with http"):
        Relay("http://nowhere", url="example.org/captions").setup(Stream("talk", Format(), 0))
