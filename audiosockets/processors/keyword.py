"""Tells when certain words or phrases are said, from what the recogniser hears."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from audiosockets import Event, Processor, Stream


def normal(text: str) -> str:
    """One form for full and half width, capitals and small letters, and without punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(" " if unicodedata.category(c)[0] in "PZSC" else c for c in text)
    return " ".join(kept.split())


def count(phrase: str, text: str) -> int:
    """How often `phrase` is in `text`: as whole words where words have spaces between them."""
    needle, hay = re.escape(normal(phrase)), normal(text)
    spaced = re.fullmatch(r"[\x00-\u02ff ]+", normal(phrase)) is not None  # Latin letters; kana and kanji are not
    return len(re.findall(rf"(?<!\w){needle}(?!\w)" if spaced else needle.replace(r"\ ", " ?"), hay))


class Keyword(Processor):
    """Publishes {"phrase", "transcript", "final"} to the layer `keyword`, once an interim result is sure of it."""

    layers: Sequence[str] = ("results",)
    layer = "keyword"
    phrases: Sequence[str] = ()
    show = True  # print what was found

    def setup(self, stream: Stream) -> None:
        if not all(normal(phrase) for phrase in self.phrases) or not self.phrases:
            raise ValueError(f"phrases is {self.phrases!r}; it must hold words to look for")
        self._segment: tuple[str, int] | None = None
        self._told: dict[str, int] = {}  # how often, in this segment

    def process_event(self, event: Event) -> None:
        result = event.data
        if result.get("type") != "result" or not result["alternatives"]:
            return
        if self._segment != (segment := (result.get("session", ""), result["segment"])):
            self._segment, self._told = segment, {}
        transcript = result["alternatives"][0]["transcript"]
        sure = transcript if result["final"] else _stable(transcript, result.get("stable", 0))
        for phrase in self.phrases:
            told, times = self._told.get(phrase, 0), count(phrase, sure)
            self._told[phrase] = max(told, times)
            for _ in range(times - told):
                self._tell(event, {"phrase": phrase, "transcript": transcript, "final": result["final"]})

    def _tell(self, event: Event, found: dict[str, Any]) -> None:
        if self.layer:
            self.publish(found, event.start, event.end)
        if self.show and self.stream is not None:
            print(f"{self.stream.seconds(event.start):8.2f} s  {found['phrase']}: {found['transcript']}", flush=True)


def _stable(transcript: str, units: int) -> str:
    """The first `units` UTF-16 code units."""
    return transcript.encode("utf-16-le")[: 2 * units].decode("utf-16-le", errors="ignore")
