"""Numbers spoken in Japanese -> digits: にじゅうさん is 23, ろくまんさんぜん is 6万3000, ぜろさんろく is 036."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_VALUES = {"いち": 1, "いっ": 1, "に": 2, "さん": 3, "よん": 4, "よ": 4, "し": 4, "ご": 5, "ろく": 6, "ろっ": 6}
_VALUES |= {"なな": 7, "しち": 7, "はち": 8, "はっ": 8, "きゅう": 9, "く": 9, "ぜろ": 0, "れい": 0}
_TIMES = "(いっ|に|さん|よん|ご|ろく|ろっ|なな|はち|はっ|きゅう)?"
_UNITS = rf"(?:{_TIMES}([せぜ]ん))?(?:{_TIMES}([ひびぴ]ゃく))?(?:{_TIMES}(じゅう|じゅっ|じっ))?"
_ONES = "(いち|いっ|に|さん|よん|よ|し|ご|ろく|ろっ|なな|しち|はち|はっ|きゅう|く)?"
_NUMBER = re.compile(rf"(?:{_UNITS}{_ONES}(まん))?{_UNITS}{_ONES}")
_DAY = re.compile(rf"{_TIMES}じゅう(よっか|くにち)")
_DIGITS = re.compile("(?:ぜろ|れい|いち|に|さん|よん|ご|ろく|なな|はち|きゅう){3,}")
_DIGIT = re.compile("ぜろ|れい|いち|に|さん|よん|ご|ろく|なな|はち|きゅう")
_COUNTER = re.compile(
    "がつ|にち|えん|ねん|じ(?!ゅ)|[ふぷ]ん|びょう|ど|にん|[ほぼぽ]ん|まい|こ(?!と)|さつ|[かが]い|だい|さい|ばん|ぱーせんと|めーとる"
    "|きろ|ぺーじ|しゅうかん|じかん|かげつ|[はばぱ]い|[ひびぴ]き|ぐらむ|せんち|てん|です|でした"
)
_AFTER_TEN = re.compile("ぷん|ぱーせんと|びょう|えん|がつ")  # after a bare ten: じゅうにん may be 住人
_MISTAKABLE = ("に", "し", "よ", "く", "ご", "いっ", "はっ", "ろっ")  # as ones: also particles and beginnings of words


@dataclass(frozen=True)
class Piece:
    """A part of the kana and how it is written; the same where it is no number."""

    kana: str
    written: str


def pieces(kana: str) -> Iterator[Piece]:
    """The whole text in order."""
    at = begin = 0
    while at < len(kana):
        found = _digits(kana, at) or _day(kana, at) or _number(kana, at)
        if found is None:
            at += 1
            continue
        if begin < at:
            yield Piece(kana[begin:at], kana[begin:at])
        yield found
        at = begin = at + len(found.kana)
    if begin < at:
        yield Piece(kana[begin:], kana[begin:])


def _digits(kana: str, at: int) -> Piece | None:
    """A telephone number: four digits in a row, or three with a zero among them."""
    match = _DIGITS.match(kana, at)
    if match is None or _COUNTER.match(kana, match.end() - 1):
        return None
    spoken = _DIGIT.findall(match[0])
    if len(spoken) == 3 and not {"ぜろ", "れい"} & set(spoken):
        return None
    return Piece(match[0], "".join(str(_VALUES[digit]) for digit in spoken))


def _day(kana: str, at: int) -> Piece | None:
    """14 日 and 24 日 have readings of their own."""
    match = _DAY.match(kana, at)
    if match is None:
        return None
    tens = 10 * _times(match[1])
    return Piece(match[0], f"{tens + 4}日" if match[2] == "よっか" else f"{tens + 9}日")


def _number(kana: str, at: int) -> Piece | None:
    match = _NUMBER.match(kana, at)
    if match is None or not match[0] or kana[at - 1 : at + 1] == "ごご":  # 午後
        return None
    groups = list(match.groups())
    end = match.end()
    counted = _COUNTER.match(kana, end) is not None
    if groups[14] in _MISTAKABLE and not counted:
        end -= len(groups[14])
        groups[14] = None
        counted = _COUNTER.match(kana, end) is not None
    if not _certain(groups, counted, kana, end):
        return None
    high, low = _value(groups[:7]) if groups[7] else 0, _value(groups[8:])
    written = (f"{high}万" if high else "") + (str(low) if low or not high else "")
    return Piece(kana[at:end], written)


def _certain(groups: list[str | None], counted: bool, kana: str, end: int) -> bool:
    """Two parts make a number; what is one word by itself may be any other word."""
    thousand, hundred, ten = groups[9], groups[11], groups[13]
    high, ones = groups[7], groups[14]
    multiplied = groups[8] or groups[10] or groups[12]
    parts = sum(part is not None for part in (high, thousand, hundred, ten, ones, multiplied))
    if not (thousand or hundred or ten):
        return bool(high and ones and counted)
    if parts == 1:
        return bool(ten) and _AFTER_TEN.match(kana, end) is not None
    if ten and not (high or thousand or hundred or ones):
        return groups[12] != "に" or counted  # にじゅう is also 二重
    return bool(ten or hundred or high) or counted


def _value(groups: list[str | None]) -> int:
    """Seven groups: times and unit of thousand, hundred and ten, then ones."""
    tens = sum(_times(groups[n]) * unit for n, unit in ((0, 1000), (2, 100), (4, 10)) if groups[n + 1] is not None)
    return tens + (_VALUES[groups[6]] if groups[6] else 0)


def _times(factor: str | None) -> int:
    return 1 if factor is None else _VALUES[factor]
