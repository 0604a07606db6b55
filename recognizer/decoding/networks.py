"""Where the networks of a model run: exported, in ONNX Runtime, or in torch. Numpy arrays in, numpy arrays out."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Layers = list[Floats]  # keys of each layer of the decoder, then values of each layer

ENCODER, MEMORY, STEP = "encoder", "memory", "step"  # the exported files, without their suffix


class Networks(Protocol):
    """One model. Not safe for two threads."""

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        """Features (frames, bins) -> encoder output (T, D) and CTC log probabilities (T, V)."""
        ...

    def memory(self, hidden: Floats) -> Layers:
        """Encoder output (T, D) -> what the decoder attends to."""
        ...

    def step(self, tokens: Ids, at: Ids, mask: Floats, memory: Layers, cache: Layers) -> tuple[Floats, Layers]:
        """Log probabilities (N, V) after each of N tokens, and what they add to the cache. See graphs.StepGraph."""
        ...


class OnnxNetworks:
    """The exported files of a folder. Weights are mapped from disk, so that workers share them."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._encoder, self._memory, self._step = (
            _session(folder / f"{name}.onnx", threads) for name in (ENCODER, MEMORY, STEP)
        )
        self._step_inputs = [each.name for each in self._step.get_inputs()]

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        hidden, log_probs = self._encoder.run(None, {"features": features[None]})
        return hidden, log_probs

    def memory(self, hidden: Floats) -> Layers:
        return list(self._memory.run(None, {"hidden": hidden}))

    def step(self, tokens: Ids, at: Ids, mask: Floats, memory: Layers, cache: Layers) -> tuple[Floats, Layers]:
        inputs = dict(zip(self._step_inputs, (tokens, at, mask, *memory, *cache), strict=True))
        log_probs, *added = self._step.run(None, inputs)
        return log_probs, added


class TorchNetworks:
    """The graphs themselves, for a device that ONNX Runtime is not built for, and where the export failed."""

    def __init__(self, graphs: dict[str, Any], device: str) -> None:
        self._graphs = {name: graph.to(device).eval() for name, graph in graphs.items()}
        self._device = device

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        hidden, log_probs = self._run(ENCODER, features[None])
        return hidden, log_probs

    def memory(self, hidden: Floats) -> Layers:
        return self._run(MEMORY, hidden)

    def step(self, tokens: Ids, at: Ids, mask: Floats, memory: Layers, cache: Layers) -> tuple[Floats, Layers]:
        log_probs, *added = self._run(STEP, tokens, at, mask, *memory, *cache)
        return log_probs, added

    def _run(self, name: str, *inputs: Array) -> list[Array]:
        import torch

        with torch.inference_mode():
            outputs = self._graphs[name](*(torch.from_numpy(np.ascontiguousarray(x)).to(self._device) for x in inputs))
            return [output.float().cpu().numpy() for output in outputs]


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning steals the other worker's core
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
