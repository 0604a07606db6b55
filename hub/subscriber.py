"""What one subscriber is still to be told. It keeps a place in each layer; the stream does not know how far it is."""

from typing import Literal

from hub.history import Gap, Reader
from hub.stream import Stream, cut, describe
from hub.wire import Refusal, encode

Layers = frozenset[str] | None  # None: all, also those that begin later
Policy = Literal["drop-oldest", "disconnect"]


class Subscriber:
    """`since` is a position of the past, None means now. Call `next_message` until it returns None; then wait."""

    def __init__(
        self, stream: Stream, layers: Layers, since: int | None = None, policy: Policy = "drop-oldest"
    ) -> None:  # fmt: skip
        self._stream = stream
        self._wanted = layers
        self._policy = policy
        self._recorder = stream.recorder
        since = stream.position if since is None else min(since, stream.position)
        self.at = max(since, stream.position - stream.history)  # where its audio begins
        self._readers = {name: Reader.at(ring, self.at) for name, ring in stream.layers.items() if self._wants(name)}
        forgotten = Gap(since, self.at, "history")
        self._first = [gap(name, forgotten) for name in self._readers if since < self.at]
        self.ended = False  # everything was said, `end` included

    def greeting(self, kind: str, *, may_publish: bool) -> str:
        fields = {"stream": self._stream.name, **describe(self._stream), "may_publish": may_publish}
        if kind == "subscribed":
            layers = [name for name in self._stream.layers if self._wants(name)]
            fields |= {"id": self._stream.id, "layers": layers, "from": self.at}
        return encode(kind, **fields)

    def next_message(self) -> str | bytes | None:
        """Raises Refusal when the policy is to rather end than miss anything."""
        if self._recorder != self._stream.recorder and not self._stream.finished:
            self._recorder = self._stream.recorder
            return encode("state", recorder=self._recorder)
        if self._first:
            return self._first.pop(0)
        self._find_layers()
        waiting = [(reader.order, name) for name, reader in self._readers.items() if reader.waiting]
        if waiting:
            return self._read(min(waiting)[1])
        if self._stream.ended and not self.ended:
            self.ended = True
            return encode("end", position=self._stream.position, reason=self._stream.ended)
        return None

    def _read(self, layer: str) -> str | bytes:
        reader = self._readers[layer]
        what = reader.read()
        if isinstance(what, Gap):
            if self._policy == "disconnect" and what.reason == "slow":
                raise Missed(gap(layer, what))
            return gap(layer, what)
        if layer == "audio" and what.start < self.at:
            return cut(what, self.at, self._stream.format)
        return what.message

    def _wants(self, layer: str) -> bool:
        return self._wanted is None or layer in self._wanted

    def _find_layers(self) -> None:
        if len(self._readers) < len(self._stream.layers):
            for name, ring in self._stream.layers.items():
                if name not in self._readers and self._wants(name):
                    self._readers[name] = Reader(ring, 0, self.at)


class Missed(Refusal):
    """A subscriber that wants all or nothing missed something: `gap` says what."""

    def __init__(self, gap: str) -> None:
        super().__init__("slow", "you were too slow, and asked to be disconnected rather than miss anything")
        self.gap = gap


def gap(layer: str, what: Gap) -> str:
    count = {"count": what.count} if layer != "audio" and what.count else {}
    return encode("gap", layer=layer, start=what.start, end=what.end, reason=what.reason, **count)
