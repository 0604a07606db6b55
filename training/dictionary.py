"""Words of the dictionary that Open JTalk divides texts with (NAIST-jdic and words of UniDic), as they are read.

MeCab's compiled format: a header, a double array of the written forms, 16 bytes for each entry, then what is known of
the entries as lines of CSV that end with a zero byte (mecab.github.io, `dictionary.cpp`).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

HEADER = struct.Struct("<10I32s")  # the seventh number is the length of the double array, the eighth of the entries
ENTRY = struct.Struct("<HHHhII")  # the fourth is the cost, less for likely words; the fifth where the line begins
READING = 7  # column of a line: in katakana
SAID_ALONE = (
    "名詞,一般", "名詞,サ変接続", "名詞,形容動詞語幹", "名詞,副詞可能", "名詞,代名詞",
    "動詞,自立", "形容詞,自立", "副詞", "連体詞", "接続詞", "感動詞",
)  # fmt: skip


def entries(path: Path) -> Iterator[tuple[str, int]]:
    """What is known of each entry, and its cost."""
    content = path.read_bytes()
    *_, array, rows, _, _, _ = HEADER.unpack_from(content)
    begin = HEADER.size + array
    lines = begin + rows
    for *_, cost, line, _ in ENTRY.iter_unpack(content[begin:lines]):
        yield content[lines + line : content.index(b"\0", lines + line)].decode(), cost


def readings(count: int) -> list[str]:
    """In katakana, of two kana or more: the `count` of least cost. Names are left out."""
    import pyopenjtalk

    costs: dict[str, int] = {}
    for known, cost in entries(Path(pyopenjtalk.__file__).parent / "dictionary" / "sys.dic"):
        if known.startswith(SAID_ALONE) and len(reading := known.split(",")[READING]) > 1:
            costs[reading] = min(cost, costs.get(reading, cost))
    return sorted(costs, key=lambda reading: costs[reading])[:count]
