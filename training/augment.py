"""What happens to speech between a mouth and the recogniser, drawn anew each time an utterance is trained on.

Every change is a function (audio, generator) -> audio of mono float32 samples at 16 kHz.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, fftconvolve, sosfilt

from audio import SAMPLE_RATE, Samples

Rng = np.random.Generator
Change = Callable[[Samples, Rng], Samples]
BLOCK_SAMPLES = SAMPLE_RATE // 100  # 10 ms
CHANCES = {
    "room": 0.5, "noise": 0.6, "microphone": 0.6, "band": 0.4, "telephone": 0.1, "opus": 0.03, "clipping": 0.05
}  # fmt: skip  # of each change at full strength
QUIET = 1e-4  # peak below which a clip counts as silence: nothing is measured against it


def float32(audio: NDArray[np.floating]) -> Samples:
    return np.asarray(audio, np.float32)


def decibel(low: float, high: float, rng: Rng) -> float:
    """A factor between two levels in dB."""
    return float(10 ** (rng.uniform(low, high) / 20))


def power(audio: Samples) -> float:
    return float(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0


def hiss(samples: int, rng: Rng) -> Samples:
    """White noise at -100 to -60 dB of full scale."""
    return float32(rng.standard_normal(int(samples)) * decibel(-100, -60, rng))


def coloured(samples: int, rng: Rng) -> Samples:
    """Noise whose power falls with frequency to the power of 0 (white) to 2 (brown)."""
    length = next_fast_len(samples, real=True)
    spectrum = rfft(rng.standard_normal(length))
    shape = np.maximum(1, np.arange(len(spectrum))) ** (-rng.uniform(0, 2) / 2)
    return float32(irfft(spectrum * shape, length)[:samples])


def speed(audio: Samples, rng: Rng) -> Samples:
    """Faster or slower by up to 19 %; pitch and formants move along, as if others spoke (Ko et al. 2015)."""
    return float32(soxr.resample(audio, SAMPLE_RATE, round(SAMPLE_RATE * 2 ** rng.uniform(-0.25, 0.25)), quality="LQ"))


def equaliser(audio: Samples, rng: Rng) -> Samples:
    """A microphone's own colour: a random smooth curve over frequency, within 12 dB."""
    knots = rng.uniform(-1, 1, 6) * rng.uniform(1, 12)
    length = next_fast_len(len(audio), real=True)
    spectrum = rfft(audio, length)
    curve = np.interp(np.linspace(0, 1, len(spectrum)) ** 0.5, np.linspace(0, 1, 6), knots)
    return float32(irfft(spectrum * 10 ** (curve / 20), length)[: len(audio)])


def band_limit(audio: Samples, rng: Rng) -> Samples:
    """A telephone, a small loudspeaker, an old codec."""
    low, high = rng.uniform(30, 400), rng.uniform(2800, 7600)
    return float32(sosfilt(butter(4, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), audio))


