"""Client and server events, whatever the wire format. Times are milliseconds, as on the wire."""

import re
from dataclasses import dataclass, field
from typing import Literal

from audio import FRAME_SAMPLES, MAX_INPUT_RATE, MIN_INPUT_RATE, SAMPLE_RATE, Encoding, Samples

MAX_ALTERNATIVES = 30
MAX_PHRASES = 500
UNSPACED_LANGUAGES = ("ja", "zh", "yue", "th", "lo", "km", "my")  # written without spaces between words
STREAM_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", re.ASCII)
TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,128}", re.ASCII)
MAX_OFFSET_MS = 30 * 24 * 3600 * 1000  # a stream of thirty days
FRAME_MS = FRAME_SAMPLES * 1000 // SAMPLE_RATE
CloseCode = Literal[1000, 1008, 1009, 1011, 1012]


class ProtocolError(Exception):
    """The client broke the protocol. Its text is safe to send back."""

    def __init__(self, message: str, *, code: str = "protocol", close: CloseCode = 1008) -> None:
        super().__init__(message)
        self.code = code
        self.close = close


def require_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ProtocolError(f"{name} must be between {low:g} and {high:g}, not {value:g}")


def require_stream_name(name: str) -> None:
    if not STREAM_NAME.fullmatch(name):
        raise ProtocolError("stream must be 1 to 64 characters A-Z a-z 0-9 . _ - without a dot in front")


@dataclass(frozen=True)
class Access:
    """Who may share a live stream; a token that its owner does not name is made by the server."""

    open: bool = False  # everybody may listen
    listen_token: str = ""
    publish_token: str = ""
    record_token: str = ""

    def __post_init__(self) -> None:
        for name in ("listen_token", "publish_token", "record_token"):
            if (token := getattr(self, name)) and not TOKEN.fullmatch(token):
                raise ProtocolError(f"access.{name} must be 16 to 128 characters A-Z a-z 0-9 . _ ~ -")


@dataclass(frozen=True)
class Phrase:
    """A phrase to expect (W3C SpeechRecognitionPhrase)."""

    phrase: str
    boost: float = 1.0

    def __post_init__(self) -> None:
        require_range("phrases.boost", self.boost, 0, 10)


@dataclass(frozen=True)
class VadOptions:
    """What a client may ask of the segmenter; None keeps the server's value."""

    threshold: float | None = None
    min_silence_ms: int | None = None
    min_speech_ms: int | None = None
    padding_ms: int | None = None
    max_utterance_ms: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Where a stream can be taken up again: the client hands back the newest one that it got."""

    at_ms: int
    settled_ms: int  # everything before is answered
    state: str = ""  # of the voice detector, at at_ms; opaque; "" is that of a stream that begins

    def require_after(self, offset_ms: int) -> None:
        require_range("checkpoint.at_ms", self.at_ms, offset_ms, MAX_OFFSET_MS)
        require_range("checkpoint.settled_ms", self.settled_ms, self.at_ms, MAX_OFFSET_MS)
        if (self.at_ms - offset_ms) % FRAME_MS or (self.settled_ms - offset_ms) % FRAME_MS:
            raise ProtocolError(f"checkpoint.at_ms and settled_ms must be a multiple of {FRAME_MS} after offset_ms")


@dataclass(frozen=True)
class Start:
    lang: str = ""
    model: str = ""
    encoding: Encoding = "f32le"
    sample_rate: int = SAMPLE_RATE
    interim_results: bool = False
    continuous: bool = True
    max_alternatives: int = 1
    words: bool = False
    phrases: tuple[Phrase, ...] = ()
    vad: VadOptions = field(default_factory=VadOptions)
    offset_ms: int = 0  # where this connection's audio begins on the stream's clock
    stream: str = ""
    resumable: bool = False  # the client keeps its audio and wants checkpoints
    checkpoint: Checkpoint | None = None
    access: Access | None = None  # share this session as a live stream

    def __post_init__(self) -> None:
        if self.stream:
            require_stream_name(self.stream)
        require_range("sample_rate", self.sample_rate, MIN_INPUT_RATE, MAX_INPUT_RATE)
        require_range("max_alternatives", self.max_alternatives, 0, MAX_ALTERNATIVES)
        require_range("offset_ms", self.offset_ms, 0, MAX_OFFSET_MS)
        if self.checkpoint is not None:
            self.checkpoint.require_after(self.offset_ms)
        require_range("number of phrases", len(self.phrases), 0, MAX_PHRASES)


@dataclass(frozen=True, eq=False)
class Audio:
    samples: Samples  # at the rate said in Start
    pcm: bytes = b""  # as they came


@dataclass(frozen=True)
class Configure:
    phrases: tuple[Phrase, ...] | None = None
    vad: VadOptions | None = None

    def __post_init__(self) -> None:
        require_range("number of phrases", len(self.phrases or ()), 0, MAX_PHRASES)


@dataclass(frozen=True)
class Stop:
    """Decode what was heard, then say goodbye."""


@dataclass(frozen=True)
class Abort:
    """Drop everything."""


ClientEvent = Start | Audio | Configure | Stop | Abort


@dataclass(frozen=True)
class Word:
    text: str
    start_ms: int
    end_ms: int
    confidence: float  # (0, 1]


@dataclass(frozen=True)
class Alternative:
    transcript: str
    confidence: float  # (0, 1]
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Ready:
    session: str
    stream: str
    lang: str
    model: str
    sample_rate: int
    features: tuple[str, ...]
    separator: str = field(init=False)  # put between two finals, it makes them proper text
    listen_token: str | None = None  # these three where the session is shared
    publish_token: str | None = None
    record_token: str | None = None

    def __post_init__(self) -> None:
        language = self.lang.split("-")[0].lower()
        object.__setattr__(self, "separator", "" if language in UNSPACED_LANGUAGES else " ")


@dataclass(frozen=True)
class SpeechStart:
    segment: int
    at_ms: int


@dataclass(frozen=True)
class SpeechEnd:
    segment: int
    at_ms: int


@dataclass(frozen=True)
class Result:
    segment: int
    revision: int
    final: bool
    start_ms: int
    end_ms: int
    alternatives: tuple[Alternative, ...]
    stable: int = 0  # UTF-16 code units at the start of the first transcript that are not expected to change


@dataclass(frozen=True)
class Progress:
    received_ms: int
    settled_ms: int
    lag_ms: int
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Failure:
    """One utterance failed; the session goes on."""

    segment: int
    code: str
    message: str


@dataclass(frozen=True)
class Error:
    """The session ends."""

    code: str
    message: str


@dataclass(frozen=True)
class Done:
    """The last message before the close."""


ServerEvent = Ready | SpeechStart | SpeechEnd | Result | Progress | Failure | Error | Done
