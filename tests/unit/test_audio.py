import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import FRAME_SAMPLES, SAMPLE_RATE, Framer, Resampler, Samples, Utterance, decode_pcm, ms_of, samples_of


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def test_integers_and_floats_decode_to_the_same_range() -> None:
    assert decode_pcm(b"\x00\x80\xff\x7f", "s16le").tolist() == [-1.0, 32767 / 32768]
    assert decode_pcm(np.array([2.0, -0.25], "<f4").tobytes(), "f32le").tolist() == [1.0, -0.25]


@pytest.mark.parametrize("data, encoding", [(b"\x00", "s16le"), (b"\x00\x00", "f32le")])
def test_odd_lengths_are_refused(data: bytes, encoding: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        decode_pcm(data, encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        decode_pcm(np.array([0, bad], np.float32).tobytes(), "f32le")


@given(st.lists(st.integers(0, 2_000), max_size=20))
def test_frames_are_the_stream_cut_in_order(sizes: list[int]) -> None:
    audio, framer, at = np.arange(sum(sizes), dtype=np.float32), Framer(), 0
    frames: list[Samples] = []
    for size in sizes:
        frames += framer.feed(audio[at : at + size])
        at += size
    frames += framer.flush()
    joined = np.concatenate([np.empty(0, np.float32), *frames])
    assert all(len(frame) == FRAME_SAMPLES for frame in frames)
    assert np.array_equal(joined[: len(audio)], audio) and not joined[len(audio) :].any()
    assert framer.flush() == []


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("chunk", [128, 5_000])
def test_resampling_keeps_the_tone_and_does_not_drift(rate: int, chunk: int) -> None:
    audio, resampler = tone(rate, 2.0), Resampler(rate)
    parts = [resampler.feed(audio[at : at + chunk]) for at in range(0, len(audio), chunk)]
    out = np.concatenate([*parts, resampler.flush()])
    assert abs(len(out) - 2 * SAMPLE_RATE) <= 1
    inner = slice(1_000, -1_000)
    assert np.abs(out[inner] - tone(SAMPLE_RATE, 2.0)[: len(out)][inner]).max() < 1e-3


def test_sixteen_kilohertz_pass_untouched() -> None:
    audio = tone(SAMPLE_RATE)
    assert Resampler(SAMPLE_RATE).feed(audio) is audio


def test_times() -> None:
    assert samples_of(32) == FRAME_SAMPLES and ms_of(FRAME_SAMPLES) == 32
    assert Utterance(0, 100, np.zeros(50, np.float32)).end == 150
