"""What recognition sessions share: their results, and their audio where the stream has no other recorder."""

import logging
from dataclasses import replace

from hub.hub import Hub
from hub.stream import Stream
from hub.wire import Format, Refusal
from protocol.events import (
    Access,
    Audio,
    ClientEvent,
    Done,
    Error,
    Failure,
    ProtocolError,
    Ready,
    Result,
    ServerEvent,
    SpeechEnd,
    SpeechStart,
    Start,
)
from protocol.native import fields_of
from session.tap import Tap

log = logging.getLogger("speech.hub")


class ResultsTap(Tap):
    """Publishes what a session says of a stream that somebody else records."""

    def __init__(self, session: str, stream: Stream | None) -> None:
        self._session = session
        self._stream = stream
        self._spans: dict[int, tuple[int, int]] = {}  # ms, of the segments not answered yet

    def say(self, event: ServerEvent) -> ServerEvent:
        if self._stream is not None and isinstance(event, SpeechStart | SpeechEnd | Result | Failure):
            start, end = (min(self._position(ms), self._stream.position) for ms in self._span(event))
            self._stream.publish_result(start, end, {**fields_of(event), "session": self._session})
        return event

    def _position(self, ms: int) -> int:
        return ms * self._stream.format.sample_rate // 1000 if self._stream is not None else 0

    def _span(self, event: SpeechStart | SpeechEnd | Result | Failure) -> tuple[int, int]:
        """Where it belongs, in ms: a failure, where its segment was."""
        known = self._spans.get(event.segment, (0, 0))
        match event:
            case SpeechStart(segment=segment, at_ms=at):
                self._spans[segment] = known = (at, at)
            case SpeechEnd(segment=segment, at_ms=at):
                self._spans[segment] = (known[0], at)
                return at, at
            case Result(start_ms=start, end_ms=end):
                known = (start, end)
        if isinstance(event, Failure) or (isinstance(event, Result) and event.final):
            self._spans.pop(event.segment, None)
        return known


class SessionTap(ResultsTap):
    """Makes a session of /ws a stream, if its client asks or every session is one."""

    def __init__(self, session: str, hub: Hub) -> None:
        super().__init__(session, None)
        self._hub = hub
        self._link = 0
        self._at = 0  # position of the next audio

    def wake(self) -> None:
        """The session hears its audio from its client, not from the stream."""

    def hear(self, event: ClientEvent) -> None:
        match event:
            case Start():
                self._open(event)
            case Audio(pcm=pcm) if pcm and (stream := self._recorded()) is not None:
                stream.write(self._at, pcm)
                self._at += len(pcm) // stream.format.sample_bytes

    def say(self, event: ServerEvent) -> ServerEvent:
        if (stream := self._recorded()) is None:
            return event
        if isinstance(event, Ready):
            keys = stream.keys
            return replace(
                event, listen_token=keys.listen, publish_token=keys.publish, record_token=keys.record,
            )  # fmt: skip
        super().say(event)
        if isinstance(event, Done) or (isinstance(event, Error) and event.code != "internal"):
            self._hub.end(stream, "ended")
        return event

    def close(self) -> None:
        if (stream := self._recorded()) is not None:
            stream.recognizer = None
            self._hub.leave(stream, self._link)

    def _recorded(self) -> Stream | None:
        """The stream, while it is ours."""
        stream = self._stream
        return stream if stream is not None and stream.holds(self._link) else None

    def _open(self, start: Start) -> None:
        access = start.access or (Access() if self._hub.rules.open else None)
        if access is None:
            return
        format = Format(start.encoding, start.sample_rate)
        self._at = start.offset_ms * start.sample_rate // 1000
        lang = start.lang.split("-")[0].lower() or self._hub.langs[0]
        try:
            stream = self._hub.open(start.stream or self._session, format, access, start=self._at, lang=lang)
        except Refusal as refusal:
            if start.access is None:  # it did not ask
                log.warning("session %s is not shared: %s", self._session, refusal)
                return
            raise ProtocolError(str(refusal), code=refusal.code) from None
        self._stream, self._link = stream, stream.attach()
        stream.recognizer = self
