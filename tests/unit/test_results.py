"""Tokens to text, words, times and confidence."""

from pathlib import Path

import numpy as np
import pytest
from sentencepiece import SentencePieceTrainer

from recognizer.base import Hypothesis, Word
from recognizer.decoding.package import Vocabulary
from recognizer.decoding.results import Calibration, Texts, calibrated, ranked, tidy

ENGLISH = Vocabulary(("<blank>", "<unk>", "<space>", *"abcdefgo", "<sos/eos>"), "char", None, 0, 11, 11)
JAPANESE = Vocabulary(("<blank>", "<unk>", *"今日は晴れ", "<sos/eos>"), "char", None, 0, 7, 7)
PIECES = Vocabulary(("<blank>", "<unk>", "▁go", "▁b", "ed", "<sos/eos>"), "bpe", None, 0, 5, 5)
UNSPACED_PIECES = Vocabulary(("<blank>", "<unk>", "▁", "▁今日", "は", "晴れ", "go", "<sos/eos>"), "bpe", None, 0, 7, 7)
WORDS = Vocabulary(("<blank>", "<unk>", "go", "bed", "<sos/eos>"), "word", None, 0, 4, 4)


def spoken(vocabulary: Vocabulary, tokens: list[int], every: int = 2) -> np.ndarray:
    """Log probabilities that are sure of one token each `every` frames."""
    frames = np.full((every * len(tokens) + 1, len(vocabulary.tokens)), -9.0, np.float32)
    frames[:, 0] = -0.1
    for n, token in enumerate(tokens):
        frames[every * n + 1] = -9.0
        frames[every * n + 1, token] = -0.1
    return frames


@pytest.mark.parametrize(
    "vocabulary, tokens, text, words",
    [
        (ENGLISH, [9, 10, 2, 4, 7, 6], "go bed", ["go", "bed"]),
        (ENGLISH, [2, 9, 10, 2, 2, 1, 2], "go", ["go"]),
        (JAPANESE, [2, 3, 4, 1, 5, 6], "今日は晴れ", ["今", "日", "は", "晴", "れ"]),
        (PIECES, [2, 3, 4], "go bed", ["go", "bed"]),
        (UNSPACED_PIECES, [3, 4, 5, 6, 6, 4, 2, 6], "今日は晴れgogoはgo", ["今日", "は", "晴れ", "gogo", "は", "go"]),
        (WORDS, [2, 1, 3], "go bed", ["go", "bed"]),
    ],
)
def test_text_and_words(vocabulary: Vocabulary, tokens: list[int], text: str, words: list[str]) -> None:
    texts = Texts(vocabulary)
    log_probs = spoken(vocabulary, tokens)
    found = texts.hypothesis(
        tokens, np.full(len(tokens), -0.1, np.float32), log_probs, len(log_probs) * 100, words=True
    )
    assert found.text == text and [word.text for word in found.words] == words
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times) and 0 <= times[0] and times[-1] <= len(log_probs) * 100
    assert all(0 < word.confidence <= 1 for word in found.words) and 0 < found.confidence <= 1


def test_words_are_where_they_were_said() -> None:
    log_probs = spoken(ENGLISH, [9, 10, 2, 4, 7, 6])
    found = Texts(ENGLISH).hypothesis(
        [9, 10, 2, 4, 7, 6], np.zeros(6, np.float32), log_probs, len(log_probs) * 100, words=True
    )
    assert [(word.start, word.end) for word in found.words] == [(100, 400), (700, 1200)]


@pytest.mark.parametrize(
    "vocabulary, text, tokens",
    [
        (ENGLISH, "go bed", (9, 10, 2, 4, 7, 6)),
        (ENGLISH, "GO", (9, 10)),
        (ENGLISH, "zoo", None),
        (ENGLISH, "", None),
        (JAPANESE, "晴れ 今日", (5, 6, 2, 3)),
        (WORDS, "go bed", (2, 3)),
    ],
)
def test_a_phrase_is_spelled_in_the_tokens_of_the_model(
    vocabulary: Vocabulary, text: str, tokens: tuple[int, ...] | None
) -> None:
    assert Texts(vocabulary).tokens(text) == tokens


