"""One client's conversation, as a Sans-I/O state machine.

Put in with receive_*; take out with frames_to_score (until there are none), jobs_to_recognize and events_to_send.
Nothing here waits, sleeps or sends. Invariant, in samples: received = settled + pending.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import Enum, auto

import protocol.events as wire
from audio import SAMPLE_RATE, Draft, Encoding, Samples, Utterance, ms_of, samples_of
from recognizer.base import Options, RecognizerError, Transcript
from session.answers import Answers
from session.intake import Intake
from vad.segmenter import Segmenter, SegmenterOptions, SegmentEvent, SpeechDropped, SpeechStarted

FEATURES = ("interim_results", "max_alternatives", "offset_ms", "words", "phrases", "checkpoints")


class State(Enum):
    OPENING = auto()
    STREAMING = auto()
    DRAINING = auto()  # no more audio comes; finals are still out
    CLOSED = auto()


class Session:
    """`id` names the connection; `models` maps each language offered to its model's name."""

    def __init__(self, id: str, models: dict[str, str], default_lang: str, options: SegmenterOptions) -> None:
        self.id = id
        self.state = State.OPENING
        self.encoding: Encoding = "f32le"
        self.lang = default_lang
        self.options = Options()
        self._models = models
        self._vad_options = options
        self._start = wire.Start()
        self.intake = Intake(SAMPLE_RATE)
        self._segmenter = Segmenter(options)
        self._answers = Answers(offset=0, interim_results=False, max_alternatives=1)
        self._offset = 0  # where this connection's audio begins on the stream's clock, in samples
        self._enough = False  # not continuous, and the one utterance was heard
        self._deaf = False  # we, not the client, ended the listening
        self._leaving = False  # the client goes on elsewhere
        self._jobs, self._events = list[Utterance](), list[wire.ServerEvent]()

    @property
    def received(self) -> int:
        return self.intake.received

    @property
    def settled(self) -> int:
        """Every sample before this one was skipped as silence or belongs to an answered utterance."""
        if (first := self._answers.first_waiting) is not None:
            return first.start
        return min(self._segmenter.settled, self.received)

    @property
    def pending(self) -> int:
        return self.received - self.settled

    def receive_event(self, event: wire.ClientEvent) -> None:
        match self.state, event:
            case State.OPENING, wire.Start():
                self._open(event)
            case State.STREAMING, wire.Audio(samples=samples):
                self.intake.feed(samples)
                if self.intake.report_due:
                    self._report()
            case State.STREAMING, wire.Configure():
                self._configure(event)
            case State.STREAMING, wire.Stop():
                self.intake.flush()
                self.state = State.DRAINING
                self._close_if_drained()
            case State.STREAMING | State.DRAINING | State.OPENING, wire.Abort():
                self._say_goodbye()
            case State.DRAINING, wire.Audio() | wire.Configure() | wire.Stop() if self._deaf:
                pass  # the client cannot know yet that we stopped listening
            case State.CLOSED, _:
                pass  # what was under way when the session ended
            case _:
                raise wire.ProtocolError(f"{type(event).__name__.lower()} while {self.state.name.lower()}")

    def receive_probabilities(self, probabilities: Sequence[float]) -> None:
        """One for each of the frames taken last, in order."""
        for probability in probabilities:
            frame = self.intake.frame_scored()
            if frame is not None and not self._enough:
                self._handle(self._segmenter.process(frame, probability))
        self._close_if_drained()

    def receive_heartbeat(self) -> None:
        """Nothing was said for a while: the client shall know that we live."""
        if self.state in (State.STREAMING, State.DRAINING):
            self._report()

    def receive_transcript(self, job: Utterance, transcript: Transcript) -> None:
        if self.state is State.CLOSED:
            return
        if isinstance(job, Draft):
            self._events += self._answers.draft(job, transcript)
        else:
            self._settle(self._answers.transcript(job, transcript))

    def receive_failure(self, job: Utterance, error: RecognizerError) -> None:
        if self.state is not State.CLOSED and not isinstance(job, Draft):
            self._settle(self._answers.failure(job, error))

    def receive_shutdown(self) -> None:
        """The server is about to stop: nothing more is heard, what was heard so far is answered.

        Not so a sentence that is being spoken, when the client resumes: cut in two it would read differently.
        """
        if self.state is State.STREAMING and self._start.resumable:
            self._leaving = self._enough = self._deaf = True
            self.intake.clear()
            self.state = State.DRAINING
            self._close_if_drained()
        elif self.state is State.STREAMING:
            self.receive_event(wire.Stop())
            self._deaf = True
        elif self.state is State.OPENING:
            self.receive_disconnect()

    def receive_error(self, error: wire.Error) -> None:
        """The session ends with these last words."""
        events = self.events_to_send()
        self.receive_disconnect()
        self._events = [*events, error]

    def receive_disconnect(self) -> None:
        self.state = State.CLOSED
        self.intake.clear()
        self._jobs, self._events = [], []

    def frames_to_score(self) -> list[Samples]:
        return self.intake.frames_to_score()

    def jobs_to_recognize(self) -> list[Utterance]:
        jobs, self._jobs = self._jobs, []
        return jobs

    def events_to_send(self) -> list[wire.ServerEvent]:
        events, self._events = self._events, []
        return events

    def _open(self, start: wire.Start) -> None:
        lang = start.lang.split("-")[0].lower() or self.lang
        if lang not in self._models:
            known = ", ".join(self._models)
            raise wire.ProtocolError(
                f"lang {start.lang!r} is not spoken here; there is {known}", code="language_not_supported"
            )
        if start.model and start.model != self._models[lang]:
            raise wire.ProtocolError(f"model {start.model!r} is not loaded for {lang!r}", code="model_not_found")
        self._start, self.lang, self.encoding = start, lang, start.encoding
        self._offset = samples_of(start.offset_ms)
        self.intake = Intake(start.sample_rate, offset=self._offset, resume=start.checkpoint, resumable=start.resumable)
        self._segmenter = Segmenter(self._adjusted(start.vad), start=self.intake.start)
        alternatives = max(1, start.max_alternatives)
        self._answers = Answers(
            offset=self._offset, interim_results=start.interim_results, max_alternatives=alternatives, words=start.words
        )
        self._apply_phrases(start.phrases)
        self.state = State.STREAMING
        model, stream = self._models[lang], start.stream or self.id
        self._events.append(wire.Ready(self.id, stream, start.lang or lang, model, start.sample_rate, FEATURES))

    def _configure(self, event: wire.Configure) -> None:
        if event.vad is not None:
            self._segmenter.configure(self._adjusted(event.vad))
        if event.phrases is not None:
            self._apply_phrases(event.phrases)

    def _adjusted(self, vad: wire.VadOptions) -> SegmenterOptions:
        wished = {name: value for name, value in asdict(vad).items() if value is not None}
        try:
            self._vad_options = replace(self._vad_options, **wished)
        except ValueError as error:
            raise wire.ProtocolError(f"vad.{error}") from None
        return self._vad_options

    def _apply_phrases(self, phrases: tuple[wire.Phrase, ...]) -> None:
        wanted = tuple((p.phrase, p.boost) for p in phrases)
        self.options = Options(self.lang, max(1, self._start.max_alternatives), self._start.words, wanted)

    def _report(self) -> None:
        self._events.append(self.intake.report(self.settled))

    def _handle(self, events: list[SegmentEvent]) -> None:
        for event in events:
            match event:
                case SpeechStarted(segment=segment, at=at):
                    self._events.append(wire.SpeechStart(segment, ms_of(self._offset + at)))
                case Draft():
                    if self._start.interim_results:
                        self._jobs.append(event)
                case SpeechDropped():
                    pass
                case Utterance():
                    self._finish(event)

    def _finish(self, utterance: Utterance) -> None:
        """The pause came: an utterance never holds more than was received."""
        heard = replace(utterance, audio=utterance.audio[: self.received - utterance.start])
        self._answers.expect(heard)
        self._jobs.append(heard)
        self._events.append(wire.SpeechEnd(heard.segment, ms_of(self._offset + heard.end)))
        if not self._start.continuous:
            self._enough, self._deaf, self.state = True, True, State.DRAINING

    def _settle(self, answers: list[wire.ServerEvent]) -> None:
        self._events += answers
        if answers:
            self._report()
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        if self.state is not State.DRAINING or self.intake.busy:
            return
        if not self._enough:
            self._handle(self._segmenter.flush())
        if self._answers.first_waiting is None:
            self._report()
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        events = self.events_to_send() if self.state is State.DRAINING else []
        self.receive_disconnect()
        self._events = events if self._leaving else [*events, wire.Done()]
