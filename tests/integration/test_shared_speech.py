"""Recorded human speech, the bundled model: what is shared, recorded and dictated alone gives the same words."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hub_client import LISTEN, TOKENS, hub_socket, recording, sound
from tests.integration.test_tap import session, speak, transcripts
from tests.served import served_page
from tests.speech import WORDS, read_recording, transcribe


@pytest.mark.model
def test_all_ways_give_the_same_words(speech_fixtures: Path) -> None:
    audio = read_recording(speech_fixtures)
    pcm = (audio * 32767).astype("<i2").tobytes()

    async def main(page: str) -> None:
        port = urlsplit(page).port
        assert port is not None
        url = f"ws://127.0.0.1:{port}/ws"
        alone = await transcribe(url, audio)
        async with (
            session(url, stream="talk", access=TOKENS, interim_results=True) as (speaker, _),
            recording(port, "recorded", recognize="en") as (recorder, _),
            hub_socket(port, "talk/subscribe", LISTEN) as first,
            hub_socket(port, "recorded/subscribe", LISTEN) as second,
        ):
            await speak(speaker, audio)
            await recorder.audio(0, pcm)
            await speaker.send("stop")
            await recorder.send("end")
            own, _, shared, recorded = await asyncio.gather(
                speaker.rest(), recorder.rest(), first.rest(), second.rest()
            )
        assert transcripts(own) == transcripts(shared) == transcripts(recorded) == alone == [WORDS]
        assert sound(shared) == audio.tobytes() and sound(recorded) == pcm

    with served_page() as page:
        asyncio.run(main(page))
