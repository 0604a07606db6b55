"""Where the networks of a model run: exported, in ONNX Runtime, or in torch.

Numpy arrays in, numpy arrays out, but for what the decoder remembers: that stays where the networks are.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ids = NDArray[np.int64]
Layers = list[Any]  # keys of each layer of the decoder, then values of each layer: arrays where the networks run

ENCODER, MEMORY, STEP = "encoder", "memory", "step"  # the exported files, without their suffix
BATCH = "batch"  # the encoder of several utterances, in torch only
MOST_TOGETHER = 16
SHARED_BYTES = 65_536  # of a weight that is mapped, so that workers share it
CACHE_LINE = 64
FLOAT32, INT8 = "float32", "int8"  # what the weights of exported files are


class Networks(Protocol):
    """One model. Not safe for two threads."""

    together: int  # utterances that are encoded faster at once than one by one; 1: none are

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        """Features (frames, bins) -> encoder output (T, D) and CTC log probabilities (T, V)."""
        ...

    def encode_all(self, features: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        """Of each utterance what `encode` gives."""
        ...

    def memory(self, hidden: Floats) -> Layers:
        """Encoder output (T, D) -> what the decoder attends to."""
        ...

    def room(self, rows: int, memory: Layers) -> Layers:
        """For the keys and values of so many tokens, beside the memory: (rows, D) of each layer."""
        ...

    def step(
        self, tokens: Ids, at: Ids, mask: Floats, heard: Floats, memory: Layers, cache: Layers
    ) -> tuple[Floats, Layers]:
        """Log probabilities (N, V) after each of N tokens, and what they add to the cache. See graphs.StepGraph."""
        ...


class OnnxNetworks:
    """The exported files of a folder. Weights are mapped from disk as they are used, so that workers share them."""

    together = 1  # the cores are busy with one

    def __init__(self, folder: Path, threads: int) -> None:
        files = (folder / f"{name}.onnx" for name in (ENCODER, MEMORY, STEP))
        self._encoder, self._memory, self._step = (_session(path, threads) for path in files)
        self._step_inputs = [each.name for each in self._step.get_inputs()]

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        hidden, log_probs = self._encoder.run(None, {"features": features[None]})
        return hidden, log_probs

    def encode_all(self, features: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        return [self.encode(one) for one in features]

    def memory(self, hidden: Floats) -> Layers:
        return list(self._memory.run(None, {"hidden": hidden}))

    def room(self, rows: int, memory: Layers) -> Layers:
        return [np.empty((rows, _width(layer)), np.float32) for layer in _values(memory) * 2]

    def step(
        self, tokens: Ids, at: Ids, mask: Floats, heard: Floats, memory: Layers, cache: Layers
    ) -> tuple[Floats, Layers]:
        inputs = dict(zip(self._step_inputs, (tokens, at, mask, heard, *memory, *cache), strict=True))
        log_probs, *added = self._step.run(None, inputs)
        return log_probs, added


class TorchNetworks:
    """The graphs themselves, for a device that ONNX Runtime is not built for, and where the export failed.

    On CUDA in half precision, several utterances at once.
    """

    def __init__(self, graphs: dict[str, Any], device: str) -> None:
        self._graphs = {name: graph.to(device).eval() for name, graph in graphs.items()}
        self._device = device
        self.together = MOST_TOGETHER if device == "cuda" and BATCH in graphs else 1

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        hidden, log_probs = self._run(ENCODER, features[None])
        return hidden, log_probs

    def encode_all(self, features: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        if BATCH not in self._graphs or len(features) < 2:
            return [self.encode(one) for one in features]
        outputs = self._run(BATCH, *features)
        return list(zip(outputs[::2], outputs[1::2], strict=True))

    def memory(self, hidden: Floats) -> Layers:
        return self._there(MEMORY, hidden)

    def room(self, rows: int, memory: Layers) -> Layers:
        return [layer.new_empty((rows, _width(layer))) for layer in _values(memory) * 2]

    def step(
        self, tokens: Ids, at: Ids, mask: Floats, heard: Floats, memory: Layers, cache: Layers
    ) -> tuple[Floats, Layers]:
        log_probs, *added = self._there(STEP, tokens, at, mask, heard, *memory, *cache)
        return log_probs.float().cpu().numpy(), added

    def _run(self, name: str, *inputs: Array) -> list[Array]:
        return [output.float().cpu().numpy() for output in self._there(name, *inputs)]

    def _there(self, name: str, *inputs: Any) -> list[Any]:
        """Tensors on the device, of arrays here or of tensors there."""
        import torch

        with torch.inference_mode(), self._precision():
            return list(self._graphs[name](*(self._moved(each) for each in inputs)))

    def _moved(self, each: Any) -> Any:
        import torch

        return each if torch.is_tensor(each) else torch.from_numpy(np.ascontiguousarray(each)).to(self._device)

    def _precision(self) -> AbstractContextManager[None]:
        import torch

        if self._device != "cuda":
            return nullcontext()
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.autocast("cuda", torch.bfloat16 if bfloat16 else torch.float16)


def _values(memory: Layers) -> Layers:
    """Shapes (heads, T, width); of keys the last two are turned."""
    return memory[len(memory) // 2 :]


def _width(layer: Any) -> int:
    """Of all heads together."""
    heads, _, width = layer.shape
    return int(heads * width)


def optimise(source: Path, target: Path) -> None:
    """Saves a network as ONNX Runtime runs it on this processor, weights packed, so that starting means mapping.

    Its kernels read packed weights with instructions that ask for addresses of whole cache lines, and it writes weights
    one behind the other: one of an odd size would move those behind it. Small ones stay in the network's own file.
    """
    _optimise(source, target, SHARED_BYTES)
    if not all(place % CACHE_LINE == 0 for place in mapped_places(target)):
        target.with_suffix(".bin").unlink()
        _optimise(source, target, None)


def _optimise(source: Path, target: Path, shared_bytes: int | None) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the file is for this processor: the folder's name holds which
    options.optimized_model_filepath = str(target)
    if shared_bytes is not None:
        prefix = "session.optimized_model_external_initializers_"
        options.add_session_config_entry(f"{prefix}file_name", f"{target.stem}.bin")
        options.add_session_config_entry(f"{prefix}min_size_in_bytes", str(shared_bytes))
        options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def mapped_places(path: Path) -> list[int]:
    """Where in the file beside a network its weights begin, and where their packed forms do."""
    import onnx

    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    entries = [entry for tensor in tensors for entry in tensor.external_data]
    plain = [int(entry.value) for entry in entries if entry.key == "offset"]
    packed = [entry.value.split("|")[1:] for entry in entries if entry.key.startswith("prepacked")]
    return plain + [int(part.split(";")[0]) for parts in packed for part in parts]  # name|place;bytes;..|place;..


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # `optimise` did it
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning steals the other worker's core
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
