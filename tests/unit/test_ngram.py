"""The n-gram model of a recipe's texts, and the CTC beam that it guides."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.base import ModelError
from recognizer.decoding.ctc import prefix_beam
from recognizer.decoding.ngram import NGram, follow, load, nothing, walk
from recognizer.decoding.phrases import build
from tests.unit.test_ctc import BLANK, EOS, all_readings, random_log_probs
from training.ngram import Estimates, automaton, counts, texts
from training.prompts import Prompt, codes, letter_by_letter
from training.recipe import Recipe

VOCABULARY = 5
TEXTS = ((1, 2, 3), (1, 2, 3), (1, 2), (2, 3, 1, 2), (3, 3, 1), (1,), (2, 1, 2, 3))


def estimated(order: int) -> Estimates:
    return Estimates(counts(TEXTS, order, EOS, EOS), VOCABULARY)


def model(folder: Path, order: int = 3, weight: float = 1.0) -> NGram:
    path, arrays = folder / "ngram.npz", automaton(estimated(order), EOS)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return load(path, EOS, weight)


def thought(ngram: NGram, text: tuple[int, ...]) -> float:
    """Unweighted, the end included."""
    state, total = ngram.begin, 0.0
    for token in (*text, EOS):
        state, score = follow(state, token, False, False, ngram.arrays)
        total += score
    return total


def test_short_ngrams_count_what_comes_before_them() -> None:
    by_length = counts([(1, 2), (1, 2), (3, 2)], 2, EOS, EOS)
    assert by_length[2] == {(EOS, 1): 2, (1, 2): 2, (2, EOS): 3, (EOS, 3): 1, (3, 2): 1}
    assert by_length[1] == {(1,): 1, (2,): 2, (EOS,): 1, (3,): 1}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_what_may_follow_adds_up_to_one(order: int) -> None:
    found = estimated(order)
    for context in itertools.chain([()], itertools.product(range(VOCABULARY), repeat=2)):
        total = sum(np.exp(found.score(context, token)) for token in range(VOCABULARY))
        assert total == pytest.approx(1.0, abs=1e-6)
    assert found.score((EOS,), 1) > found.score((EOS,), 3) > found.score((EOS,), 0)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_automaton_says_what_was_estimated(order: int, tmp_path: Path) -> None:
    found, ngram = estimated(order), model(tmp_path, order)
    for text in itertools.product((1, 2, 3), repeat=4):
        state = ngram.start
        row: tuple[int, ...] = (EOS,)
        for token in text:
            state, score = walk(state, token, ngram.contexts)
            assert score == pytest.approx(found.score(row[-(order - 1) :] if order > 1 else (), token), abs=0.01)
            row = (*row, token)


def test_it_reads_codes_and_spelled_words_that_nobody_spoke(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = {"words": [], "sentences": [Prompt("S", "It's here.", "sentence")], "codes": list(codes("en", 2, 7))}
    monkeypatch.setattr("training.ngram.prompts", lambda _: spoken)
    monkeypatch.setattr("training.ngram.recordings", lambda _: [])
    data = {"lang": "en", "corpora": [], "seed": 7}
    prompted = list(texts(Recipe("x", data, [], {}, {})))
    more = list(texts(Recipe("x", data | {"ngram_codes": 50, "spelled_words": 300}, [], {}, {})))
    assert prompted[0] == "it's here" and len(prompted) == 3
    assert more[:5] == prompted + prompted[1:], "the same codes, and more of them"
    assert len(more[:53]) == 53 and more[53:] == list(letter_by_letter(300))


def test_words_of_three_letters_or_more_are_spelled() -> None:
    found = list(letter_by_letter(2_000))
    assert {"t h e", "j o h n"} <= set(found) and 1_500 < len(found) < 2_000
    assert all(len(letter) == 1 and letter.isascii() for word in found for letter in word.split())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_wide_beam_finds_the_best_of_both_scores(
    tmp_path_factory: pytest.TempPathFactory, seed: int, frames: int
) -> None:
    ngram = model(tmp_path_factory.mktemp("model"), weight=0.7)
    log_probs = random_log_probs(seed, frames)
    readings = all_readings(log_probs)
    told = {text: 0.7 * thought(ngram, text) for text in readings}
    found = prefix_beam(log_probs, 500, BLANK, EOS, build([]), ngram)
    ranked = [one.score + one.ngram for one in found]
    assert ranked[0] == pytest.approx(max(score + told[text] for text, score in readings.items()), abs=1e-4)
    assert ranked == sorted(ranked, reverse=True)
    for one in found:
        assert (one.score, one.ngram) == pytest.approx((readings[one.tokens], told[one.tokens]), abs=1e-4)


def test_one_that_knows_nothing_changes_nothing() -> None:
    log_probs = random_log_probs(1, 12)
    assert prefix_beam(log_probs, 8, BLANK, EOS, build([]), nothing(EOS)) == prefix_beam(
        log_probs, 8, BLANK, EOS, build([])
    )
    assert {one.ngram for one in prefix_beam(log_probs, 8, BLANK, EOS, build([]))} == {0.0}


@pytest.mark.parametrize("part, value", [("targets", 99), ("fails", 1), ("first", 99), ("start", 99)])
def test_a_damaged_file_is_not_walked(part: str, value: int, tmp_path: Path) -> None:
    path, arrays = tmp_path / "ngram.npz", automaton(estimated(3), EOS)
    arrays[part] = np.full_like(arrays[part], value)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"n-gram model ngram\.npz is damaged"):
        load(path, EOS, 1.0)


def test_a_broken_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "ngram.npz"
    path.write_bytes(b"no arrays")
    with pytest.raises(ModelError, match=r"n-gram model ngram\.npz cannot be read"):
        load(path, EOS, 1.0)
