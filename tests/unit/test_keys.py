"""Tokens open what is theirs and what lies below it."""

from hub.keys import Keys, Right
from protocol.events import Access


def test_each_token_opens_its_own() -> None:
    keys = Keys("listen", "publish", "record")
    rights = [keys.right_of(token) for token in ("listen", "publish", "record", "", "listen ", "列")]
    assert rights == [Right.LISTEN, Right.PUBLISH, Right.RECORD, Right.NONE, Right.NONE, Right.NONE]
    assert Right.RECORD > Right.PUBLISH > Right.LISTEN > Right.NONE


def test_tokens_that_the_owner_did_not_name_are_made() -> None:
    numbers = iter(range(9))
    keys = Keys.of(Access(open=True, publish_token="p" * 16), lambda: f"new-{next(numbers)}")
    assert keys == Keys("new-0", "p" * 16, "new-1", open=True)
