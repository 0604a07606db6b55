"""Who may do what with a stream. Each right includes those below it."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from protocol.events import Access


class Right(IntEnum):
    NONE = 0
    LISTEN = 1
    PUBLISH = 2
    RECORD = 3


@dataclass(frozen=True)
class Keys:
    """The tokens of one stream."""

    listen: str
    publish: str
    record: str
    open: bool = False

    @classmethod
    def of(cls, access: Access, new_token: Callable[[], str]) -> "Keys":
        """Those that the owner named, and new ones for the others."""
        tokens = (access.listen_token, access.publish_token, access.record_token)
        listen, publish, record = (token or new_token() for token in tokens)
        return cls(listen, publish, record, access.open)

    def right_of(self, token: str) -> Right:
        """What a token opens; an absent one is empty. Takes the same time for each wrong token of a length."""
        given, right = token.encode(), Right.NONE
        for known, opened in ((self.listen, Right.LISTEN), (self.publish, Right.PUBLISH), (self.record, Right.RECORD)):
            if hmac.compare_digest(known.encode(), given):
                right = opened
        return right
