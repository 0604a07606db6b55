"""The dictionary that the Japanese n-gram reads."""

import struct
from itertools import islice
from pathlib import Path

import pyopenjtalk

from training.dictionary import ENTRY, HEADER, entries, readings


def test_entries_of_a_compiled_dictionary(tmp_path: Path) -> None:
    lines = "名詞,一般,*\0".encode() + "副詞,一般,*\0".encode()
    rows = ENTRY.pack(1, 1, 0, 5_000, 0, 0) + ENTRY.pack(1, 1, 0, -20, lines.index(b"\0") + 1, 0)
    header = HEADER.pack(0, 102, 0, 2, 1, 1, 8, len(rows), len(lines), 0, b"utf-8")
    path = tmp_path / "sys.dic"
    path.write_bytes(header + struct.pack("<Q", 0) + rows + lines)
    assert list(entries(path)) == [("名詞,一般,*", 5_000), ("副詞,一般,*", -20)]


def test_the_installed_dictionary_is_whole() -> None:
    path = Path(pyopenjtalk.__file__).parent / "dictionary" / "sys.dic"
    assert all(len(known.split(",")) > 7 for known, _ in islice(entries(path), 1_000))


def test_likely_words_come_first_and_names_do_not_come() -> None:
    words = readings(20_000)
    assert len(words) == len(set(words)) == 20_000
    assert {"トケイ", "アタラシイ", "ユックリ"} <= set(words)
    assert not {"ヨコハマ", "サトウタロウ"} & set(words)
