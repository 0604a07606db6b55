"""How loud it is: root mean square and peak of each block, in decibels of full scale."""

import math
import sys

import numpy as np

from audiosockets import Block, Processor, Samples

FLOOR_DB = -90.0  # digital silence has no level


def decibels(amplitude: float) -> float:
    return round(max(FLOOR_DB, 20 * math.log10(max(amplitude, 1e-9))), 1)


def level(samples: Samples) -> dict[str, float]:
    """`samples`: any shape, [-1, 1]. A full-scale sine has an `rms_db` of -3.0."""
    return {
        "rms_db": decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        "peak_db": decibels(float(np.abs(samples).max())),
    }


def bar(rms_db: float, width: int = 50) -> str:
    return ("█" * round((1 - rms_db / FLOOR_DB) * width)).ljust(width)


class Level(Processor):
    """Publishes {"rms_db", "peak_db"} to the layer `level`, and draws a bar."""

    layer = "level"
    show = sys.stderr.isatty()  # draw the bar

    def process(self, block: Block) -> dict[str, float]:
        found = level(block.samples)
        if self.show:
            print(f"\r{bar(found['rms_db'])} {found['rms_db']:6.1f} dB", end="", file=sys.stderr, flush=True)
        return found

    def close(self) -> None:
        if self.show:
            print(file=sys.stderr)
