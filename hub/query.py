"""What a subscriber asks for in its URL."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.stream import Stream
from hub.subscriber import Layers, Policy
from hub.wire import LAYER, MAX_POSITION, Refusal

DEFAULT_LAYERS = frozenset({"audio", "results"})
_AGO = re.compile(r"-(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
_POSITION = re.compile(r"\d{1,16}", re.ASCII)
_POLICIES: dict[str, Policy] = {"drop-oldest": "drop-oldest", "disconnect": "disconnect"}


@dataclass(frozen=True)
class Query:
    """`ago_s` seconds before now, or the position `since`; both None for now."""

    layers: Layers = DEFAULT_LAYERS
    ago_s: float | None = None
    since: int | None = None
    policy: Policy = "drop-oldest"
    id: str = ""  # of the stream that this subscriber heard before

    def since_in(self, stream: Stream) -> int | None:
        if self.ago_s is None:
            return self.since
        return max(stream.start, stream.position - int(self.ago_s * stream.format.sample_rate))


def parse(pairs: Iterable[tuple[str, str]]) -> Query:
    """Raises Refusal, whose text names the field."""
    layers: Layers = DEFAULT_LAYERS
    policy: Policy = "drop-oldest"
    ago_s, since, id, seen = None, None, "", set[str]()
    for name, value in pairs:
        if name in seen:
            raise Refusal("protocol", f"{name} is given twice")
        seen.add(name)
        if name == "layers":
            layers = _layers(value)
        elif name == "from":
            ago_s, since = _moment(value)
        elif name == "policy" and value in _POLICIES:
            policy = _POLICIES[value]
        elif name == "policy":
            raise Refusal("protocol", f"policy must be one of {', '.join(_POLICIES)}")
        elif name == "id":
            id = value
        else:
            raise Refusal("protocol", "the query may hold layers, from, policy and id")
    return Query(layers, ago_s, since, policy, id)


def _layers(value: str) -> Layers:
    if value == "*":
        return None
    names = value.split(",")
    if len(names) > 64 or not all(LAYER.fullmatch(name) for name in names):
        raise Refusal("protocol", "layers must be * or names of 1 to 32 characters a-z 0-9 . _ -, separated by commas")
    return frozenset(names)


def _moment(value: str) -> tuple[float | None, int | None]:
    if value == "now":
        return None, None
    if match := _AGO.fullmatch(value):
        return float(match[1]), None
    if _POSITION.fullmatch(value) and int(value) <= MAX_POSITION:
        return None, int(value)
    raise Refusal("protocol", "from must be now, seconds such as -10s, or a position")
