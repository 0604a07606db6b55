"""Every number that is said is among those that may be there; what was meant is decided elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.numerals import numbers

ONES = ["", "いち", "に", "さん", "よん", "ご", "ろく", "なな", "はち", "きゅう"]
HUNDREDS = "- ひゃく にひゃく さんびゃく よんひゃく ごひゃく ろっぴゃく ななひゃく はっぴゃく きゅうひゃく".split()
THOUSANDS = "- せん にせん さんぜん よんせん ごせん ろくせん ななせん はっせん きゅうせん".split()


def said(number: int) -> str:
    """A number below ten thousand as it is read."""
    tens = ("" if number // 10 % 10 == 1 else ONES[number // 10 % 10]) + "じゅう" if number // 10 % 10 else ""
    return f"{THOUSANDS[number // 1000]}{HUNDREDS[number // 100 % 10]}{tens}{ONES[number % 10]}".replace("-", "")


def found(kana: str) -> dict[str, str]:
    return {kana[one.begin : one.end]: one.written for one in numbers(kana)}


@given(st.integers(10, 9_999))
def test_every_number_of_more_than_one_digit(number: int) -> None:
    assert found(f"あと{said(number)}えん")[said(number)] == str(number)


@given(st.integers(1, 9_999), st.integers(1, 9_999))
def test_ten_thousands(high: int, low: int) -> None:
    kana = f"{said(high)}まん{said(low)}"
    assert found(f"{kana}えん")[kana] == f"{high}万{low}"


@given(st.integers(1, 23), st.integers(1, 59), st.sampled_from([("", ""), ("ごぜん", "午前"), ("ごご", "午後")]))
def test_times_of_day(hour: int, minute: int, half: tuple[str, str]) -> None:
    kana = f"{half[0]}{said(hour)}じ{said(minute)}ふん"
    moments = [one for one in numbers(f"あした{kana}に") if one.moment]
    assert f"{half[1]}{hour}時{minute}分" in [one.written for one in moments]


@given(st.text("あいうえごしじゅうさんにまつりひゃくせんろくはちなーぜがよっか", max_size=30))
def test_each_is_a_part_of_what_was_heard(kana: str) -> None:
    begin = 0
    for one in numbers(kana):
        assert begin <= one.begin < one.end <= len(kana) and one.words > 0
        assert any(c.isdigit() for c in one.written)
        begin = one.begin


@pytest.mark.parametrize(
    "kana, heard, written",
    [
        ("ごごじゅうにじはん", "ごごじゅうにじはん", "午後12時半"),
        ("じゅうじごろ", "じゅうじ", "10時"),
        ("しちがつななにち", "しちがつ", "7月"),
        ("くがつとおかに", "くがつとおか", "9月10日"),
        ("じゅういちがつはつかに", "じゅういちがつはつか", "11月20日"),
        ("にじゅうよっかはやすみ", "にじゅうよっか", "24日"),
        ("いちおくさんぜんまんえん", "いちおくさんぜんまん", "1億3000万"),
        ("ぜろろくきゅうぜろいち", "ぜろろくきゅうぜろいち", "06901"),
        ("ばんごうはいちにさんにです", "いちにさん", "123"),
        ("じゅっぷんまつ", "じゅっ", "10"),
    ],
)
def test_dates_times_and_telephones(kana: str, heard: str, written: str) -> None:
    assert found(kana)[heard] == written


@pytest.mark.parametrize(
    "kana", ["ごぜんちゅう", "ごごのてんき", "まんなか", "ごはんとしお", "よごれ", "にしさんご", ""]
)
def test_words_that_are_no_numbers(kana: str) -> None:
    assert found(kana) == {}


def test_of_those_that_begin_together_the_longest_comes_first() -> None:
    assert [one.written for one in numbers("せんひゃくにじゅうし") if not one.begin] == ["1124", "1120"]
