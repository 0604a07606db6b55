"""Where spoken Japanese may hold a number, and how it is written: にじゅうさん is 23, ろくまんさんぜん 6万3000.

Only the sounds are judged here: せんだい may be 仙台, じゅうじ 従事. What was meant is decided by the words around it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_VALUES = {"いち": 1, "いっ": 1, "に": 2, "さん": 3, "よん": 4, "よ": 4, "し": 4, "ご": 5, "ろく": 6, "ろっ": 6}
_VALUES |= {"なな": 7, "しち": 7, "はち": 8, "はっ": 8, "きゅう": 9, "く": 9, "ぜろ": 0, "れい": 0}
_TIMES = "いっ|に|さん|よん|ご|ろく|ろっ|なな|はち|はっ|きゅう"
_PLACES = {  # さんぜん, but ごせん: ごぜん is no number
    1000: re.compile(f"({_TIMES})?せん|(さん)ぜん"),
    100: re.compile(f"({_TIMES})?ひゃく|(さん)びゃく|(ろっ|はっ)ぴゃく"),
    10: re.compile(f"({_TIMES}|しち)?(?:じゅう|じゅっ|じっ)"),
    1: re.compile("(いち|いっ|に|さん|よん|よ|しち|し|ご|ろく|ろっ|なな|はち|はっ|きゅう|く)"),
}
_MYRIADS = (("おく", "億"), ("まん", "万"), ("", ""))
_DIGIT = re.compile("ぜろ|れい|いち|に|さん|よん|ご|ろく|なな|はち|きゅう")
_DIGITS = re.compile(f"(?:{_DIGIT.pattern}){{3,}}")
_FIRST = re.compile(f"(?={_DIGIT.pattern}|{_TIMES}|よ|し|く|せん|ひゃく|じゅ|じっ)")
_HALVES = {"ごぜん": "午前", "ごご": "午後", "": ""}  # of the day
_DAYS = "ついたち ふつか みっか よっか いつか むいか なのか ようか ここのか とおか".split()
_SPOKEN_DAYS = dict(zip(_DAYS, range(1, 11), strict=True)) | {"とうか": 10, "はつか": 20}
_SPOKEN_DAYS |= {"じゅうよっか": 14, "にじゅうよっか": 24}


@dataclass(frozen=True)
class Number:
    """Kana from `begin` to `end`, and how they are written."""

    begin: int
    end: int
    written: str
    words: int  # of it
    moment: bool = False  # a time or date, which stands in a sentence as other words do


@dataclass(frozen=True)
class _Count:
    """A number below ten thousand as far as it was read."""

    end: int
    value: int
    words: int


def numbers(kana: str) -> Iterator[Number]:
    """Those that may be there, by where they begin; of each the longest and the one before it.

    Single digits only in times and dates: the dictionary knows those.
    """
    for at in (match.start() for match in _FIRST.finditer(kana)):
        found = [*_times(kana, at), *_dates(kana, at)]
        if "ごご" not in (kana[at : at + 2], kana[max(0, at - 1) : at + 1]):  # 午後 rather than 55
            found += [*_digits(kana, at), *_myriads(kana, at, Number(at, at, "", 0), _MYRIADS)]
        yield from sorted(found, key=lambda one: -one.end)[:2]


def _times(kana: str, at: int) -> Iterator[Number]:
    """A time of day; an hour by itself counts for a word more, for じ may be 字."""
    half = next(half for half in _HALVES if kana.startswith(half, at))
    for hour in _counts(kana, at + len(half)):
        after = hour.end + 1
        if hour.value > 24 or kana[hour.end : after] != "じ":
            continue
        written, words = f"{_HALVES[half]}{hour.value}時", hour.words
        yield Number(at, after, written, words + (not half), moment=True)
        if kana.startswith("はん", after):
            yield Number(at, after + 2, f"{written}半", words, moment=True)
        for minute in _counts(kana, after):
            if minute.value < 60 and kana[minute.end : minute.end + 2] in ("ふん", "ぷん"):
                yield Number(at, minute.end + 2, f"{written}{minute.value}分", words + minute.words, moment=True)


def _dates(kana: str, at: int) -> Iterator[Number]:
    for month in _counts(kana, at):
        after = month.end + 2
        if month.value <= 12 and kana.startswith("がつ", month.end):
            yield Number(at, after, f"{month.value}月", month.words, moment=True)
            for name, day in _SPOKEN_DAYS.items():
                if kana.startswith(name, after):
                    yield Number(at, after + len(name), f"{month.value}月{day}日", month.words + 1, moment=True)
    for name in ("じゅうよっか", "にじゅうよっか"):
        if kana.startswith(name, at):
            yield Number(at, at + len(name), f"{_SPOKEN_DAYS[name]}日", 2, moment=True)


def _digits(kana: str, at: int) -> Iterator[Number]:
    """One digit after the other, as of a telephone; the last of them may be a word of its own."""
    if match := _DIGITS.match(kana, at):
        spoken = _DIGIT.findall(match[0])
        for count in {len(spoken), max(3, len(spoken) - 1)}:
            end = at + len("".join(spoken[:count]))
            yield Number(at, end, "".join(str(_VALUES[digit]) for digit in spoken[:count]), count)


def _myriads(kana: str, at: int, read: Number, myriads: Sequence[tuple[str, str]]) -> Iterator[Number]:
    """What goes on here after `read`, to the end of each of its words."""
    for count in _counts(kana, at):
        for n, (name, sign) in enumerate(myriads):
            if not kana.startswith(name, count.end):
                continue
            written, words = f"{read.written}{count.value}{sign}", read.words + count.words + bool(sign)
            found = Number(read.begin, count.end + len(name), written, words)
            if len(written) > 1:
                yield found
            if sign:
                yield from _myriads(kana, found.end, found, myriads[n + 1 :])


def _counts(kana: str, at: int) -> Iterator[_Count]:
    """A number below ten thousand to the end of each of its words."""
    value = words = 0
    for unit, pattern in _PLACES.items():
        if match := pattern.match(kana, at):
            times = next(filter(None, match.groups()), None)
            value, words, at = value + unit * (_VALUES[times] if times else 1), words + 1, match.end()
            yield _Count(at, value, words)
