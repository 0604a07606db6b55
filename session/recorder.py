"""Keeps what was said, when the settings ask for it: a WAV file an utterance and a line of JSON beside it."""

import asyncio
import json
import logging
import time
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audio import SAMPLE_RATE, Utterance, ms_of

log = logging.getLogger("speech.recorder")
INDEX = "index.jsonl"


class Recorder:
    """Writes off the event loop; the oldest recordings go when a limit in days or bytes is passed."""

    def __init__(self, folder: Path, *, models: dict[str, str], max_days: float, max_bytes: int) -> None:
        self._folder = folder
        self._models = models
        self._max_age_s = max_days * 24 * 3600
        self._max_bytes = max_bytes
        self._lock = asyncio.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    async def save(self, session: str, lang: str, utterance: Utterance, text: str) -> None:
        """A full disk is logged; it never costs the client its result."""
        async with self._lock:
            try:
                await asyncio.to_thread(self._write, session, lang, utterance, text)
                await asyncio.to_thread(self.expire)
            except OSError as error:
                log.error("utterance %d of session %s was not saved: %s", utterance.segment, session, error)

    def expire(self) -> None:
        """Deletes what is too old, then the oldest beyond the size limit; the index follows."""
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*.wav"))
        total, limit = sum(size for _, size, _ in files), time.time() - self._max_age_s
        gone = set()
        for modified, size, path in files:
            if modified >= limit and total <= self._max_bytes:
                break
            path.unlink()
            gone.add(path.name)
            total -= size
        if gone:
            self._forget(gone)

    def _write(self, session: str, lang: str, utterance: Utterance, text: str) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{session}-{utterance.segment:05d}.wav"
        with (self._folder / name).open("wb") as raw, wave.open(raw, "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes((utterance.audio * 32767).astype("<i2").tobytes())
        line = {
            "file": name,
            "session": session,
            "segment": utterance.segment,
            "start_ms": ms_of(utterance.start),
            "end_ms": ms_of(utterance.end),
            "lang": lang,
            "model": self._models.get(lang, ""),
            "text": text,
            "peak": round(float(np.abs(utterance.audio).max(initial=0.0)), 4),
        }
        with (self._folder / INDEX).open("a", encoding="utf-8") as index:
            index.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _forget(self, gone: set[str]) -> None:
        index = self._folder / INDEX
        if not index.exists():
            return
        lines = index.read_text(encoding="utf-8", errors="replace").split("\n")
        kept = [line for line in lines if (name := _file_of(line)) and name not in gone]
        draft = index.with_suffix(".new")
        draft.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        draft.replace(index)


def _file_of(line: str) -> str:
    """Which recording a line of the index is about; empty when a crash cut it off."""
    try:
        return str(json.loads(line)["file"])
    except (ValueError, LookupError, TypeError):
        return ""
