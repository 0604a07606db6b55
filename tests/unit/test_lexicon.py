"""Words in the beam: what a tree of letters and a model of words score together, whatever the tokens are cut like."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from recognizer.base import ModelError
from recognizer.decoding.ctc import prefix_beam
from recognizer.decoding.lexicon import LETTER, UNKNOWN, WANTED, lexicon
from recognizer.decoding.ngram import NGram, follow, load
from recognizer.decoding.ngram_scores import told_next
from recognizer.decoding.phrases import build
from training.backoff import arrays
from training.words import learned

TOKENS = ("<blank>", "<unk>", "▁a", "▁", "a", "b", "c", "▁ab", "bc", "<sos/eos>")
BLANK, EOS = 0, 9
WORDS = ["a", "ab", "abc", "b", "ca"]
END = len(WORDS)
TEXTS = [["a", "ab"], ["ab", "abc"], ["ab", "abc"], ["b"], ["ca", "a", "ab"], ["a", "b"], ["a", "b"]]
REWARD = 0.5


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory) -> NGram:
    path = tmp_path_factory.mktemp("words") / "ngram.npz"
    model = learned([[WORDS.index(word) for word in text] for text in TEXTS], END)
    np.savez(path, **arrays(model, WORDS))  # type: ignore[arg-type]
    return load(path, EOS, 1.0, TOKENS, REWARD)


def told(ngram: NGram, *tokens: str, phrase: tuple[str, ...] = ()) -> float:
    graph = build([(tuple(map(TOKENS.index, phrase)), 1.0)] if phrase else [])
    context, state, total = np.array([ngram.begin]), graph.start, 0.0
    for token in map(TOKENS.index, tokens):
        contexts, scores, _ = told_next(context, np.array([state]), np.array([[token]]), graph, ngram)
        context, state, total = contexts[0], graph.after(state, token), total + float(scores[0, 0])
    return total + float(told_next(context, np.array([state]), np.zeros((1, 0), np.int64), graph, ngram)[2][0])


def expected(words: list[str]) -> float:
    """By the definition: back-off from the last two words."""
    model = learned([[WORDS.index(word) for word in text] for text in TEXTS], END)
    row = [END, *(WORDS.index(word) for word in words), END]
    score = float(model.after_one(np.array([row[:2]]))[0])
    for at in range(2, len(row)):
        score += float(model.after_two(np.array([row[at - 2 : at + 1]]))[0])
    return score + REWARD * len(words)


@pytest.mark.parametrize(
    "tokens, words",
    [
        (("▁a",), ["a"]),
        (("▁ab", "▁a", "bc"), ["ab", "abc"]),
        (("▁a", "b", "▁", "a", "b", "c"), ["ab", "abc"]),
        (("▁", "c", "a", "▁a", "▁ab"), ["ca", "a", "ab"]),
        ((), []),
    ],
)
def test_words_score_the_same_however_they_are_spelled(ngram: NGram, tokens: tuple[str, ...], words: list[str]) -> None:
    assert told(ngram, *tokens) == pytest.approx(expected(words), abs=0.15)  # scores are rounded where they are stored


def test_a_word_that_is_not_known_costs_its_letters(ngram: NGram) -> None:
    left, extended = told(ngram, "▁", "c", "b", "b"), told(ngram, "▁", "c", "b", "b", "b")
    assert left < UNKNOWN / 2 and extended - left == pytest.approx(LETTER)
    assert told(ngram, "▁", "c") < UNKNOWN / 2, "the beginning of a word is no word"
    wanted = told(ngram, "▁", "c", "b", phrase=("▁", "c", "b"))
    assert told(ngram, "▁", "c", "b") + 15 < wanted, "a phrase may be no word"


def test_the_price_of_an_open_word_is_that_of_the_likeliest_it_may_become(ngram: NGram) -> None:
    known, scores = ngram.lexicon, np.arange(END, dtype=np.float32)
    tree = lexicon(WORDS, scores, TOKENS, 0.0)
    beginnings = {word[:length] for word in WORDS for length in range(1, len(word) + 1)}
    assert len(tree.words) == len(known.words) == 1 + len(beginnings)
    best = {b: max(scores[n] for n, word in enumerate(WORDS) if word.startswith(b)) for b in beginnings}
    assert sorted(tree.best[1:].tolist()) == sorted(map(float, best.values()))


def test_the_beam_finds_words_where_letters_alone_say_something_else(ngram: NGram) -> None:
    log_probs = np.full((6, len(TOKENS)), -9.0, np.float32)
    log_probs[:, BLANK] = -0.01
    for frame, heard, close in ((0, "▁ab", "▁a"), (2, "▁a", "▁"), (4, "c", "bc")):
        log_probs[frame] = -9.0
        log_probs[frame, TOKENS.index(heard)], log_probs[frame, TOKENS.index(close)] = -0.4, -1.5
    best = {weight: prefix_beam(log_probs, 20, BLANK, EOS, build([]), weighted(ngram, weight))[0] for weight in (0, 1)}
    assert [TOKENS[token] for token in best[0].tokens] == ["▁ab", "▁a", "c"]
    assert [TOKENS[token] for token in best[1].tokens] == ["▁ab", "▁a", "bc"]


def test_the_last_word_of_a_draft_may_have_only_begun(ngram: NGram) -> None:
    log_probs = np.full((4, len(TOKENS)), -9.0, np.float32)
    log_probs[:, BLANK] = -0.01
    for frame, token in ((0, "▁"), (2, "c")):  # of "ca"
        log_probs[frame] = -9.0
        log_probs[frame, TOKENS.index(token)] = -0.1
    begun = tuple(TOKENS.index(token) for token in ("▁", "c"))
    nothing = build([])
    assert prefix_beam(log_probs, 20, BLANK, EOS, nothing, ngram, ended=False)[0].tokens == begun
    assert prefix_beam(log_probs, 20, BLANK, EOS, nothing, ngram)[0].tokens != begun


def weighted(ngram: NGram, weight: float) -> NGram | None:
    return ngram if weight else None


def test_a_phrase_need_not_be_a_word(ngram: NGram) -> None:
    name = tuple(TOKENS.index(token) for token in ("▁", "c", "c"))
    log_probs = np.full((7, len(TOKENS)), -9.0, np.float32)
    log_probs[:, BLANK] = -0.01
    for frame, token in zip((0, 2, 5), name, strict=True):
        log_probs[frame] = -9.0
        log_probs[frame, token] = -0.1
    found = {
        boost: prefix_beam(log_probs, 20, BLANK, EOS, build([(name, boost)] if boost else []), ngram)[0]
        for boost in (0.0, 6.0)
    }
    assert found[0.0].tokens != name and found[6.0].tokens == name
    assert 3 * WANTED <= found[6.0].ngram < 0


def test_every_state_can_be_walked(ngram: NGram) -> None:
    assert ngram.sound
    for tokens in itertools.product(range(2, EOS), repeat=3):
        state = ngram.begin
        for token in tokens:
            state, score = follow(state, token, False, False, ngram.arrays)
            assert np.isfinite(score) and 0 <= state // (len(ngram.lexicon.words) + 1) < len(ngram.fails)


@pytest.mark.parametrize("label", [-1, END + 1])
def test_a_file_whose_labels_are_no_words_is_damaged(label: int, tmp_path: Path) -> None:
    path = tmp_path / "ngram.npz"
    stored = arrays(learned([[WORDS.index(word) for word in text] for text in TEXTS], END), WORDS)
    stored["labels"][0] = label  # the others are told by their distance from it
    np.savez(path, **stored)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"n-gram model ngram\.npz is damaged"):
        load(path, EOS, 1.0, TOKENS, REWARD)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("beam", [2, 5, 12])
def test_what_is_not_followed_would_not_have_been_kept(ngram: NGram, seed: int, beam: int) -> None:
    """A phrase, here one that nobody can say, lets the beam follow everything."""
    logits = np.random.default_rng(seed).normal(0, 3, (15, len(TOKENS)))
    logits[:, [BLANK, EOS]] += [3.0, -12.0]
    log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    log_probs[:, 1] = -1e30
    patient, quick = (prefix_beam(log_probs, beam, BLANK, EOS, build(said), ngram) for said in ([((1,), 1.0)], []))
    assert quick == patient
