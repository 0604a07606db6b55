"""The trigram model of English that PyPI's pocketsphinx brings (BSD; Alpha Cephei 2015), read from its own file.

Its layout is that of sphinxbase's `lm_trie.c`: a tree that begins with the last word of an n-gram, numbers in as few
bits as they need, scores as places in tables. Those of all words lie between.
"""

import struct
from importlib.resources import files

import numpy as np

from training.backoff import BackOff, Logs, Numbers

MAGIC = b"Trie Language Model"
HEAD = struct.Struct("<BIIIi")  # order, how many of each length, kind of tables
BINS = 65_536
WORD = np.dtype([("score", "<f4"), ("backoff", "<f4"), ("next", "<u4")])
BASE = float(np.log(1.0001))  # of its logarithms


def model() -> tuple[list[str], BackOff]:
    """Its words, and what it says of their numbers; the marks of a sentence are words here."""
    data = (files("pocketsphinx") / "model" / "en-us" / "en-us.lm.bin").read_bytes()
    order, words, pairs, triples, _ = HEAD.unpack_from(data, len(MAGIC))
    if not data.startswith(MAGIC) or order != 3:
        raise SystemExit("the language model of pocketsphinx is not the one that is known here")
    at = len(MAGIC) + HEAD.size
    tables = np.frombuffer(data, "<f4", 3 * BINS, at).reshape(3, BINS) * BASE  # of pairs, their back-off, triples
    at += 3 * BINS * 4
    each = np.frombuffer(data, WORD, words + 1, at)
    at += each.nbytes
    first: Numbers = each["next"].astype(np.int64)
    wide, far = words.bit_length(), triples.bit_length()
    second = np.repeat(np.arange(words), first[1:] - first[:-1])
    stride = wide + 32 + far
    head, backoff, score, following = (
        _bits(data, 8 * at + begin, stride, width, len(second) + 1)
        for begin, width in ((0, wide), (wide, 16), (wide + 16, 16), (wide + 32, far))
    )
    at += _size(pairs, stride)
    of = np.repeat(np.arange(len(second)), np.diff(following))
    oldest, rare = (_bits(data, 8 * at + begin, wide + 16, width, len(of)) for begin, width in ((0, wide), (wide, 16)))
    at += _size(triples, wide + 16)
    pair = np.stack([head[:-1], second], axis=1)
    triple = np.concatenate((oldest[:, None], pair[of]), axis=1)
    by_pair, by_triple = np.lexsort(pair.T[::-1]), np.lexsort(triple.T[::-1])
    return data[at + 4 :].decode().split("\0")[:words], BackOff(
        _logs(each["score"][:words]), _logs(each["backoff"][:words]),
        pair[by_pair], tables[0][score[:-1]][by_pair], tables[1][backoff[:-1]][by_pair],
        triple[by_triple], tables[2][rare][by_triple],
    )  # fmt: skip


def _logs(stored: Logs) -> Logs:
    return stored.astype(np.float64) * BASE


def _size(count: int, stride: int) -> int:
    """Bytes of a level: one entry more than it has, and eight to read beyond."""
    return ((1 + count) * stride + 7) // 8 + 8


def _bits(data: bytes, start: int, stride: int, width: int, count: int) -> Numbers:
    """Numbers of `width` bits, the first at bit `start`, then one each `stride` bits."""
    stored, bits = np.frombuffer(data, np.uint8), start + stride * np.arange(count, dtype=np.int64)
    value = np.zeros(count, np.uint64)
    for byte in range(4):  # width and what lies before it in its first byte are less than 32 bits
        value |= stored[(bits >> 3) + byte].astype(np.uint64) << np.uint64(8 * byte)
    return ((value >> (bits & 7).astype(np.uint64)) & np.uint64((1 << width) - 1)).astype(np.int64)
