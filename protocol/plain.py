"""The wire format without a subprotocol: f32le audio in, the text of each final result out.

The first version of this system spoke it, so its clients keep working. The JSON commands are understood as well.
"""

from protocol.events import Error, Failure, Result, ServerEvent


def encode(event: ServerEvent) -> str | None:
    """None for what plain clients are not told."""
    match event:
        case Result(final=True, alternatives=(best, *_)):
            return best.transcript
        case Failure() | Error():
            return f"[{event.code}] {event.message}"
        case _:
            return None
