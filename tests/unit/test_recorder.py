import asyncio
import contextlib
import json
import logging
import os
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from audio import Utterance, decode_pcm
from session.recorder import MAX_WAITING, Recorder


def make_recorder(folder: Path, *, max_days: float = 30, max_bytes: int = 10_000_000) -> Recorder:
    return Recorder(folder, models={"en": "bundled:en-small"}, max_days=max_days, max_bytes=max_bytes)


async def save_each(recorder: Recorder, *segments: int) -> None:
    audio = np.full(1_600, 0.5, np.float32)
    await asyncio.gather(*(recorder.save("s1", "en", Utterance(n, 16_000, audio), "はい") for n in segments))


def save(recorder: Recorder, *segments: int) -> None:
    asyncio.run(save_each(recorder, *segments))


def lines(folder: Path) -> list[dict[str, object]]:
    """And there is a WAV file for each."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    assert [line["file"] for line in found] == sorted(path.name for path in folder.glob("*.wav"))
    return found


def grow_old(folder: Path) -> None:
    for path in folder.glob("*.wav"):
        os.utime(path, (0, 0))


def test_an_utterance_is_a_wav_and_a_line(tmp_path: Path) -> None:
    save(make_recorder(tmp_path), 0)
    (line,) = lines(tmp_path)
    assert (line["start_ms"], line["end_ms"], line["text"]) == (1_000, 1_100, "はい")
    assert line["model"] == "bundled:en-small"
    with wave.open(str(tmp_path / str(line["file"]))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnframes()) == (16_000, 2, 1_600)
        assert set(np.frombuffer(file.readframes(1_600), "<i2")) == {16_384}


def test_samples_of_16_bits_are_kept_as_they_came(tmp_path: Path) -> None:
    sent = np.arange(-32_768, 32_768, dtype="<i2")
    asyncio.run(make_recorder(tmp_path).save("s1", "en", Utterance(0, 0, decode_pcm(sent.tobytes(), "s16le")), ""))
    with wave.open(str(next(tmp_path.glob("*.wav")))) as file:
        assert file.readframes(len(sent)) == sent.tobytes()


def test_old_recordings_go_with_their_text(tmp_path: Path) -> None:
    save(make_recorder(tmp_path), 0)
    grow_old(tmp_path)
    save(make_recorder(tmp_path, max_days=1), 1)
    assert [line["segment"] for line in lines(tmp_path)] == [1]


def test_they_go_also_while_nobody_speaks(tmp_path: Path) -> None:
    save(make_recorder(tmp_path), 0, 1)
    grow_old(tmp_path)

    async def main() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(make_recorder(tmp_path, max_days=1).keep_tidy(), 2)

    asyncio.run(main())
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_when_the_folder_is_full(tmp_path: Path) -> None:
    save(make_recorder(tmp_path, max_bytes=7_000), 0, 1, 2)
    assert [line["segment"] for line in lines(tmp_path)] == [1, 2]
    save(make_recorder(tmp_path, max_bytes=7_000), 3)
    assert [line["segment"] for line in lines(tmp_path)] == [2, 3]


def test_what_a_crash_or_somebody_else_took_apart_goes_in_its_turn(tmp_path: Path) -> None:
    save(make_recorder(tmp_path), 0, 1)
    first, second = sorted(tmp_path.glob("*.wav"))
    first.with_suffix(".json").unlink()
    recorder = make_recorder(tmp_path, max_bytes=3_500)
    second.unlink()
    save(recorder, 2)
    assert [line["segment"] for line in lines(tmp_path)] == [2]


def test_a_folder_that_went_away_costs_no_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = make_recorder(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    save(recorder, 0)
    assert "utterance 0 of session s1 was not saved" in caplog.text


def test_a_disk_that_hangs_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk, recorder, write = threading.Event(), make_recorder(tmp_path), Recorder._write

    def slowly(self: Recorder, session: str, lang: str, utterance: Utterance, text: str) -> None:
        disk.wait(60)
        write(self, session, lang, utterance, text)

    async def main() -> None:
        saving = asyncio.create_task(save_each(recorder, *range(MAX_WAITING)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await save_each(recorder, MAX_WAITING)
        disk.set()
        await saving
        await save_each(recorder, MAX_WAITING + 1)

    monkeypatch.setattr(Recorder, "_write", slowly)
    caplog.set_level(logging.ERROR)
    asyncio.run(main())
    assert caplog.messages == [f"utterance {MAX_WAITING} of session s1 was not saved: the disk is too slow"]
    assert [line["segment"] for line in lines(tmp_path)] == [*range(MAX_WAITING), MAX_WAITING + 1]
