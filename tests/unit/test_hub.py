"""Who may open, hear and feed which stream."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from hub.hub import Hub, Rules
from hub.keys import Right
from hub.stream import Stream
from hub.wire import Record, Refusal
from protocol.events import Access

WISH = Record("s16le", 16_000)


class Timers:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def __call__(self, delay_s: float, function: Callable[..., object], *arguments: Any) -> None:
        self.waiting.append((delay_s, function, arguments))

    def ring(self) -> None:
        waiting, self.waiting = self.waiting, []
        for _, function, arguments in waiting:
            function(*arguments)


def make_hub(timers: Timers | None = None, **rules: Any) -> Hub:
    numbers = count()
    return Hub(Rules(**rules), ["en", "ja"], lambda: f"random-token-{next(numbers):04}", timers or Timers())


def code(hub: Hub, name: str, token: str, need: Right = Right.LISTEN, id: str = "") -> str:
    try:
        hub.find(name, token, need, id)
    except Refusal as refusal:
        return refusal.code
    return ""


def test_a_private_stream_opens_to_its_tokens_only() -> None:
    hub = make_hub()
    stream = hub.record("talk", WISH)
    listen, publish = stream.keys.listen, stream.keys.publish
    assert [code(hub, "talk", token) for token in ("", "wrong", listen, publish)] == [
        "token_needed",
        "not_found",
        "",
        "",
    ]
    assert [code(hub, "talk", token, Right.PUBLISH) for token in ("", listen, publish)] == [
        "token_needed",
        "forbidden",
        "",
    ]


def test_what_is_not_there_looks_like_what_is_private() -> None:
    hub = make_hub()
    hub.record("talk", WISH)
    assert all(code(hub, "nothing", token) == code(hub, "talk", token) for token in ("", "wrong"))


def test_an_owner_may_let_everybody_listen_but_not_publish() -> None:
    hub = make_hub()
    hub.record("talk", replace(WISH, access=Access(open=True)))
    assert code(hub, "talk", "") == "" and code(hub, "talk", "", Right.PUBLISH) == "token_needed"
    assert code(hub, "talk", "wrong") == "" and code(hub, "talk", "wrong", Right.PUBLISH) == "forbidden"


def test_on_a_trusted_network_everybody_may_listen_and_publish_but_not_take_over() -> None:
    hub = make_hub(open=True)
    hub.record("talk", WISH)
    assert code(hub, "talk", "", Right.PUBLISH) == "" and code(hub, "nothing", "") == "not_found"
    with pytest.raises(Refusal) as error:
        hub.record("talk", WISH)
    assert error.value.code == "taken"


def test_a_recorder_goes_on_with_its_own_stream_only() -> None:
    hub = make_hub()
    stream = hub.record("talk", WISH)
    own = replace(WISH, access=Access(record_token=stream.keys.record))
    stream.attach()
    assert hub.record("talk", own) is stream
    for access in (Access(), Access(record_token=stream.keys.publish), Access(record_token="r" * 16)):
        with pytest.raises(Refusal) as error:
            hub.record("talk", replace(WISH, access=access))
        assert error.value.code == "taken"
    with pytest.raises(Refusal) as error:
        hub.record("talk", replace(own, sample_rate=8_000))
    assert error.value.code == "format"


def test_a_lost_recorder_has_its_time_to_come_back() -> None:
    timers = Timers()
    hub = make_hub(timers, grace_s=5)
    stream = hub.record("talk", WISH)
    hub.leave(stream, stream.attach())
    assert timers.waiting[0][0] == 5 and not stream.finished
    link = stream.attach()
    timers.ring()
    assert not stream.finished, "it came back"
    hub.leave(stream, link)
    timers.ring()
    assert stream.ended == "lost" and not hub.streams


def test_who_was_cut_off_finds_what_is_left_of_a_stream_for_a_while() -> None:
    timers = Timers()
    hub = make_hub(timers, grace_s=5)
    stream = hub.record("talk", WISH)
    listen = stream.keys.listen
    hub.end(stream, "ended")
    assert hub.find("talk", listen, Right.LISTEN, stream.id) is stream and timers.waiting[0][0] == 5
    assert code(hub, "talk", listen) == "not_found", "nobody begins to hear what has ended"
    for name, token in (("other", listen), ("talk", "wrong")):
        assert code(hub, name, token, id=stream.id) == "not_found"
    following = hub.record("talk", replace(WISH, access=Access(listen_token=listen)))
    assert following.id != stream.id
    assert hub.find("talk", listen, Right.LISTEN, stream.id) is stream
    timers.ring()
    assert hub.find("talk", listen, Right.LISTEN, stream.id) is following


def test_so_many_ended_streams_are_held_and_no_more() -> None:
    hub = make_hub(max_streams=2, open=True)
    streams = [hub.record("talk", WISH)]
    for _ in range(2):
        hub.end(streams[-1], "ended")
        streams.append(hub.record("talk", WISH))
    hub.end(streams[-1], "ended")
    assert [code(hub, "talk", "", id=stream.id) for stream in streams] == ["not_found", "", ""]


def test_a_stream_that_is_recognised_ends_after_the_last_word() -> None:
    class Ear:
        def wake(self) -> None:
            pass

    hub = make_hub()
    stream = hub.record("talk", replace(WISH, recognize="ja-JP"))
    assert stream.lang == "ja"
    stream.recognizer = Ear()
    hub.finish(stream, "ended")
    assert stream.finished and not stream.ended and "talk" in hub.streams
    with pytest.raises(Refusal) as error:
        hub.record("talk", replace(WISH, access=Access(record_token=stream.keys.record)))
    assert error.value.code == "taken"
    hub.end(stream, "ended")
    assert stream.ended and not hub.streams


def test_a_language_that_is_not_here_is_refused() -> None:
    assert make_hub().record("talk", replace(WISH, recognize="")).lang == "en"
    with pytest.raises(Refusal, match="en, ja"):
        make_hub().record("talk", replace(WISH, recognize="fr"))


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "ä", "a b", "a\n", "x" * 65, "%2e", "\0"])
def test_names_that_are_none(name: str) -> None:
    hub = make_hub(open=True)
    assert code(hub, name, "") == "protocol"
    with pytest.raises(Refusal) as error:
        hub.record(name, WISH)
    assert error.value.code == "protocol"


def test_there_are_so_many_streams_and_no_more() -> None:
    hub = make_hub(max_streams=2)
    hub.record("a", WISH)
    second = hub.record("b", WISH)
    with pytest.raises(Refusal) as error:
        hub.record("c", WISH)
    assert error.value.code == "too_many" and "2" in str(error.value)
    hub.end(second, "ended")
    hub.record("c", WISH)


def test_there_are_so_many_subscribers_and_no_more() -> None:
    class Ear:
        def wake(self) -> None:
            pass

    hub = make_hub(max_subscribers=2, max_listeners=3)
    first, second = hub.record("a", WISH), hub.record("b", WISH)
    for stream in (first, first, second):
        hub.require_place(stream)
        stream.subscribers.add(Ear())
    for stream, number in ((first, "2"), (second, "3")):
        with pytest.raises(Refusal) as error:
            hub.require_place(stream)
        assert error.value.code == "too_many" and number in str(error.value)
    hub.end(first, "ended")
    with pytest.raises(Refusal, match="3 subscribers in all"):  # who still reads an ended stream counts as well
        hub.require_place(second)


def test_the_list_shows_what_one_may_hear() -> None:
    hub = make_hub()
    private = hub.record("b", WISH)
    hub.record("a", replace(WISH, access=Access(open=True)))
    assert [s["name"] for s in hub.listing("")] == ["a"]
    assert [s["name"] for s in hub.listing(private.keys.listen)] == ["a", "b"]
    assert hub.listing("")[0] == {
        "name": "a", "encoding": "s16le", "sample_rate": 16_000, "channels": 1, "position": 0, "recorder": "away",
        "lang": "", "layers": ["audio", "results"], "subscribers": 0,
    }  # fmt: skip


def test_a_stop_ends_them_all() -> None:
    hub = make_hub()
    streams: list[Stream] = [hub.record(name, WISH) for name in "ab"]
    hub.stop()
    assert [stream.ended for stream in streams] == ["stopped", "stopped"] and hub.stopping and not hub.streams
