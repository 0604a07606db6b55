"""What a recogniser is: a blocking Engine in one process, reached through an awaiting Backend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audio import Samples, Utterance


class RecognizerError(Exception):
    """One utterance could not be recognised. `code` is for programs, the text is safe for people to read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # "overloaded" | "timeout" | "recognizer_failed" | "closed"


class ModelError(Exception):
    """A model reference cannot be used. Its text is one sentence for the person who starts the server."""


@dataclass(frozen=True)
class Options:
    """What one session asks of the recogniser."""

    lang: str = ""
    max_alternatives: int = 1
    words: bool = False
    phrases: tuple[tuple[str, float], ...] = ()  # (phrase, boost 0..10)


@dataclass(frozen=True)
class Word:
    """A word, or a character where words are not separated, and when it was said."""

    text: str
    start: int  # samples since the start of the utterance's audio
    end: int
    confidence: float  # (0, 1]


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance."""

    text: str
    confidence: float  # (0, 1]
    words: tuple[Word, ...] = ()  # when asked for


@dataclass(frozen=True)
class Transcript:
    """The n-best list of an utterance, best first; empty when nothing was said."""

    hypotheses: tuple[Hypothesis, ...]
    decode_seconds: float = 0.0

    @property
    def text(self) -> str:
        return self.hypotheses[0].text if self.hypotheses else ""


@dataclass(frozen=True, eq=False)
class Request:
    """One decoding as it travels to an engine."""

    audio: Samples
    final: bool  # searched with all there is; else what is quick
    options: Options
    known: Transcript | None = None  # for a draft: what an earlier one of its utterance said


class Engine(Protocol):
    """A loaded model. Blocking; called from one thread of one process."""

    device: str  # "cpu" or "cuda"
    search: str  # how it decodes, for the log
    eager: bool  # so quick that it may search an utterance while its pause lasts, and for nothing if it does not
    together: int  # finals that are faster at once than one by one; 1: none are
    drafts_together: int  # the same of drafts

    def warm_up(self) -> None: ...

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]: ...


class Backend(Protocol):
    """Where jobs go. Shared by all sessions of one model."""

    @property
    def device(self) -> str: ...

    @property
    def search(self) -> str: ...

    @property
    def eager(self) -> bool: ...

    @property
    def late(self) -> bool:
        """Whether more is asked than can be done; no new stream should come then."""
        ...

    async def start(self) -> None: ...

    async def transcribe(self, job: Utterance, options: Options, known: Transcript | None = None) -> Transcript:
        """`known`, for a draft: what an earlier one of its utterance said. Raises RecognizerError.

        A Draft may be answered with `overloaded`; an accepted utterance is decoded.
        """
        ...

    async def close(self) -> None: ...
