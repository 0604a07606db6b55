import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosockets.cli import main
from tests.audiosockets.clients import TOKEN, eventually, recording
from tests.audiosockets.conftest import RATE, ROOT, noise_of
from tests.fake_engine import spoken


def test_record_and_run_as_two_processes(
    url: str, stream: str, tmp_path: Path, wav: Callable[..., Path], noise: bytes
) -> None:
    command = [sys.executable, "-m", "audiosockets"]
    record = [*command, "record", stream, "--server", url, "--file", str(wav(noise)), "--token", TOKEN]
    save = [*command, "run", "save", stream, "--server", url, "--token", TOKEN, "--from", "0"]
    with subprocess.Popen(record, cwd=ROOT, stderr=subprocess.PIPE, text=True) as recorder:
        assert recorder.stderr is not None
        said = "".join(recorder.stderr.readline() for _ in range(4))
        subprocess.run([*save, "-o", f"folder={tmp_path}/out"], cwd=ROOT, check=True, timeout=60)
        assert recorder.wait(30) == 0
    assert said.startswith(f"recording {stream}: 16000 Hz, 1 channel(s), s16le\n")
    assert (
        re.search(rf"page: +{url}/listen/{stream}#\S{{16}}", said)
        and f"run level {stream} --server {url} --token " in said
    )
    (path,) = (tmp_path / "out").glob("*.wav")
    assert path.read_bytes()[44:] == noise


def listened(capsys: pytest.CaptureFixture[str], url: str, stream: str, pcm: bytes, until: str, *more: str) -> str:
    """What `audiosockets listen` prints of a stream that says `pcm`; it is ended when `until` was printed."""
    status, out = list[int](), ""
    arguments = ["listen", stream, "--server", url, "--token", TOKEN, "--from", "0", *more]

    def heard() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return until in out

    with recording(url, stream, recognize="en") as (_, source):
        listening = threading.Thread(target=lambda: status.append(main(arguments)), daemon=True)
        listening.start()
        source.say(pcm)
        eventually(heard)
    listening.join(30)
    assert status == [0]
    return out + capsys.readouterr().out


def test_listen_prints_captions(url: str, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    pcm = (spoken(4, 2) * 32767).astype("<i2").tobytes() + bytes(64_000)
    assert re.fullmatch(r" +\d+\.\d\d s  w4 w2\n", listened(capsys, url, stream, pcm, "w4 w2"))


def test_listen_prints_every_message_of_other_layers(
    url: str, stream: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    out = listened(capsys, url, stream, noise_of(1.0), '"audio"', "--layers", "audio")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["stream", "block", "end"]
    assert lines[1] == {"type": "block", "layer": "audio", "start": 0, "end": RATE}
    assert lines[2] == {"type": "end", "position": RATE, "reason": "ended"}


def test_streams_lists_what_the_token_opens(url: str, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(url, stream):
        assert main(["streams", "--server", url, "--token", TOKEN]) == 0
        assert f"{stream:<20} live" in capsys.readouterr().out
        assert main(["streams", "--server", url]) == 0
        assert "no stream" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["run", "nowhere:Nothing", "--server", "http://x"], "nowhere:Nothing is no module:Class, nor one of level,"),
        (["run", "level", "--server", "http://x", "-o", "loud=1"], "Level has no option loud; it has layers,"),
        (["run", "level", "--server", "http://x", "-o", "loud"], "it must be NAME=VALUE"),
        (["run", "json:JSONDecoder", "--server", "http://x"], "is no audiosockets.Processor"),
        (["record", "--file", "nowhere.wav", "--server", "http://x"], "nowhere.wav"),
        (["listen", "--config", "nowhere.toml"], "nowhere.toml"),
        (["streams", "--server", "http://127.0.0.1:9"], "refused"),
        (["listen", "--server", "ftp://x"], "server is 'ftp://x'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("order", [["here", "--token", TOKEN], ["--token", TOKEN, "here"]])
def test_the_stream_may_be_named_anywhere(order: list[str], url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(url, "here", token="another-token-than-that"):
        assert main(["listen", "--server", url, "--verbose", "--from", "1 s", *order]) == 1
    assert "from must be now" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["streams", "--server", url, "here"])


def test_a_refusal_is_said_in_a_line(url: str, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", stream, "--server", url]) == 1
    assert "token" in capsys.readouterr().err


def test_devices_lists_or_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["devices"])
    captured = capsys.readouterr()
    assert status == 0 or "pip install sounddevice" in captured.err
