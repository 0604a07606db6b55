"""How the page looks and reads: nothing too wide, nothing that jumps, nothing that axe-core calls serious.

Leaves a screenshot of each state in pytest's temporary folder, or in the folder that SCREENSHOTS names.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Browse
from tests.e2e.scripted_server import DONE, READY, Script, result, scripted_server
from tests.e2e.test_conversation import opened, press, tone

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"locale": "en-US"},
    "dark": {"locale": "en-US", "color_scheme": "dark"},
    "japanese": {"locale": "ja-JP"},
    "phone": {
        "locale": "ja-JP",
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "is_mobile": True,
    },
    "phone-dark": {"locale": "en-US", "viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}
START = {"en-US": "Start", "ja-JP": "開始"}
SAID = {
    "en-US": [
        "The meeting begins at a quarter past nine in the small room on the third floor",
        "and " + "w" * 60,
        "well",
    ],
    "ja-JP": ["会議は九時十五分に三階の小会議室で始まります。資料は前もって配っておいてください", "ええと", "はい"],
}


def sentence(text: str, segment: int, *, final: bool = True) -> dict[str, Any]:
    """With alternatives, and every third word unsure."""
    spoken = result(text, final=final, segment=segment, start_ms=segment * 4_000, end_ms=segment * 4_000 + 3_000)
    best = spoken["alternatives"][0]
    words = text.split(" ") if " " in text else list(text)
    best["words"] = [
        {"text": word, "start_ms": 0, "end_ms": 1, "confidence": 0.3 if n % 3 == 2 else 0.9}
        for n, word in enumerate(words)
    ]
    best["confidence"] = 0.93 if segment != 1 else 0.31
    spoken["alternatives"] += [{"transcript": text + tail, "confidence": 0.2, "words": []} for tail in ("?", " …")]
    return spoken


def dictation(locale: str) -> Script:
    spoken = [sentence(text, n) for n, text in enumerate(SAID[locale])]
    return {"start": [READY], "speech": [*spoken, sentence(SAID[locale][0], 3, final=False)], "stop": [DONE, 1000]}


def check(page: Page, folder: Path, name: str) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", folder))
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci)")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)")
    assert [(fault["id"], fault["impact"], fault["nodes"][0]["html"]) for fault in found] == []


@pytest.mark.parametrize("screen", SCREENS)
def test_a_dictation(browse: Browse, tmp_path: Path, screen: str) -> None:
    context = SCREENS[screen]
    locale = context["locale"]
    with scripted_server(dictation(locale), saving=True) as server:
        with opened(browse, server, tone(20.0), **context) as page:
            check(page, tmp_path, f"{screen}-idle")
            press(page, START[locale])
            expect(page.locator("#interim")).not_to_be_empty()
            check(page, tmp_path, f"{screen}-listening")
            page.locator("#finals summary").first.click()
            page.locator(".more > summary").click()
            check(page, tmp_path, f"{screen}-details")


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_bad_day(browse: Browse, tmp_path: Path, screen: str) -> None:
    context = SCREENS[screen]
    locale = context["locale"]
    with scripted_server({**dictation(locale), "silence": [1012]}) as server:
        with opened(browse, server, tone(1.0), **context) as page:
            server.gate_again = True
            press(page, START[locale])
            expect(page.locator("#away")).to_be_visible()
            check(page, tmp_path, f"{screen}-reconnecting")
    with scripted_server(
        {"start": [{"type": "error", "code": "language_not_supported", "message": "m"}, 1008]}
    ) as server:
        with opened(browse, server, **context) as page:
            press(page, START[locale])
            expect(page.locator("#problem")).to_be_visible()
            check(page, tmp_path, f"{screen}-problem")


def streaming() -> list[dict[str, Any] | int]:
    """Eight sentences that grow word by word before they are final."""
    lines: list[dict[str, Any] | int] = []
    for segment in range(8):
        words = " ".join(SAID["en-US"][0].split() * 2)
        lines += [sentence(words[:n], segment, final=False) for n in range(4, len(words), 9)]
        lines.append(sentence(words, segment))
    return lines


@pytest.mark.parametrize("screen", ["desktop", "phone-dark"])
def test_nothing_jumps_while_text_streams(browse: Browse, screen: str) -> None:
    """Layout Instability API: what moves without the user's doing. Each message is painted before the next comes."""
    watch = """() => {
      [window.shift, window.moved] = [0, []];
      const add = (list) => list.getEntries().forEach((entry) => {
        window.shift += entry.value;
        window.moved.push([entry.value, ...entry.sources.map(({ node }) => node?.id || node?.textContent)].join(" "));
      });
      new PerformanceObserver(add).observe({ type: "layout-shift", buffered: false });
    }"""
    with scripted_server({"start": [READY], "speech": streaming(), "stop": [DONE, 1000]}) as server:
        server.pace_s = 0.02
        with opened(browse, server, np.tile(tone(1.0), 20), **SCREENS[screen]) as page:
            press(page, "Start")
            expect(page.locator("#status")).to_have_text("Listening")
            page.evaluate(watch)
            expect(page.locator("#finals > li")).to_have_count(8)
            shift, moved = page.evaluate("[window.shift, window.moved]")
            assert shift < 0.02, moved  # 0.1 is what browsers call good
            bottom = page.locator("#finals > li").last
            expect(bottom).to_be_in_viewport()
