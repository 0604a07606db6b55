"""Kana become ordinary Japanese: what is a number and what a word, the words around it decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.conversion import Converter


@pytest.fixture(scope="module")
def converter() -> Converter:
    return Converter()


def written(converter: Converter, kana: str) -> str:
    return "".join(segment.written for segment in converter.segments(kana))


@pytest.mark.parametrize(
    "kana, text",
    [
        ("ごぜんはちじになりたくうこうで", "午前8時に成田空港で"),
        ("あさじゅうじじゅうごふんにでます", "朝10時15分に出ます"),
        ("しがつよっかのよじにかえります", "4月4日の4時に帰ります"),
        ("くがつここのかくじじゅっぷん", "9月9日9時10分"),
        ("にせんにじゅうろくねんじゅういちがつにじゅうににち", "2026年11月22日"),
        ("じゅうにまんきゅうせんろっぴゃくごじゅうえん", "12万9650円"),
        ("こうすいかくりつはひゃくぱーせんとです", "降水確率は100%です"),
        ("でんわばんごうはぜろさんろくななはちきゅうです", "電話番号は036789です"),
        ("じゅっぷんまって", "10分待って"),
    ],
)
def test_numbers_dates_and_times(converter: Converter, kana: str, text: str) -> None:
    assert written(converter, kana) == text


@pytest.mark.parametrize(
    "kana, text",
    [
        ("せんだいにすんでいます", "仙台に住んでいます"),
        ("すみませんじゅうでんきをさがしてください", "すみません充電器を探してください"),
        ("しみずさんじゅうしょをおしえてください", "清水さん住所を教えてください"),
        ("のうぎょうにじゅうじする", "農業に従事する"),
        ("じゅうぶんじゅうような", "十分重要な"),
        ("じゅうにんがすむ", "住人が住む"),
        ("にじゅうのいみ", "二重の意味"),
        ("せんにもどる", "線に戻る"),
        ("まんなかにおく", "真ん中に置く"),
        ("じゅうしする", "重視する"),
        ("くじをひく", "くじを引く"),
        ("よじじゅくご", "四字熟語"),
        ("ごじゅうのとう", "五重塔"),
    ],
)
def test_words_that_sound_like_numbers(converter: Converter, kana: str, text: str) -> None:
    assert written(converter, kana) == text


def test_a_number_is_one_segment(converter: Converter) -> None:
    segments = converter.segments("いちがつにじゅうよっかにこんぴゅーたーをろくじゅうさんまんごえんでかった")
    assert ("ろくじゅうさんまんご", "63万5") in [(one.kana, one.written) for one in segments]


@given(
    st.lists(
        st.sampled_from("さん じゅう にち がつ く よん ひゃく じ はん ごご に せん だい か ん っ ー は".split()),
        max_size=12,
    )
)
def test_nothing_is_lost(converter: Converter, parts: list[str]) -> None:
    kana = "".join(parts)
    assert "".join(segment.kana for segment in converter.segments(kana)) == kana


def test_a_number_costs_no_more_for_each_of_its_digits(converter: Converter) -> None:
    short, long = (
        converter.log_prob(f"あめが{days}にちつづいた") for days in ("さんじゅう", "せんにひゃくさんじゅうよん")
    )
    assert short - 10 < long < short < 0


def test_homophones_keep_the_numbers(converter: Converter) -> None:
    found = converter.homophones("はしをじゅうにかいわたる", 5)
    assert len(found) == len(set(found)) > 1 and all("12" in text for text in found)
