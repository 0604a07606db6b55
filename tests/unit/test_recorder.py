import asyncio
import json
import os
import wave
from pathlib import Path

import numpy as np

from audio import Utterance
from session.recorder import INDEX, Recorder


def make_recorder(folder: Path, *, max_days: float = 30, max_bytes: int = 10_000_000) -> Recorder:
    return Recorder(folder, models={"en": "bundled:en-small"}, max_days=max_days, max_bytes=max_bytes)


def save(recorder: Recorder, *segments: int) -> None:
    async def main() -> None:
        for segment in segments:
            audio = np.full(1_600, 0.5, np.float32)
            await recorder.save("s1", "en", Utterance(segment, 16_000, audio), "はい")

    asyncio.run(main())


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / INDEX).read_text(encoding="utf-8").splitlines()]


def test_an_utterance_is_a_wav_and_a_line(tmp_path: Path) -> None:
    save(make_recorder(tmp_path), 0)
    (line,) = lines(tmp_path)
    assert (line["start_ms"], line["end_ms"], line["text"]) == (1_000, 1_100, "はい")
    assert line["model"] == "bundled:en-small"
    with wave.open(str(tmp_path / str(line["file"]))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnframes()) == (16_000, 2, 1_600)
        assert set(np.frombuffer(file.readframes(1_600), "<i2")) == {16_383}


def test_old_recordings_go_and_the_index_follows(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, max_days=1)
    save(recorder, 0)
    (old,) = tmp_path.glob("*.wav")
    os.utime(old, (0, 0))
    save(recorder, 1)
    assert [line["segment"] for line in lines(tmp_path)] == [1]
    assert len(list(tmp_path.glob("*.wav"))) == 1


def test_the_oldest_go_when_the_folder_is_full(tmp_path: Path) -> None:
    save(make_recorder(tmp_path, max_bytes=7_000), 0, 1, 2)
    assert [line["segment"] for line in lines(tmp_path)] == [1, 2]


def test_a_folder_that_went_away_costs_no_result(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    save(recorder, 0)


def test_a_line_that_a_crash_cut_off_costs_no_result_and_no_other_line(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, max_days=1)
    save(recorder, 0)
    (old,) = tmp_path.glob("*.wav")
    os.utime(old, (0, 0))
    whole = json.dumps({"file": "kept.wav", "segment": 7, "text": "one\u2028line"}, ensure_ascii=False)
    cut = '{"file": "a.wav", "text": "は'.encode()[:-1]
    with (tmp_path / INDEX).open("ab") as index:
        index.write(whole.encode() + b"\n[]\n" + cut + b"\n")
    save(recorder, 1)
    kept = (tmp_path / INDEX).read_text(encoding="utf-8").split("\n")
    assert kept[0] == whole and [json.loads(line)["segment"] for line in kept if line] == [7, 1]
