"""One live stream: what it is, where it stands, and its layers. Publishing never waits and asks nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from hub.history import Gap, Item, Ring
from hub.keys import Keys
from hub.wire import MAX_POSITION, OWN_LAYERS, Event, Format, Refusal, encode, pack, payload_of

MIN_RING_S = 10  # what a subscriber may lag by, however short the history
BURST_S = MIN_RING_S / 2  # what a recorder may send at once
MAX_LAYERS = 16
MAX_MESSAGES, MAX_LAYER_BYTES = 1000, 1 << 20  # held of each layer but audio
EndReason = Literal["ended", "lost", "stopped"]


@dataclass(frozen=True)
class Depth:
    """How much of a stream is held."""

    history_s: float = 30.0
    history_bytes: int = 16_000_000


class Listener(Protocol):
    def wake(self) -> None:
        """Something was published. Returns at once and raises nothing."""


class Stream:
    """`start` is its first position, `lang` the language of its recogniser or empty; no other has its `id`."""

    def __init__(
        self, name: str, format: Format, keys: Keys, depth: Depth, *, start: int = 0, lang: str = "", id: str = ""
    ) -> None:  # fmt: skip
        self.name = name
        self.id = id
        self.format = format
        self.keys = keys
        self.lang = lang
        self.start = start
        self.position = start  # samples of each channel up to here are there, or known to be missing
        self.history = int(depth.history_s * format.sample_rate)  # samples that a late subscriber may ask for
        self.recognizer: Listener | None = None  # has not said its last word
        self.finished: EndReason | None = None  # no more audio comes
        self.ended: EndReason | None = None  # nothing more comes
        self.subscribers = set[Listener]()
        self._order = 0
        self._link = 0  # number of the recorder's connection; 0 while it is away
        self._links = 0
        self._drop: Callable[[], None] = lambda: None
        samples = int(max(depth.history_s, MIN_RING_S) * format.sample_rate)
        self.audio = Ring(max_items=1 << 20, max_bytes=depth.history_bytes, max_samples=samples)
        self.audio.lost_end = start
        self.layers: dict[str, Ring] = {"audio": self.audio, "results": _ring()}

    @property
    def recorder(self) -> Literal["live", "away"]:
        return "live" if self._link else "away"

    def attach(self, drop: Callable[[], None] = lambda: None) -> int:
        """A recorder's connection; its predecessor, if any, is dropped. Returns the number to leave with."""
        before, self._drop = self._drop if self._link else None, drop
        self._links += 1
        self._link = self._links
        if before is not None:
            before()
        self._wake()
        return self._link

    def holds(self, link: int) -> bool:
        """Whether this connection is still the stream's recorder."""
        return self._link == link and self.finished is None

    def leave(self, link: int) -> bool:
        """The recorder's connection is gone; says whether the stream waits for it now."""
        if not self.holds(link):
            return False
        self._link = 0
        self._wake()
        return True

    def abandoned_since(self, link: int) -> bool:
        """Whether nobody has come after this connection was lost."""
        return self._links == link and not self._link

    def write(self, start: int, pcm: bytes) -> int:
        """Audio from `start` on, overlap trimmed; returns how many new samples it held."""
        size = self.format.sample_bytes
        if not pcm or len(pcm) % size:
            raise Refusal("bad_audio", f"{len(pcm)} bytes are no whole number of samples of {size} bytes")
        if self.format.encoding == "f32le" and not np.isfinite(np.frombuffer(pcm, "<f4")).all():
            raise Refusal("bad_audio", "audio holds NaN or infinite samples")
        count = len(pcm) // size
        if start + count > MAX_POSITION:
            raise Refusal("protocol", f"start must be at most {MAX_POSITION - count}")
        if start > self.position:
            self.audio.append(Gap(self.position, start, "recorder"))
            self.position = start
        new = min(count, start + count - self.position)
        if new > 0:
            pcm = pcm[(count - new) * size :] if new < count else pcm
            end = self.position + new
            message = pack({"layer": "audio", "start": self.position, "end": end}, pcm)
            self.audio.append(Item(self.position, end, self._next_order(), message))
            self.position = end
        self._wake()
        return max(new, 0)

    def publish(self, event: Event, payload: bytes | None = None) -> None:
        """What a processor found. Raises Refusal for what it may not publish."""
        if event.layer in OWN_LAYERS:
            raise Refusal("protocol", f"layer {event.layer} belongs to the stream itself")
        if event.end > self.position:
            raise Refusal("protocol", f"end must be at most the stream's position, {self.position}")
        if event.layer not in self.layers and len(self.layers) >= MAX_LAYERS:
            raise Refusal("too_many", f"a stream may have {MAX_LAYERS} layers")
        self._append(event, payload)

    def publish_result(self, start: int, end: int, data: dict[str, Any]) -> None:
        self._append(Event("results", start, end, data))

    def finish(self, reason: EndReason) -> None:
        """No more audio comes; `end` follows when the recogniser has said its last word."""
        self.finished = self.finished or reason
        self._wake()

    def end(self, reason: EndReason) -> None:
        self.ended = self.ended or self.finished or reason
        self.finish(reason)

    def _append(self, event: Event, payload: bytes | None = None) -> None:
        header = {"layer": event.layer, "start": event.start, "end": event.end}
        if payload is None:
            message: str | bytes = encode("event", **header, data=event.data)
        else:
            message = pack(header if event.data is None else {**header, "data": event.data}, payload)
        ring = self.layers.setdefault(event.layer, _ring())
        ring.append(Item(event.start, event.end, self._next_order(), message))
        self._wake()

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    def _wake(self) -> None:
        for subscriber in self.subscribers:
            subscriber.wake()
        if self.recognizer is not None:
            self.recognizer.wake()


def cut(item: Item, position: int, format: Format) -> bytes:
    """The audio message of an item from `position` on."""
    assert isinstance(item.message, bytes)
    payload = payload_of(item.message)[(position - item.start) * format.sample_bytes :]
    return pack({"layer": "audio", "start": position, "end": item.end}, payload)


def describe(stream: Stream) -> dict[str, Any]:
    """As clients are told of it."""
    format = stream.format
    return {
        "encoding": format.encoding,
        "sample_rate": format.sample_rate,
        "channels": format.channels,
        "position": stream.position,
        "recorder": stream.recorder,
        "lang": stream.lang,
    }


def _ring() -> Ring:
    return Ring(max_items=MAX_MESSAGES, max_bytes=MAX_LAYER_BYTES)
