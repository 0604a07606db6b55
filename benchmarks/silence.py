"""Ten minutes each of silence, hiss and office noise through the whole line: how much text comes out?"""

import argparse
import asyncio

import numpy as np

from audio import SAMPLE_RATE, Samples
from benchmarks.service import running_service, speak
from training.data import manifest, read_audio

SECONDS = 600
PACE = 20.0  # times real time; nothing here depends on the clock


def sources() -> dict[str, Samples]:
    rng = np.random.default_rng(0)
    length = SECONDS * SAMPLE_RATE
    office = read_audio("noise/office-ambience.flac")
    others = np.concatenate([read_audio(r["path"]) for r in manifest("noise") if "office" not in r["path"]])
    return {
        "digital silence": np.zeros(length, np.float32),
        "hiss at -60 dB": rng.normal(0, 1e-3, length).astype(np.float32),
        "office ambience": np.resize(office, length),
        "the other noises": np.resize(others, length),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lang", nargs="?", default="en", help="a key of MODELS")
    lang = parser.parse_args().lang
    print("| 10 minutes of | characters in finals | characters in interims | segments |\n|---|---|---|---|")
    with running_service(SPEECH_DEFAULT_LANG=lang) as url:
        for name, audio in sources().items():
            heard = asyncio.run(speak(url, audio, pace=PACE))
            results = [m for _, m in heard.messages if m["type"] == "result" and m["alternatives"]]
            characters = [
                sum(len(m["alternatives"][0]["transcript"]) for m in results if m["final"] is final)
                for final in (True, False)
            ]
            segments = sum(m["type"] == "speech_start" for _, m in heard.messages)
            print(f"| {name} | {characters[0]} | {characters[1]} | {segments} |", flush=True)


if __name__ == "__main__":
    main()
