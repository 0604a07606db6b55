"""Is told what a session hears and says. This one keeps nothing."""

from protocol.events import ClientEvent, ServerEvent


class Tap:
    """Its methods return at once: nobody who listens in may delay a session."""

    def hear(self, event: ClientEvent) -> None:
        """Something the session has just accepted. ProtocolError ends it."""

    def say(self, event: ServerEvent) -> ServerEvent:
        """What the client is to be told in its place."""
        return event

    def close(self) -> None:
        """The session is over."""
