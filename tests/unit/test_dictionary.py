"""The dictionary that the Japanese n-gram reads."""

import struct
from collections import Counter
from itertools import islice
from pathlib import Path

import pyopenjtalk
from wordfreq import get_frequency_dict

from training.dictionary import ENTRY, HEADER, entries, occurrences, readings, words


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
    found = readings(20_000)
    assert len(found) == len(set(found)) == 20_000
    assert {"とけい", "あたらしい", "ゆっくり"} <= set(found)
    assert not {"よこはま", "さとうたろう"} & set(found)


def test_homophones_count_together_as_the_square_root_of_their_share() -> None:
    found = occurrences({"橋": 5e-6, "箸": 4e-6, "時計": 1e-7, "？": 1.0, "稀有": 1e-9})
    assert found == {"はし": round((9e-6 / 1e-7) ** 0.5), "とけい": 1, "けう": 0}


def test_likely_words_are_met_more_often_and_every_one_once() -> None:
    found = Counter(words(20_000, {"時間": 1e-3}))
    assert set(found) == set(readings(20_000))
    assert found["じかん"] == 100 and found["ゆっくり"] == 1


def test_the_installed_frequencies_are_those_of_all_words() -> None:
    frequencies = get_frequency_dict("ja", "large")
    assert len(frequencies) > 100_000
    assert 1e-4 < frequencies["時間"] < 1e-2 and frequencies["時間"] > 100 * frequencies["稀有"] > 0
