"""What a person does with the transcript: choose, expect words, download, keep."""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Browse
from tests.e2e.scripted_server import DICTATION, DONE, READY, Script, result, scripted_server
from tests.e2e.test_conversation import SPEECH, opened, press, see_problem, see_status, tone


def sentence(text: str, *others: str, segment: int = 0, start_ms: int = 500, end_ms: int = 1_500) -> dict[str, Any]:
    spoken = result(text, final=True, segment=segment, start_ms=start_ms, end_ms=end_ms)
    spoken["alternatives"] += [{"transcript": other, "confidence": 0.2, "words": []} for other in others]
    return spoken


TWO: Script = {
    "start": [READY],
    "speech": [sentence("write", "right", "rite"), sentence("two", segment=1, start_ms=2_000, end_ms=3_000)],
    "stop": [DONE, 1000],
}
WORDS = "#finals .words"


def downloaded(page: Page, kind: str) -> str:
    page.get_by_label("File format").select_option(kind)
    with page.expect_download() as download:
        press(page, "Download")
    assert download.value.suggested_filename.endswith(f".{kind}")
    return download.value.path().read_text(encoding="utf-8")


def test_choosing_an_alternative_and_downloading(browse: Browse) -> None:
    with scripted_server(TWO) as server, opened(browse, server, tone(20.0)) as page:
        press(page, "Start")
        expect(page.locator(WORDS)).to_have_text(["write", "two"])
        expect(page.locator("#finals > li").first.locator(".about")).to_contain_text("confidence 90 %")
        page.get_by_text("Alternatives").click()
        press(page, "right")
        expect(page.locator(WORDS).first).to_have_text("right")
        expect(page.get_by_role("button", name="right", exact=True)).to_be_focused()
        press(page, "Stop")
        see_status(page, "Ready")
        assert downloaded(page, "txt") == "right\ntwo\n"
        assert downloaded(page, "srt").startswith("1\n00:00:00,500 --> 00:00:01,500\nright\n")
        assert downloaded(page, "vtt").startswith("WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.500\nright\n")
        assert [line["text"] for line in json.loads(downloaded(page, "json"))] == ["right", "two"]


def test_a_second_session_goes_on_where_the_first_ended(browse: Browse) -> None:
    with scripted_server(TWO) as server, opened(browse, server, tone(20.0)) as page:
        for lines in (2, 4):
            press(page, "Start")
            expect(page.locator(WORDS)).to_have_count(lines)
            press(page, "Stop")
            see_status(page, "Ready")
        expect(page.locator("#finals time")).to_have_text(["00:00", "00:02", "00:03", "00:05"])


def test_the_transcript_is_kept_only_when_asked(browse: Browse) -> None:
    with scripted_server(TWO) as server, opened(browse, server, tone(20.0)) as page:
        press(page, "Start")
        expect(page.locator(WORDS)).to_have_count(2)
        press(page, "Stop")
        see_status(page, "Ready")
        assert page.evaluate("localStorage.length") == 0
        page.reload()
        expect(page.locator(WORDS)).to_have_count(0)
        page.get_by_text("More").click()
        page.get_by_label("Keep the transcript").check()
        press(page, "Start")
        expect(page.locator(WORDS)).to_have_count(2)
        press(page, "Stop")
        see_status(page, "Ready")
        page.reload()
        expect(page.locator(WORDS)).to_have_text(["write", "two"])
        page.get_by_text("More").click()
        page.get_by_label("Keep the transcript").uncheck()
        assert page.evaluate("localStorage.length") == 0


def test_what_was_chosen_is_kept_with_the_transcript(browse: Browse) -> None:
    with scripted_server(DICTATION) as server, opened(browse, server, SPEECH) as page:
        press(page, "Start")  # before it the browser names no microphone
        expect(page.get_by_label("Microphone").locator("option")).not_to_have_count(1)
        press(page, "Stop")
        see_status(page, "Ready")
        page.get_by_text("More").click()
        page.get_by_label("Keep the transcript").check()
        page.get_by_label("Suppress noise").check()
        page.get_by_label("Words and names").fill("Sakura")
        page.get_by_label("Microphone").select_option(index=1)
        microphone = page.get_by_label("Microphone").input_value()
        page.goto(page.url)
        expect(page.get_by_label("Microphone")).to_have_value(microphone)
        expect(page.get_by_label("Words and names")).to_have_value("Sakura")
        expect(page.get_by_label("Suppress noise")).to_be_checked()
        page.get_by_text("More").click()
        page.evaluate("localStorage.clear()")  # as another page does that is told to forget
        page.get_by_label("Suppress noise").uncheck()
        assert page.evaluate("localStorage.length") == 0
        page.goto(page.url)
        expect(page.get_by_label("Words and names")).to_have_value("")


def test_expected_words_and_sound_processing(browse: Browse) -> None:
    ready = {**READY, "features": ["phrases"]}
    with scripted_server({**DICTATION, "start": [ready]}) as server, opened(browse, server, SPEECH) as page:
        page.get_by_text("More").click()
        page.get_by_label("Words and names").fill("Sakura\n\n  wakin \n")
        page.get_by_label("Suppress noise").check()
        press(page, "Start")
        expect(page.locator(WORDS)).to_have_count(1)
        assert page.evaluate("wishes[0].audio") == {
            "echoCancellation": False, "noiseSuppression": True, "autoGainControl": False,
        }  # fmt: skip
        page.get_by_label("Words and names").fill("Sakura")
        page.get_by_label("Words and names").blur()
        press(page, "Stop")
        see_status(page, "Ready")
        heard = server.conversations[0]
        sakura = {"phrase": "Sakura", "boost": 3}
        assert heard.start["phrases"] == [sakura, {"phrase": "wakin", "boost": 3}]
        assert {"type": "configure", "phrases": [sakura]} in heard.sent


def test_a_server_that_wants_a_token(browse: Browse) -> None:
    """It is in the page's address; whoever has none is told so."""
    refusal = {"type": "error", "code": "not_allowed", "message": "this server wants a token"}
    with scripted_server({"start": [refusal, 4401]}) as server, opened(browse, server, path="#token=secret") as page:
        press(page, "Start")
        see_problem(page, "wants a token")
        assert server.subprotocols == [["speech.v1", "token.c2VjcmV0"]]
