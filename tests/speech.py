"""Recorded human speech for tests, and what the bundled model makes of it over a socket."""

import json
import ssl
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import connect

from audio import SAMPLE_RATE, Samples
from tests.live_server import finals, messages

# A speaker whom the bundled model never heard in training.
RECORDING, WORDS = "an4/train_fclc_cen6-fclc-b.flac", "one five two one seven"


def read_recording(folder: Path, name: str = RECORDING) -> Samples:
    """With a second of silence before and after, as a microphone would give it."""
    audio, rate = soundfile.read(folder / name, dtype="float32")
    assert rate == SAMPLE_RATE
    silence = np.zeros(SAMPLE_RATE, np.float32)
    return np.concatenate((silence, audio, silence))


async def transcribe(url: str, audio: Samples, *, chunk: int = 1_280, tls: ssl.SSLContext | None = None) -> list[str]:
    """The finals that a raw client gets."""
    options: dict[str, Any] = {"ssl": tls} if tls else {}
    async with connect(url, subprotocols=["speech.v1"], **options) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "start", "lang": "en"}))
        for at in range(0, len(audio), chunk):
            await socket.send(audio[at : at + chunk].tobytes())
        await socket.send('{"type": "stop"}')
        return finals([message async for message in messages(socket)])
