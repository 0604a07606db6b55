import numpy as np
import pytest

from audio import FRAME_SAMPLES
from vad.silero import SileroVad, VadState, load_silero


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return load_silero()


def test_one_streams_state_never_touches_anothers(vad: SileroVad) -> None:
    rng = np.random.default_rng(0)
    streams = [rng.normal(0, 0.1 * n, (20, FRAME_SAMPLES)).astype(np.float32) for n in range(1, 6)]
    alone = []
    for stream in streams:
        state = VadState()
        alone.append([vad.score([frame], [state])[0] for frame in stream])
    states = [VadState() for _ in streams]
    together = [vad.score([stream[k] for stream in streams], states) for k in range(20)]
    assert np.allclose(np.array(alone).T, together, atol=1e-5)


def test_silence_is_not_speech(vad: SileroVad) -> None:
    state = VadState()
    scores = [vad.score([np.zeros(FRAME_SAMPLES, np.float32)], [state])[0] for _ in range(50)]
    assert max(scores) < 0.2


def test_a_state_that_travelled_scores_as_if_it_had_stayed(vad: SileroVad) -> None:
    rng = np.random.default_rng(1)
    frames = rng.normal(0, 0.1, (60, FRAME_SAMPLES)).astype(np.float32)
    stayed = VadState()
    for frame in frames[:40]:
        vad.score([frame], [stayed])
    travelled = VadState.from_text(stayed.to_text())
    here, there = ([vad.score([f], [state])[0] for f in frames[40:]] for state in (stayed, travelled))
    assert here == there
    fresh = [vad.score([f], [state])[0] for state in [VadState.from_text("")] for f in frames[40:]]
    assert np.abs(np.subtract(fresh, here)).max() > 0.001, "the model remembers: without its state it differs"


@pytest.mark.parametrize("text", ["?", "AAAA", "//8=" * 400])
def test_a_state_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        VadState.from_text(text)
