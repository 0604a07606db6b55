"""FastEngine on a package with random weights: every search, every option, every awkward audio."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer.base import Options, Request
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")
RNG = np.random.default_rng(0)
KINDS = ("exact", "two_pass", "ctc")


@pytest.fixture(scope="module")
def package_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from recognizer.decoding import export

    folder: Path = tmp_path_factory.mktemp("export")
    export.export_model(*build_tiny_model(), folder)
    return folder


def make(folder: Path, kind: str):  # type: ignore[no-untyped-def]
    from recognizer.decoding import package
    from recognizer.decoding.engine import FastEngine, Search
    from recognizer.decoding.results import Calibration

    return FastEngine(package.load(folder, 1), Search(kind, 5, 0.4), "cpu", Calibration(), kind)


def noise(samples: int, **options: object) -> Request:
    return Request(RNG.normal(0, 0.1, samples).astype(np.float32), True, Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 800, 16_000, 48_000])
def test_alternatives_are_sorted_and_words_lie_inside(package_folder: Path, kind: str, samples: int) -> None:
    (transcript,) = make(package_folder, kind).transcribe([noise(samples, max_alternatives=3, words=True)])
    confidences = [one.confidence for one in transcript.hypotheses]
    assert len(confidences) <= 3 and confidences == sorted(confidences, reverse=True)
    assert len({one.text for one in transcript.hypotheses}) == len(confidences)
    for one in transcript.hypotheses:
        assert 0 < one.confidence <= 1 and one.text == " ".join(word.text for word in one.words)
        times = [time for word in one.words for time in (word.start, word.end)]
        assert times == sorted(times) and 0 <= times[0] and times[-1] <= max(samples, 8_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "audio",
    [np.zeros(16_000), np.ones(16_000), np.sign(RNG.normal(size=16_000)), RNG.normal(0, 0.1, 60 * 16_000)],
    ids=["silence", "stuck", "clipped", "a minute"],
)
def test_awkward_audio_neither_crashes_nor_hangs(package_folder: Path, kind: str, audio: np.ndarray) -> None:
    requests = [Request(audio.astype(np.float32), final, Options()) for final in (True, False)]
    assert len(make(package_folder, kind).transcribe(requests)) == 2


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_phrase_is_heard_where_something_else_was(package_folder: Path, kind: str, final: bool) -> None:
    engine = make(package_folder, kind)
    request = replace(noise(16_000), final=final)
    plain = engine.transcribe([request])[0].text
    for phrase in ("qz", "jx", "vk"):
        led = engine.transcribe([replace(request, options=Options(phrases=((phrase, 200.0),)))])[0].text
        assert phrase in led.split() and led != plain
    assert engine.transcribe([request])[0].text == plain  # of this session only


def test_an_audio_that_was_a_draft_is_not_encoded_again(package_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make(package_folder, "two_pass")
    encode_all, calls = engine._networks.encode_all, list[int]()

    def counted(features: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        calls.extend(map(len, features))
        return encode_all(features)  # type: ignore[no-any-return]

    monkeypatch.setattr(engine._networks, "encode_all", counted)
    request = noise(16_000)
    engine.transcribe([Request(request.audio, False, Options())])
    engine.transcribe([request])
    assert len(engine.transcribe([request, request])) == 2
    assert len(calls) == 1
    for _ in range(9):
        engine.transcribe([noise(8_000)])
    assert len(engine._remembered) == 4  # memory is bounded


def test_a_draft_of_nothing_is_empty(package_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make(package_folder, "two_pass")
    blanks = np.full((9, 30), -50.0, np.float32)
    blanks[:, 0] = 0.0
    monkeypatch.setattr(engine._networks, "encode", lambda _: (np.zeros((9, 16), np.float32), blanks))
    silence = np.zeros(16_000, np.float32)
    for transcript in engine.transcribe([Request(silence, final, Options()) for final in (True, False)]):
        assert transcript.hypotheses == ()


def test_exact_weighs_the_ngram_where_it_has_a_weight(package_folder: Path, tmp_path: Path) -> None:
    from recognizer.decoding import package
    from recognizer.decoding.engine import Asked, FastEngine, Search
    from recognizer.decoding.ngram import follow, load
    from recognizer.decoding.phrases import build
    from recognizer.decoding.results import Calibration
    from training.ngram import Estimates, automaton, counts

    ready, weight = package.load(package_folder, 1), 0.01
    eos, size = ready.vocabulary.eos, len(ready.vocabulary.tokens)
    path = tmp_path / "ngram.npz"
    np.savez(path, **automaton(Estimates(counts([(4, 5), (6, 7, 8)], 2, eos, eos), size), eos))  # type: ignore[arg-type]
    ngram = load(path, eos, 1.0)
    hidden, log_probs = ready.networks.encode(ready.features(noise(16_000).audio))
    asked, found = Asked(hidden, log_probs, build([]), 20, 100), []
    for own in (0.0, weight):
        engine = FastEngine(ready, Search("exact", 20, 0.4, 0.0, own), "cpu", Calibration(), "exact", ngram=ngram)
        found.append({one.tokens: one.score for one in engine.searched([asked])[0]})
    plain, guided = found
    both = [
        tokens for tokens in plain.keys() & guided.keys() if len(tokens) < 20
    ]  # the longest do not end by themselves
    assert both and plain != guided
    for tokens in both:
        state, told = ngram.begin, 0.0
        for token in (*tokens, eos):
            state, score = follow(state, token, False, False, ngram.arrays)
            told += score
        assert guided[tokens] == pytest.approx(plain[tokens] + weight * told, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_warm_up(package_folder: Path, kind: str) -> None:
    make(package_folder, kind).warm_up()


def test_a_draft_of_a_long_utterance_encodes_its_end_only(
    package_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    engine = make(package_folder, "two_pass")
    audio = noise(20 * 16_000).audio
    (first,) = engine.transcribe([Request(audio[: 12 * 16_000], False, Options())])
    encode, lengths = engine._networks.encode, list[int]()

    def counted(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths.append(len(features))
        return encode(features)  # type: ignore[no-any-return]

    monkeypatch.setattr(engine._networks, "encode", counted)
    (second,) = engine.transcribe([Request(audio, False, Options(), first)])
    assert lengths == [8 * 100 + 1]
    words = second.hypotheses[0].words
    assert words[0] == first.hypotheses[0].words[0] and words[-1].start >= 12 * 16_000
    starts = [word.start for word in words]
    assert starts == sorted(starts) and second.text == " ".join(word.text for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_is_capped(package_folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recognizer.limits.TOKENS_PER_SECOND", -7)  # 10 - 7 tokens for one second
    (transcript,) = make(package_folder, kind).transcribe([noise(16_000, max_alternatives=5)])
    assert all(1 <= len(one.text) <= 3 for one in transcript.hypotheses)
