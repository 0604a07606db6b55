"""Keeps what was said, when the settings ask for it: of each utterance a WAV file, and beside it a line of JSON."""

import asyncio
import json
import logging
import time
import wave
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audio import SAMPLE_RATE, Utterance, ms_of

log = logging.getLogger("speech.recorder")
MAX_WAITING = 64  # utterances that a slow disk may keep in memory
TIDY_S = 3600.0


@dataclass(frozen=True, order=True)
class _Recording:
    saved_at: float  # seconds since 1970
    stem: str  # of both files
    size: int  # bytes of both


class Recorder:
    """Writes off the event loop; the oldest recordings go when a limit in days or bytes is passed.

    It looks through its folder once: nobody else adds to it.
    """

    def __init__(self, folder: Path, *, models: dict[str, str], max_days: float, max_bytes: int) -> None:
        self._folder = folder
        self._models = models
        self._max_age_s = max_days * 24 * 3600
        self._max_bytes = max_bytes
        self._lock = asyncio.Lock()
        self._waiting = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._held = deque(sorted(map(_found, folder.glob("*.wav"))))  # oldest first
        self._bytes = sum(recording.size for recording in self._held)

    async def save(self, session: str, lang: str, utterance: Utterance, text: str) -> None:
        """A disk that is full or too slow is logged; it never costs the client its result."""
        if self._waiting >= MAX_WAITING:
            log.error("utterance %d of session %s was not saved: the disk is too slow", utterance.segment, session)
            return
        self._waiting += 1
        try:
            async with self._lock:
                await asyncio.to_thread(self._add, session, lang, utterance, text)
        except OSError as error:
            log.error("utterance %d of session %s was not saved: %s", utterance.segment, session, error)
        finally:
            self._waiting -= 1

    async def keep_tidy(self) -> None:
        """What grows too old goes also while nobody speaks. Never returns."""
        while True:
            try:
                async with self._lock:
                    await asyncio.to_thread(self._expire)
            except OSError as error:
                log.error("old recordings were not deleted: %s", error)
            await asyncio.sleep(TIDY_S)

    def _expire(self) -> None:
        """Deletes what is too old, then the oldest beyond the size limit."""
        limit = time.time() - self._max_age_s
        while self._held and (self._held[0].saved_at < limit or self._bytes > self._max_bytes):
            for suffix in (".json", ".wav"):  # a WAV file that a crash leaves behind is found again
                (self._folder / f"{self._held[0].stem}{suffix}").unlink(missing_ok=True)
            self._bytes -= self._held.popleft().size

    def _add(self, session: str, lang: str, utterance: Utterance, text: str) -> None:
        self._write(session, lang, utterance, text)
        self._expire()

    def _write(self, session: str, lang: str, utterance: Utterance, text: str) -> None:
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{session}-{utterance.segment:05d}.wav"
        with path.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(np.clip(np.rint(utterance.audio * 32768), -32768, 32767).astype("<i2").tobytes())
        line = {
            "file": path.name,
            "session": session,
            "segment": utterance.segment,
            "start_ms": ms_of(utterance.start),
            "end_ms": ms_of(utterance.end),
            "lang": lang,
            "model": self._models.get(lang, ""),
            "text": text,
            "peak": round(float(np.abs(utterance.audio).max(initial=0.0)), 4),
        }
        path.with_suffix(".json").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
        self._held.append(_found(path))
        self._bytes += self._held[-1].size


def _found(path: Path) -> _Recording:
    audio, line = path.stat(), path.with_suffix(".json")
    return _Recording(audio.st_mtime, path.stem, audio.st_size + (line.stat().st_size if line.exists() else 0))
