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
