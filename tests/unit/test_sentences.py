"""The grammars: varied, readable by their synthesiser, and the same for the same seed."""

from types import ModuleType

import numpy as np
import pytest

from recognizer.kana import reading
from training.sentences import en, ja
from training.voices.english import SPEAKABLE, named_letters


@pytest.mark.parametrize("grammar", [en, ja], ids=["en", "ja"])
def test_thousands_of_different_sentences(grammar: ModuleType) -> None:
    made = list(grammar.sentences(3_000, np.random.default_rng(1)))
    assert len(set(made)) == 3_000
    assert made == list(grammar.sentences(3_000, np.random.default_rng(1)))
    assert len(set(" ".join(made).split())) > 200


def test_each_can_be_read_aloud() -> None:
    rng = np.random.default_rng(2)
    assert all(SPEAKABLE.fullmatch(sentence) for sentence in en.sentences(500, rng))
    assert all(reading(sentence) for sentence in ja.sentences(500, rng))


@pytest.mark.parametrize(
    "number, text",
    [
        (0, "zero"),
        (42, "forty two"),
        (100, "one hundred"),
        (718, "seven hundred and eighteen"),
        (31_005, "thirty one thousand five"),
    ],
)
def test_numbers_in_words(number: int, text: str) -> None:
    assert en.spelled(number) == text


def test_codes_are_letters_and_numbers_that_may_come_again() -> None:
    made = list(en.codes(2_000, np.random.default_rng(3)))
    assert made == list(en.codes(2_000, np.random.default_rng(3)))
    assert all(SPEAKABLE.fullmatch(code) for code in made)
    assert {"Yes.", "Oh.", "Seven.", "S Y D N E Y."} <= set(made)
    assert sum(len(code) == 2 or " " in code for code in made) > 1_500
    assert len(set(made)) > 1_000


def test_japanese_names_hold_every_mora_and_are_read_as_written() -> None:
    made = list(ja.codes(1_000, np.random.default_rng(3)))
    assert made == list(ja.codes(1_000, np.random.default_rng(3)))
    assert all(any(mora in text for text in made) for mora in ja.MORAE)
    assert all(len(reading(text) or "") >= 2 for text in made)
    assert reading("ツァグーヴァです") == "つぁぐーゔぁです"


@pytest.mark.parametrize(
    "text, named",
    [
        ("A B A seven.", "a B a seven."),
        ("Enter E A.", "Enter E a."),
        ("James A. Garfield", "James a. Garfield"),
        ("A dog, a cat and A Tale of Two Cities.", "A dog, a cat and A Tale of Two Cities."),
    ],
)
def test_the_letter_a_is_no_article(text: str, named: str) -> None:
    assert named_letters(text).replace("[A](/ˈA/)", "a") == named
