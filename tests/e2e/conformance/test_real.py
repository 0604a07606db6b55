"""C72: the class, the real server with the bundled model and a human voice."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from benchmarks.service import running_service
from tests.e2e.conformance.conftest import launched, opened
from tests.e2e.conformance.scripted import ScriptedServer
from tests.e2e.resume.test_resume import kept_audio, undisturbed
from tests.served import MODEL
from tests.speech import WORDS, read_recording

DICTATE = """async (url) => {
  window.keepSends = true;
  const r = make(url, { lang: "en", interimResults: true }), log = watch(r), times = {};
  r.addEventListener("x-result", ({ detail }) => Object.assign(times, { start: detail.startMs, end: detail.endMs }));
  r.start();
  await log.ended;
  const at = (type) => log.events.findLast((event) => event.type === type).at;
  const sends = opened.sockets[0].sends;
  const audio = sends.filter((data) => typeof data !== "string").flatMap((data) => Array.from(data));
  const final = log.events.findLast((event) => event.type === "result");
  return {
    types: log.types(), results: final.results, waitMs: at("result") - (at("audiostart") - 80 + times.end), // the first batch takes 80 ms
    connection: { texts: [JSON.parse(sends[0])], audio: btoa(audio.map((byte) => String.fromCharCode(byte)).join("")) },
  };
}"""


@pytest.mark.model
def test_c72_a_human_voice(
    playwright: Playwright,
    server: ScriptedServer,
    speech_fixtures: Path,
) -> None:
    """The words are the speaker's, and what the same samples give without a browser."""
    if not MODEL.exists():
        pytest.skip(f"{MODEL.name} is not in models/")
    with running_service(SPEECH_ALLOWED_ORIGINS="*") as url:
        with launched(playwright, audio=read_recording(speech_fixtures)) as browser:
            with opened(browser, server.url) as page:
                told = page.evaluate(DICTATE, url)
        stream = kept_audio([told["connection"]])
        with ThreadPoolExecutor() as elsewhere:  # in this thread Playwright runs its own loop
            direct = elsewhere.submit(lambda: asyncio.run(undisturbed(url, stream, continuous=False))).result()
    ((text,),) = [[best["transcript"] for best in result["alternatives"]] for result in told["results"]]
    assert text == WORDS and [text] == [words for _, _, words in direct]
    assert told["types"][-1] == "end" and told["types"].count("error") == 0
    print(f"from the end of the utterance to its final: {told['waitMs']:.0f} ms")
