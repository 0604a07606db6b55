"""The query of a subscription."""

from urllib.parse import parse_qsl

import pytest

from hub.query import Query, parse
from hub.wire import Refusal
from tests.unit.test_subscriber import speak, talk


def query(text: str) -> Query:
    return parse(parse_qsl(text, keep_blank_values=True))


def test_what_may_be_asked() -> None:
    assert query("") == Query(frozenset({"audio", "results"}), None, None, "drop-oldest")
    assert query("layers=*&from=now&policy=disconnect") == Query(None, None, None, "disconnect")
    assert query("layers=level,keyword&from=-2.5s") == Query(frozenset({"level", "keyword"}), 2.5)
    assert query("from=123&id=x") == Query(since=123, id="x")


def test_seconds_become_positions_of_the_stream() -> None:
    stream = talk()
    for _ in range(10):
        speak(stream)
    assert query("from=-0.5s").since_in(stream) == 4_000
    assert query("from=-60s").since_in(stream) == 0
    assert query("from=77").since_in(stream) == 77
    assert query("").since_in(stream) is None


@pytest.mark.parametrize(
    "text, word",
    [
        ("layers=", "layers"),
        ("layers=audio,,results", "layers"),
        ("layers=AUDIO", "layers"),
        ("layers=../etc", "layers"),
        ("layers=" + ",".join(["a"] * 65), "layers"),
        ("from=-10", "from"),
        ("from=10s", "from"),
        ("from=-infs", "from"),
        ("from=-1e9s", "from"),
        ("from=9007199254740992", "from"),
        ("from=１２", "from"),
        ("policy=drop-newest", "policy"),
        ("token=secret", "query"),
        ("from=1&from=2", "from"),
    ],
)
def test_what_may_not_is_refused_by_its_name(text: str, word: str) -> None:
    with pytest.raises(Refusal) as error:
        query(text)
    assert error.value.code == "protocol" and word in str(error.value)
