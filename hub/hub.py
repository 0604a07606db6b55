"""All live streams of this process: who may open, hear and feed which, and how many there may be."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from hub.keys import Keys, Right
from hub.stream import Depth, EndReason, Stream, describe
from hub.wire import Format, Record, Refusal
from protocol.events import STREAM_NAME, Access


@dataclass(frozen=True)
class Rules:
    """What the settings say about streams."""

    open: bool = False  # everybody may list, hear and publish to every stream
    depth: Depth = Depth()
    grace_s: float = 60.0  # a stream waits so long for a recorder whose link was lost, its end for a subscriber
    speed: float = 4.0  # times real time that a recorder may send
    max_streams: int = 100  # and as many that have ended
    max_subscribers: int = 100  # of one stream
    max_listeners: int = 1000  # subscribers of all streams


class Later(Protocol):
    """Calls a function so many seconds from now."""

    def __call__(self, delay_s: float, function: Callable[..., object], *arguments: Any) -> object: ...


class Hub:
    """`langs` are those that a recording may be recognised in, the default first; `new_token` makes random tokens."""

    def __init__(self, rules: Rules, langs: Collection[str], new_token: Callable[[], str], later: Later) -> None:
        self.rules = rules
        self.streams: dict[str, Stream] = {}
        self._ended: dict[str, Stream] = {}  # by id, for subscribers whose link was lost before the end
        self.stopping = False
        self.langs = list(langs)
        self._new_token = new_token
        self._later = later

    def record(self, name: str, wish: Record) -> Stream:
        """The stream that a recorder feeds from now on: its own that lives, or a new one."""
        lang = "" if wish.recognize is None else self._lang(wish.recognize)
        return self.open(name, wish.format, wish.access, start=wish.start, lang=lang)

    def open(self, name: str, format: Format, access: Access, *, start: int = 0, lang: str = "") -> Stream:
        require_name(name)
        if (stream := self.streams.get(name)) is not None:
            self._require_own(stream, format, access)
            return stream
        if len(self.streams) >= self.rules.max_streams:
            raise Refusal("too_many", f"there may be {self.rules.max_streams} streams at a time")
        keys = Keys.of(access, self._new_token)
        stream = Stream(name, format, keys, self.rules.depth, start=start, lang=lang, id=self._new_token())
        self.streams[name] = stream
        return stream

    def find(self, name: str, token: str, need: Right, id: str = "") -> Stream:
        """A stream for somebody who shows this token; without any it is empty.

        Who says by its `id` which stream it heard before also finds what is left of that one.
        """
        require_name(name)
        ended = self._ended.get(id)
        stream = ended if ended is not None and ended.name == name else self.streams.get(name)
        right = self._right(stream, token) if stream else Right.NONE
        if stream is not None and right >= need:
            return stream
        if token and right is not Right.NONE:
            raise Refusal("forbidden", f"this token does not allow to {need.name.lower()}")
        if token or self.rules.open:
            raise Refusal("not_found", "there is no stream by this name that you may hear")
        raise Refusal("token_needed", "without a token there is no stream by this name")

    def may(self, stream: Stream, token: str, need: Right) -> bool:
        return self._right(stream, token) >= need

    def listing(self, token: str) -> list[dict[str, Any]]:
        seen = [stream for _, stream in sorted(self.streams.items()) if self.may(stream, token, Right.LISTEN)]
        return [
            {"name": s.name, **describe(s), "layers": list(s.layers), "subscribers": len(s.subscribers)} for s in seen
        ]

    def require_place(self, stream: Stream) -> None:
        """For one subscriber more."""
        if len(stream.subscribers) >= self.rules.max_subscribers:
            raise Refusal("too_many", f"a stream may have {self.rules.max_subscribers} subscribers")
        heard = (*self.streams.values(), *self._ended.values())
        if sum(len(each.subscribers) for each in heard) >= self.rules.max_listeners:
            raise Refusal("too_many", f"there may be {self.rules.max_listeners} subscribers in all")

    def finish(self, stream: Stream, reason: EndReason) -> None:
        """No more audio comes. A recogniser that still has something to say ends the stream later."""
        stream.finish(reason)
        if stream.recognizer is None:
            self.end(stream, reason)

    def leave(self, stream: Stream, link: int) -> None:
        """A recorder's connection is gone: the stream waits for it, but not for ever."""
        if stream.leave(link):
            self._later(self.rules.grace_s, self.expire, stream, link)

    def expire(self, stream: Stream, link: int) -> None:
        """Its recorder's connection was lost, and the time to come back is over."""
        if stream.abandoned_since(link):
            self.finish(stream, "lost")

    def end(self, stream: Stream, reason: EndReason) -> None:
        """Its name is free again; subscribers still get what is left, for a while also those who were cut off."""
        stream.end(reason)
        if self.streams.get(stream.name) is stream:
            del self.streams[stream.name]
            self._ended[stream.id] = stream
            self._later(self.rules.grace_s, self._ended.pop, stream.id, None)
            if len(self._ended) > self.rules.max_streams:
                del self._ended[next(iter(self._ended))]

    def stop(self) -> None:
        self.stopping = True
        for stream in list(self.streams.values()):
            self.end(stream, "stopped")

    def _right(self, stream: Stream, token: str) -> Right:
        free = Right.PUBLISH if self.rules.open else Right.LISTEN if stream.keys.open else Right.NONE
        return max(free, stream.keys.right_of(token))

    def _require_own(self, stream: Stream, format: Format, access: Access) -> None:
        if stream.keys.right_of(access.record_token) is not Right.RECORD or stream.finished:
            raise Refusal("taken", f"stream {stream.name} is in use, and access.record_token is not its own")
        if stream.format != format:
            raise Refusal("format", f"stream {stream.name} goes on with {stream.format}")

    def _lang(self, wanted: str) -> str:
        lang = wanted.split("-")[0].lower() or self.langs[0]
        if lang not in self.langs:
            raise Refusal("language_not_supported", f"recognize must be one of {', '.join(self.langs)}")
        return lang


def require_name(name: str) -> None:
    if not STREAM_NAME.fullmatch(name):
        raise Refusal("protocol", "a stream's name is 1 to 64 characters A-Z a-z 0-9 . _ - without a dot in front")
