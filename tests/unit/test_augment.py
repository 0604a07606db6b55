"""Changes to training speech: each keeps the speech, none makes it unusable."""

import numpy as np
import pytest

from audio import SAMPLE_RATE, Samples
from training.augment import (
    Surroundings,
    augmenter,
    band_limit,
    clipping,
    coloured,
    drawn_room,
    equaliser,
    from_onset,
    hiss,
    level,
    mu_law,
    opus,
    pad,
    power,
    speed,
)

SEEDS = range(5)


def tone(seconds: float = 1.0, frequency: float = 440.0) -> Samples:
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def similarity(one: Samples, other: Samples) -> float:
    """Of the magnitudes of their spectra."""
    spectra = [np.abs(np.fft.rfft(audio, SAMPLE_RATE)) for audio in (one, other)]
    return float(np.corrcoef(spectra)[0, 1])


SURROUNDINGS = Surroundings(
    [drawn_room(np.random.default_rng(1))], [coloured(8_000, np.random.default_rng(2))], [tone()]
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", [equaliser, band_limit, mu_law, opus, clipping, SURROUNDINGS.reverberate])
def test_length_stays_and_the_tone_is_still_there(change: object, seed: int) -> None:
    changed = change(tone(), np.random.default_rng(seed))  # type: ignore[operator]
    assert changed.dtype == np.float32 and len(changed) == SAMPLE_RATE and np.isfinite(changed).all()
    assert similarity(tone(), changed) > 0.8


@pytest.mark.parametrize("samples", [1, 2, 59_048, 59_049, 60_000])
def test_noise_has_the_length_asked_for(samples: int) -> None:
    """59,049 is 3 to the power of 10: a transform of odd length."""
    assert coloured(samples, np.random.default_rng(0)).shape == (samples,)
    assert len(equaliser(np.ones(samples, np.float32), np.random.default_rng(0))) == samples


@pytest.mark.parametrize("seed", SEEDS)
def test_speed_moves_the_pitch_and_padding_adds_silence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    faster = speed(tone(), rng)
    assert 0.84 <= len(faster) / SAMPLE_RATE <= 1.19 and len(faster) != SAMPLE_RATE
    padded, onset = pad(tone(), rng)
    assert padded[-1] == 0 and not padded[:onset].any()
    np.testing.assert_array_equal(padded[onset : onset + SAMPLE_RATE], tone())
    goes_on, onset = pad(tone(), rng, ended=False)
    assert len(goes_on) == onset + SAMPLE_RATE and goes_on[-1] == tone()[-1] != 0


@pytest.mark.parametrize("seconds", [0, 0.02, 0.5, 2])
def test_silence_before_the_speech_is_left_out(seconds: float) -> None:
    silence = hiss(int(seconds * SAMPLE_RATE), np.random.default_rng(0))
    left = from_onset(np.concatenate((silence, tone())))
    assert len(left) == SAMPLE_RATE + min(len(silence), 640)
    np.testing.assert_array_equal(left[-SAMPLE_RATE:], tone())


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_never_louder_than_speech(seed: int) -> None:
    noisy = SURROUNDINGS.disturb(tone(), np.random.default_rng(seed))
    assert power(noisy - tone()) <= 1.01 * power(tone())


def test_level_is_in_range_and_silence_stays_silent() -> None:
    for seed in SEEDS:
        assert 10 ** (-36 / 20) < np.abs(level(tone(), np.random.default_rng(seed))).max() <= 1.01
        assert np.abs(level(np.zeros(1_600, np.float32), np.random.default_rng(seed))).max() < 0.01


@pytest.mark.parametrize(
    "audio", [tone(0.3), np.zeros(4_000, np.float32), tone(0.01)], ids=["speech", "silence", "short"]
)
def test_the_whole_chain(audio: Samples) -> None:
    rng = np.random.default_rng(0)
    change = augmenter(SURROUNDINGS, 1.0)
    changed, onsets = zip(*(change(audio, rng, bool(n % 2)) for n in range(60)), strict=True)
    assert all(320 <= onset <= len(one) for onset, one in zip(onsets, changed, strict=True))
    assert all(one.dtype == np.float32 and np.isfinite(one).all() and np.abs(one).max() < 1.1 for one in changed)
    assert len({len(one) for one in changed}) > 10


def test_strength_zero_only_pads_and_sets_the_level() -> None:
    changed, onset = augmenter(SURROUNDINGS, 0.0)(tone(), np.random.default_rng(0), True)
    assert similarity(tone(), changed[onset : onset + SAMPLE_RATE]) > 0.9
