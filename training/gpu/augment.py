"""What `training.augment` does to an utterance, to a batch of them on the device that trains.

Lengths are drawn by NumPy, so that nothing waits for the device; everything else is drawn there. Filters are drawn as
curves over frequency and have no phase. A codec is missing.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fft import irfft, rfft
from torch.nn import functional

from audio import SAMPLE_RATE, Samples
from training.augment import CHANCES, QUIET, Surroundings
from training.gpu.corpus import FULL_SCALE, Corpus, Int64
from training.kernels import GRID_SAMPLES

ROOM_SAMPLES = SAMPLE_RATE
TELEPHONE_HZ = 3_600.0
Rng = np.random.Generator
Tensor = torch.Tensor
Change = Callable[[Tensor, Rng], Tensor]


class Augmenter:
    """Utterances of a corpus, changed anew each time; `strength` (0 to 1) scales how often each thing happens."""

    def __init__(self, corpus: Corpus, surroundings: Surroundings, strength: float) -> None:
        self.corpus, self.strength, self.device = corpus, strength, corpus.audio.device
        self.rooms = torch.stack([self._room(room) for room in surroundings.rooms]) if surroundings.rooms else None
        self.noises = [torch.from_numpy(noise).to(self.device) for noise in surroundings.noises]

    def _room(self, response: Samples) -> Tensor:
        """From its direct sound on."""
        response = response[int(np.argmax(np.abs(response))) :][:ROOM_SAMPLES]
        return functional.pad(torch.from_numpy(response.copy()), (0, ROOM_SAMPLES - len(response))).to(self.device)

    def __call__(self, chosen: Int64, samples: Int64, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Of these utterances so many samples: audio, shape (utterances, samples), float32; lengths (utterances,);
        samples before speech (utterances, 1)."""
        audio, lengths, before = self.spoken(chosen, samples, rng)
        audio = self.sometimes("room", audio, self.reverberated(audio), rng)
        audio = self.sometimes("noise", audio, self.disturbed(audio, rng), rng)
        audio = self.coloured(audio, rng)
        audio = self.changed("clipping", audio, clipped, rng)
        inside = torch.arange(audio.shape[1], device=self.device) < lengths[:, None]
        return torch.where(inside, levelled(audio), 0.0), lengths, before[:, None]

    def on_device(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """Shape (count, 1)."""
        return low + (high - low) * torch.rand(count, 1, device=self.device)

    def sometimes(self, name: str, audio: Tensor, changed: Tensor, rng: Rng) -> Tensor:
        happens = self.on_device(rng.random(len(audio)) < CHANCES[name] * self.strength)
        return torch.where(happens[:, None], changed, audio)

    def changed(self, name: str, audio: Tensor, change: Change, rng: Rng) -> Tensor:
        """For what is too dear to be done to all and then forgotten."""
        rows = np.flatnonzero(rng.random(len(audio)) < CHANCES[name] * self.strength)
        if len(rows):
            at = self.on_device(rows)
            audio = audio.index_copy(0, at, change(audio[at], rng))
        return audio

    def spoken(self, chosen: Int64, samples: Int64, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Faster or slower by up to 19 %, with silence around, none after one that still goes on; lengths and the
        silence before in samples."""
        faster = np.where(rng.random(len(chosen)) < self.strength, 2 ** rng.uniform(-0.25, 0.25, len(chosen)), 1.0)
        before, after = (rng.uniform(0.02, 0.6, (2, len(chosen))) * SAMPLE_RATE).astype(np.int64)
        after[samples < self.corpus.samples[chosen]] = 0
        lengths = before + np.ceil(samples / faster).astype(np.int64) + after
        padded = -(-int(lengths.max()) // GRID_SAMPLES) * GRID_SAMPLES
        clock = torch.arange(padded, device=self.device, dtype=torch.float64)
        places = (clock - self.on_device(before)[:, None]) * self.on_device(faster)[:, None]
        return self.read(chosen, samples, places), self.on_device(lengths), self.on_device(before)

    def read(self, chosen: Int64, samples: Int64, places: Tensor) -> Tensor:
        """The corpus between its samples, by cubic interpolation (Catmull and Rom 1974); zero outside an utterance."""
        starts, until = (self.on_device(of)[:, None] for of in (self.corpus.starts[chosen], samples))
        whole = places.floor()
        part, at = (places - whole).float(), whole.long()
        a, b, c, d = (self._at(starts, until, at + step) for step in (-1, 0, 1, 2))
        return b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))

    def _at(self, starts: Tensor, samples: Tensor, at: Tensor) -> Tensor:
        inside = (at >= 0) & (at < samples)
        return torch.where(inside, self.corpus.audio[starts + at.clamp(min=0).minimum(samples - 1)] / FULL_SCALE, 0.0)

    def reverberated(self, audio: Tensor) -> Tensor:
        """In a recorded room or a drawn one, as loud as before."""
        rooms = self.drawn_rooms(len(audio))
        if self.rooms is not None:
            recorded = self.rooms[torch.randint(len(self.rooms), (len(audio),), device=self.device)]
            rooms = torch.where(self.uniform(0, 1, len(audio)) < 0.4, recorded, rooms)
        length = audio.shape[1] + ROOM_SAMPLES
        wet: Tensor = irfft(rfft(audio, length) * rfft(rooms, length), length)[:, : audio.shape[1]]
        return wet * (power(audio) / power(wet)).sqrt()

    def drawn_rooms(self, count: int) -> Tensor:
        """The direct sound, a few echoes, and noise that decays by 60 dB in 0.1 to 0.9 s."""
        times = torch.arange(ROOM_SAMPLES, device=self.device) / SAMPLE_RATE
        decay_s = self.uniform(0.1, 0.9, count)
        tail = torch.randn(count, ROOM_SAMPLES, device=self.device) * 10 ** (-3 * times / decay_s)
        tail *= decibel(self.uniform(-25, -2, count)) / tail.square().sum(1, keepdim=True).sqrt()
        tail = torch.where(times < self.uniform(0.001, 0.02, count), 0.1 * tail, tail)
        echoes = torch.randint(16, SAMPLE_RATE // 20, (count, 6), device=self.device)
        tail = tail.scatter_add(1, echoes, 0.6 * torch.rand(count, 6, device=self.device) - 0.3)
        tail[:, 0] = 1.0
        return tail

    def disturbed(self, audio: Tensor, rng: Rng) -> Tensor:
        """Noise at a signal to noise ratio of 0 to 30 dB, rather more than less."""
        noise = self.noise(len(audio), audio.shape[1], rng)
        ratio = self.on_device(30 * rng.beta(1.6, 1.2, (len(audio), 1))).float()
        return audio + noise * (power(audio) / power(noise)).sqrt() * decibel(-ratio)

    def noise(self, count: int, samples: int, rng: Rng) -> Tensor:
        """Recorded for a half of them, others who talk for a fifth, and noise between white and brown."""
        kinds = rng.random(count)
        recorded, talk = kinds < 0.5 * bool(self.noises), (kinds >= 0.5) & (kinds < 0.7)
        noise = self.hissing(count, samples)
        for row in np.flatnonzero(recorded):
            noise[row] = self.excerpt(self.noises[int(rng.integers(len(self.noises)))], samples, rng)
        if talk.any():
            noise[self.on_device(np.flatnonzero(talk))] = self.babble(int(talk.sum()), samples, rng)
        return noise

    def excerpt(self, source: Tensor, samples: int, rng: Rng) -> Tensor:
        """Of a recording, from a random place on, repeated where it is too short."""
        turned = source.roll(-int(rng.integers(len(source))))
        return turned.repeat(-(-samples // len(source)))[:samples]

    def babble(self, count: int, samples: int, rng: Rng) -> Tensor:
        """Three to eight others."""
        voices = int(rng.integers(3, 9))
        others = rng.integers(len(self.corpus.samples), size=(voices, count))
        clock = torch.arange(samples, device=self.device)
        total = torch.zeros(count, samples, device=self.device)
        for other in others:
            starts, lengths = (self.on_device(of[other])[:, None] for of in (self.corpus.starts, self.corpus.samples))
            turned = clock + self.on_device(rng.integers(SAMPLE_RATE, size=(count, 1)))
            total += self.corpus.audio[starts + turned % lengths] / FULL_SCALE
        return total

    def hissing(self, count: int, samples: int) -> Tensor:
        """Power falls with frequency to the power of 0 (white) to 2 (brown)."""
        spectrum = rfft(torch.randn(count, samples, device=self.device))
        bins = torch.arange(spectrum.shape[1], device=self.device).clamp(min=1)
        noise: Tensor = irfft(spectrum * bins ** (-self.uniform(0, 1, count)), samples)
        return noise

    def coloured(self, audio: Tensor, rng: Rng) -> Tensor:
        """By a microphone, a narrow band, a telephone."""
        chances = [CHANCES[name] * self.strength for name in ("microphone", "band", "telephone")]
        microphone, narrow, telephone = (self.on_device(rng.random((len(audio), 1)) < chance) for chance in chances)
        spectrum = rfft(audio)
        hertz = torch.linspace(1e-3, 1, spectrum.shape[1], device=self.device) * SAMPLE_RATE / 2
        curve = torch.where(microphone, self.microphones(spectrum.shape), 1.0)
        low, high = self.uniform(30, 400, len(audio)), self.uniform(2_800, 7_600, len(audio))
        band = ((1 + (hertz / high) ** 8) * (1 + (low / hertz) ** 8)).rsqrt()
        curve = torch.where(narrow, curve * band, curve)
        curve = torch.where(telephone, curve * (1 + (hertz / TELEPHONE_HZ) ** 40).rsqrt(), curve)
        heard = irfft(spectrum * curve, audio.shape[1])
        return torch.where(telephone, mu_law(heard), heard)

    def microphones(self, shape: Sequence[int]) -> Tensor:
        """A random smooth curve over frequency for each, within 12 dB; shape (utterances, bins)."""
        count, bins = shape
        knots = (2 * torch.rand(count, 6, device=self.device) - 1) * self.uniform(1, 12, count)
        place = torch.linspace(0, 1, bins, device=self.device).sqrt() * 5
        left = place.long().clamp(max=4)
        part = place - left
        return decibel(knots[:, left] * (1 - part) + knots[:, left + 1] * part)


def decibel(level: Tensor) -> Tensor:
    """As a factor."""
    return 10 ** (level / 20)


def power(audio: Tensor) -> Tensor:
    """Shape (utterances, 1)."""
    return audio.square().mean(1, keepdim=True).clamp(min=QUIET**2)


def peak(audio: Tensor) -> Tensor:
    """Shape (utterances, 1)."""
    return audio.abs().amax(1, keepdim=True).clamp(min=QUIET)


def mu_law(audio: Tensor) -> Tensor:
    """What 8 bits of G.711 leave."""
    loudest = peak(audio)
    narrow = audio / loudest
    coded = (narrow.sign() * (255 * narrow.abs()).log1p() / math.log(256) * 127).round() / 127
    return coded.sign() * (coded.abs() * math.log(256)).expm1() / 255 * loudest


def clipped(audio: Tensor, rng: Rng) -> Tensor:
    """Of each utterance's samples one in ten to one in a thousand."""
    rank = int(audio.shape[1] * rng.uniform(0.9, 0.999))
    limit = audio.abs().kthvalue(rank, dim=1, keepdim=True).values.clamp(min=QUIET)
    return audio.clamp(-limit, limit)


def levelled(audio: Tensor) -> Tensor:
    """Peaks at -35 to 0 dB of full scale, over a faint noise floor."""
    level, floor = (torch.rand(len(audio), 1, device=audio.device) for _ in range(2))
    return audio * decibel(-35 * level) / peak(audio) + torch.randn_like(audio) * decibel(-100 + 40 * floor)