def mu_law(audio: Samples, rng: Rng) -> Samples:
    """G.711 as telephones speak it: 8 kHz, 8 bits."""
    peak = float(np.abs(audio).max(initial=QUIET))
    narrow = np.clip(soxr.resample(audio / peak, SAMPLE_RATE, SAMPLE_RATE // 2), -1, 1)
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    wide = soxr.resample(np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255, SAMPLE_RATE // 2, SAMPLE_RATE)
    return float32(wide * peak)


def opus(audio: Samples, rng: Rng) -> Samples:
    """What a call over the internet leaves."""
    file = io.BytesIO()
    level = float(rng.uniform(0.85, 1.0))  # libsndfile: 1 is about 6 kbit/s
    soundfile.write(file, audio, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    file.seek(0)
    return float32(soundfile.read(file, dtype="float32")[0])


def clipping(audio: Samples, rng: Rng) -> Samples:
    limit = float(np.quantile(np.abs(audio), rng.uniform(0.9, 0.999))) or 1.0
    return float32(np.clip(audio, -limit, limit))


def drawn_room(rng: Rng) -> Samples:
    """An impulse response: the direct sound, a few echoes, and noise that decays by 60 dB in 0.1 to 0.9 s."""
    decay_s = rng.uniform(0.1, 0.9)
    times = np.arange(int(decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / decay_s)
    tail *= decibel(-25, -2, rng) / np.sqrt(np.sum(tail**2))
    tail[: int(rng.uniform(0.001, 0.02) * SAMPLE_RATE)] *= 0.1
    echoes = rng.integers(16, SAMPLE_RATE // 20, size=6)
    tail[echoes[echoes < len(tail)]] += 0.3 * rng.uniform(-1, 1, int(np.sum(echoes < len(tail))))
    tail[0] = 1.0
    return float32(tail)


@dataclass(frozen=True)
class Surroundings:
    """Recorded rooms, noises and speech of others; each list may be empty."""

    rooms: Sequence[Samples] = ()
    noises: Sequence[Samples] = ()
    voices: Sequence[Samples] = ()

    def reverberate(self, audio: Samples, rng: Rng) -> Samples:
        recorded = self.rooms and rng.random() < 0.4
        room = self.rooms[int(rng.integers(len(self.rooms)))] if recorded else drawn_room(rng)
        direct = int(np.argmax(np.abs(room)))
        wet = fftconvolve(audio, room)[direct : direct + len(audio)]
        return float32(wet * np.sqrt(power(audio) / max(power(wet), QUIET**2)))

    def noise(self, samples: int, rng: Rng) -> Samples:
        kind = rng.random()
        if self.noises and kind < 0.5:
            return _excerpt(self.noises[int(rng.integers(len(self.noises)))], samples, rng)
        if self.voices and kind < 0.7:
            chosen = rng.integers(len(self.voices), size=int(rng.integers(3, 9)))
            return float32(np.sum([_excerpt(self.voices[i], samples, rng) for i in chosen], axis=0))
        return coloured(samples, rng)

    def disturb(self, audio: Samples, rng: Rng) -> Samples:
        """Noise at a signal to noise ratio of 0 to 30 dB, rather more than less."""
        noise = self.noise(len(audio), rng)
        ratio = 30 * rng.beta(1.6, 1.2)
        gain = np.sqrt(power(audio) / max(power(noise), QUIET**2)) * 10 ** (-ratio / 20)
        return float32(audio + gain * noise)


def _excerpt(source: Samples, samples: int, rng: Rng) -> Samples:
    """`samples` of it from a random place on, repeated where it is too short."""
    start = int(rng.integers(len(source)))
    return np.resize(np.roll(source, -start), samples)


def from_onset(audio: Samples) -> Samples:
    """Without the silence before the speech: all but 40 ms of what is 35 dB below the loudest 10 ms."""
    blocks = np.square(audio[: len(audio) // BLOCK_SAMPLES * BLOCK_SAMPLES]).reshape(-1, BLOCK_SAMPLES).mean(axis=1)
    loud = blocks > blocks.max(initial=0) * 10**-3.5
    return audio[max(0, int(np.argmax(loud)) - 4) * BLOCK_SAMPLES :] if len(blocks) else audio


def pad(audio: Samples, rng: Rng, *, ended: bool = True) -> tuple[Samples, int]:
    """The silence that a voice detector leaves around speech, and more: the mean over an utterance moves with it.

    None after an utterance that still goes on. Returns also the samples before the speech.
    """
    before, after = (int(seconds * SAMPLE_RATE) for seconds in rng.uniform(0.02, 0.6, 2))
    return np.pad(audio, (before, after if ended else 0)), before


def level(audio: Samples, rng: Rng) -> Samples:
    """Peak at -35 to 0 dB of full scale, over a faint noise floor."""
    scaled = audio * (decibel(-35, 0, rng) / max(float(np.abs(audio).max(initial=0)), QUIET))
    return float32(scaled + hiss(len(audio), rng))


def augmenter(surroundings: Surroundings, strength: float) -> Callable[[Samples, Rng, bool], tuple[Samples, int]]:
    """All of it in the order of nature; `strength` (0 to 1) scales how often each thing happens.

    What it returns takes audio, generator, and whether the utterance has ended, and returns the changed audio with the
    samples before its speech.
    """
    chain: dict[str, Change] = {
        "room": surroundings.reverberate,
        "noise": surroundings.disturb,
        "microphone": equaliser,
        "band": band_limit,
        "telephone": mu_law,
        "opus": opus,
        "clipping": clipping,
    }

    def change(audio: Samples, rng: Rng, ended: bool) -> tuple[Samples, int]:
        audio = from_onset(audio)
        if rng.random() < strength:
            audio = speed(audio, rng)
        audio, onset = pad(audio, rng, ended=ended)
        for name, step in chain.items():
            if rng.random() < CHANCES[name] * strength:
                audio = step(audio, rng)
        return level(audio, rng), onset

    return change
