"""Spoken numbers become digits; words that only sound like numbers stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.numerals import pieces

ONES = ["", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう"]
HUNDREDS = [
    "",
    "ひゃく",
    "にひゃく",
    "さんびゃく",
    "よんひゃく",
    "ごひゃく",
    "ろっぴゃく",
    "ななひゃく",
    "はっぴゃく",
    "きゅうひゃく",
]
THOUSANDS = ["", "せん", "にせん", "さんぜん", "よんせん", "ごせん", "ろくせん", "ななせん", "はっせん", "きゅうせん"]


def said(number: int) -> str:
    """A number below ten thousand as it is read."""
    tens = ("" if number // 10 % 10 == 1 else ONES[number // 10 % 10]) + "じゅう" if number // 10 % 10 else ""
    return THOUSANDS[number // 1000] + HUNDREDS[number // 100 % 10] + tens + ONES[number % 10]


def written(kana: str) -> str:
    return "".join(piece.written for piece in pieces(kana))


@given(st.integers(11, 9_999).filter(lambda number: number % 1000 and str(number).strip("0")[1:]))
def test_every_compound_number_before_a_counter(number: int) -> None:
    assert written(f"あと{said(number)}えん") == f"あと{number}えん"


@given(st.integers(1, 9_999), st.integers(1, 9_999))
def test_ten_thousands(high: int, low: int) -> None:
    assert written(f"{said(high)}まん{said(low)}えん") == f"{high}万{low}えん"


@given(st.text("あいうえごしじゅうさんにまつりひゃくせんろくはちなー", max_size=30))
def test_nothing_is_lost(kana: str) -> None:
    found = list(pieces(kana))
    assert "".join(piece.kana for piece in found) == kana
    assert all(piece.written == piece.kana or any(c.isdigit() for c in piece.written) for piece in found)


@pytest.mark.parametrize(
    "kana, text",
    [
        ("ごごじゅうにじはん", "ごご12じはん"),
        ("にじゅうよっかはやすみ", "24日はやすみ"),
        ("じゅうくにち", "19日"),
        ("ぜろろくきゅうぜろいち", "06901"),
        ("ぜろさんろく", "036"),
        ("じゅっぷんまつ", "10ぷんまつ"),
    ],
)
def test_dates_times_and_telephones(kana: str, text: str) -> None:
    assert written(kana) == text


@pytest.mark.parametrize(
    "kana",
    [
        "じゅうにんがすむ",
        "じゅうぶんじゅうよう",
        "じゅうしする",
        "にじゅうのいみ",
        "せんにもどる",
        "にしさんご",
        "まんなか",
        "さんじ",
    ],
)
def test_words_that_sound_like_numbers(kana: str) -> None:
    assert written(kana) == kana
