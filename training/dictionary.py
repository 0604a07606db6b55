"""Words of the dictionary that Open JTalk divides texts with (NAIST-jdic and words of UniDic), as they are read, and as
often as they are met.

MeCab's compiled format: a header, a double array of the written forms, 16 bytes for each entry, then what is known of
the entries as lines of CSV that end with a zero byte (mecab.github.io, `dictionary.cpp`).
"""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from math import sqrt
from pathlib import Path

from recognizer.kana import hiragana, reading

HEADER = struct.Struct("<10I32s")  # the seventh number is the length of the double array, the eighth of the entries
ENTRY = struct.Struct("<HHHhII")  # the fourth is the cost, less for likely words; the fifth where the line begins
READING = 7  # column of a line: in katakana
SAID_ALONE = (
    "名詞,一般", "名詞,サ変接続", "名詞,形容動詞語幹", "名詞,副詞可能", "名詞,代名詞",
    "動詞,自立", "形容詞,自立", "副詞", "連体詞", "接続詞", "感動詞",
)  # fmt: skip
ONCE = 1e-7  # share of all words, of one that counts once; what is met a hundred times as often counts ten times


def entries(path: Path) -> Iterator[tuple[str, int]]:
    """What is known of each entry, and its cost."""
    content = path.read_bytes()
    *_, array, rows, _, _, _ = HEADER.unpack_from(content)
    begin = HEADER.size + array
    lines = begin + rows
    for *_, cost, line, _ in ENTRY.iter_unpack(content[begin:lines]):
        yield content[lines + line : content.index(b"\0", lines + line)].decode(), cost


@cache
def readings(count: int) -> list[str]:
    """In hiragana, of two kana or more: the `count` of least cost. Names are left out."""
    import pyopenjtalk

    costs: dict[str, int] = {}
    for known, cost in entries(Path(pyopenjtalk.__file__).parent / "dictionary" / "sys.dic"):
        if known.startswith(SAID_ALONE) and len(kana := hiragana(known.split(",")[READING])) > 1:
            costs[kana] = min(cost, costs.get(kana, cost))
    return sorted(costs, key=lambda kana: costs[kana])[:count]


def occurrences(frequencies: Mapping[str, float]) -> Counter[str]:
    """How often each reading counts. `frequencies`: of written words, as a share of all words."""
    shares: defaultdict[str, float] = defaultdict(float)
    for word, share in frequencies.items():
        if kana := reading(word):
            shares[kana] += share
    return Counter({kana: round(sqrt(share / ONCE)) for kana, share in shares.items()})


def words(count: int, frequencies: Mapping[str, float] | None = None) -> Iterator[str]:
    """The `count` likeliest readings, each at least once, and as often as wordfreq has it."""
    from wordfreq import get_frequency_dict

    often = occurrences(frequencies or get_frequency_dict("ja", "large"))
    for kana in readings(count):
        yield from [kana] * max(1, often[kana])