@pytest.fixture(scope="module")
def japanese_pieces(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    """As of a model-zoo model of Japanese: each piece knows whether it begins the utterance."""
    stem = tmp_path_factory.mktemp("pieces") / "bpe"
    texts = ["東京は晴れ", "明日の東京は雨", "雨の京都", "晴れの東京", "京都は晴れ", "明日は雨"]
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 20), model_prefix=str(stem), vocab_size=24, hard_vocab_limit=False, minloglevel=2
    )
    pieces = [line.split("\t")[0] for line in Path(f"{stem}.vocab").read_text(encoding="utf-8").splitlines()[3:]]
    tokens = ("<blank>", "<unk>", *pieces, "<sos/eos>")
    return Vocabulary(tokens, "bpe", f"{stem}.model", 0, len(tokens) - 1, len(tokens) - 1)


def test_a_phrase_without_spaces_is_spelled_inside_a_sentence_too(japanese_pieces: Vocabulary) -> None:
    texts = Texts(japanese_pieces)
    first, inside = texts.spellings("東京")
    assert texts.text(first) == texts.text(inside) == "東京" and first != inside
    assert japanese_pieces.tokens[first[0]].startswith("▁")
    assert not any("▁" in japanese_pieces.tokens[token] for token in inside)
    assert texts.spellings("大阪") == []


def test_which_pieces_go_on_with_a_word(japanese_pieces: Vocabulary) -> None:
    assert [PIECES.tokens[token] for token in np.flatnonzero(Texts(PIECES).inside)] == ["ed"]
    assert not Texts(japanese_pieces).inside.any() and not len(Texts(ENGLISH).inside)


def test_calibration() -> None:
    log_probs = spoken(ENGLISH, [9, 10])
    steep = Calibration(word=(4.0, 0.0, 1.0), utterance=(0.0, 0.0, 0.0))
    found = Texts(ENGLISH, steep).hypothesis([9, 10], np.full(2, -0.1, np.float32), log_probs, 500, words=True)
    assert found.confidence == 0.5
    assert found.words[0].confidence == pytest.approx(1 / (1 + np.exp(-0.6)))
    plain = Texts(ENGLISH).hypothesis([9, 10], np.full(2, -0.1, np.float32), log_probs, 500, words=False)
    assert plain.confidence == pytest.approx(np.exp(-0.1)) and plain.words == ()
    same = Calibration(utterance=(1.0, 1.0, 0.0))
    kept = Texts(ENGLISH, same).hypothesis([9, 10], np.full(2, -0.1, np.float32), log_probs, 500, words=False)
    assert kept.confidence == pytest.approx(np.exp(-0.1))


@pytest.mark.parametrize("curve", [(1e3, 1e3, 0.0), (0.0, 0.0, 1e4), (0.0, 0.0, -1e4)])
def test_no_curve_leads_out_of_range(curve: tuple[float, float, float]) -> None:
    assert all(0 <= calibrated(p, curve) <= 1 for p in (0.0, 0.5, 1.0))


@pytest.mark.parametrize(
    "text, tidied",
    [("  a  b ", "a b"), ("今日 は", "今日は"), ("今日 is 晴れ", "今日is晴れ"), ("ＡＢ です", "ＡＢです")],
)
def test_spaces(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


@pytest.mark.parametrize("vocabulary, separator", [(ENGLISH, " "), (JAPANESE, "")])
def test_a_draft_goes_on_where_the_one_before_ended(vocabulary: Vocabulary, separator: str) -> None:
    """The window begins at 3.0 s; its first half second is left to what was said before."""
    said = [Word(name, start * 1_600, start * 1_600 + 1_600, 0.9) for name, start in (("a", 10), ("b", 31), ("c", 36))]
    new = [Word(name, start * 1_600, start * 1_600 + 1_600, 0.8) for name, start in (("x", 0), ("c", 6), ("d", 20))]
    whole = Texts(vocabulary).continued(said, Hypothesis("x c d", 0.7, tuple(new)), 48_000)
    assert whole.text == separator.join("abcd") and whole.confidence == 0.7
    assert [word.start for word in whole.words] == [16_000, 49_600, 57_600, 80_000]


def test_none_is_surer_than_the_one_before() -> None:
    """Not even one that is surer of its own tokens; what is left out sets no limit."""
    found = [Hypothesis(text, sure) for text, sure in (("a", 0.9), ("b", 0.2), ("", 0.1), ("a", 0.1), ("c", 0.5))]
    best = ranked(found, [-1.0, -1.1, -1.2, -1.3, -1.4])
    assert [(one.text, one.confidence) for one in best] == [("a", 0.9), ("b", 0.2), ("c", 0.2)]
    (first, second) = ranked([found[0], found[4]], [-1.0, -3.0])
    assert first.confidence == 0.9 and second.confidence == pytest.approx(0.9 * np.exp(-2))
