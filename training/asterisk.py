"""Prompts of the telephone exchange Asterisk: 20 minutes of Allison Smith, in sentences and words.

Debian's packages `asterisk-core-sounds-en` (the texts) and `asterisk-core-sounds-en-g722` (the speech) bring them,
CC BY-SA 3.0.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import G722
import numpy as np

from audio import SAMPLE_RATE, Samples
from training.sentences.en import ONES

TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
SPEECH = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
BIT_RATE = 64_000
REMARK = re.compile(r"\[.*?\]|\(.*?\)|<.*?>")
SAID = {"*": " star ", "#": " pound ", ".": " ", "fourtieth": "fortieth"}  # "A.M." is two letters
SIGN = re.compile("|".join(map(re.escape, SAID)))
UNKNOWN = re.compile(r"[A-Z]{2}|www|\d{2}|\w\d|\d\w|Un-in")  # acronyms, an address, numbers: how they are read


def recorded() -> Iterator[tuple[str, str, Samples]]:
    """Name, what is heard, and the audio of each prompt."""
    if not (TEXTS.exists() and any(SPEECH.glob("*.g722"))):
        raise SystemExit("asterisk-core-sounds-en or asterisk-core-sounds-en-g722 is not installed; Debian has both")
    for line in gzip.decompress(TEXTS.read_bytes()).decode().splitlines():
        name, _, text = line.partition(": ")
        speech, heard = SPEECH / f"{name}.g722", spoken(text)
        if heard and speech.exists():  # one of the texts has no speech
            yield name.replace("/", "-"), heard, decoded(speech.read_bytes())


def spoken(text: str) -> str:
    """What is heard for a text, empty where that is not known. Remarks stand in brackets; digits stand alone."""
    if UNKNOWN.search(text := REMARK.sub("", text)):
        return ""
    text = SIGN.sub(lambda sign: SAID[sign[0]], text)
    return re.sub(r"\d", lambda digit: ONES[int(digit[0])], text).strip()


def decoded(coded: bytes) -> Samples:
    """Of G.722, wide band."""
    return np.asarray(G722.G722(SAMPLE_RATE, BIT_RATE).decode(coded), np.float32) / np.float32(2**15)
