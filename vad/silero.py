"""silero-vad 6.2.3 (ONNX) with its state outside the model, so that many streams share one batched call.

Measured on the package's model: input is 64 samples of context and 512 of the frame, the state is [2, N, 128].
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio import FRAME_SAMPLES, SAMPLE_RATE, Samples

CONTEXT_SAMPLES = 64
HIDDEN_SHAPE = (2, 128)
STATE_VALUES = 2 * 128 + CONTEXT_SAMPLES
MAX_BATCH = 128  # beyond this a bigger batch is no faster per stream


@dataclass(eq=False)
class VadState:
    """What the model remembers of one stream."""

    hidden: NDArray[np.float32] = field(default_factory=lambda: np.zeros(HIDDEN_SHAPE, np.float32))
    context: Samples = field(default_factory=lambda: np.zeros(CONTEXT_SAMPLES, np.float32))

    def to_text(self) -> str:
        """All of it, exactly: base64 of little-endian float32."""
        return base64.b64encode(np.concatenate((self.hidden.ravel(), self.context)).astype("<f4").tobytes()).decode()

    @classmethod
    def from_text(cls, text: str) -> "VadState":
        """ "" is the state of a stream that begins. Raises ValueError."""
        if not text:
            return cls()
        try:
            values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
        except binascii.Error as error:
            raise ValueError("no base64") from error
        if len(values) != STATE_VALUES or not np.isfinite(values).all():
            raise ValueError(f"not {STATE_VALUES} finite numbers")
        return cls(values[:-CONTEXT_SAMPLES].reshape(HIDDEN_SHAPE), values[-CONTEXT_SAMPLES:])


class SileroVad:
    """Scores one frame each of many streams in one call. Not thread-safe: one thread owns it."""

    def __init__(self, session: Any) -> None:  # onnxruntime.InferenceSession
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)

    def score(self, frames: Sequence[Samples], states: Sequence[VadState]) -> list[float]:
        """Speech probability of each frame (FRAME_SAMPLES long); moves each state on by one frame."""
        batch = np.stack([np.concatenate((s.context, f)) for s, f in zip(states, frames, strict=True)])
        hidden = np.stack([state.hidden for state in states], axis=1)
        inputs = {"input": batch, "state": hidden, "sr": self._rate}
        probabilities, hidden = self._session.run(None, inputs)
        for i, state in enumerate(states):
            state.hidden = hidden[:, i]
            state.context = batch[i, FRAME_SAMPLES:]
        return [float(p) for p in probabilities[:, 0]]


def load_silero() -> SileroVad:
    """The model that the silero-vad package brings; the package itself is not imported (it would pull in torch)."""
    import onnxruntime

    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package silero-vad is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = Path(spec.origin).parent / "data" / "silero_vad.onnx"
    return SileroVad(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
