"""A small Whisper with random weights, in CTranslate2's format."""

import struct
from typing import Any

import numpy as np

from training import whisper

WIDTH, BINS, BLOCKS, FORWARD = 16, 8, 2, 32
LETTERS = [*"etaoin'", "Ġ", "th", "Ġth", "Ġthe", "Ġt", "A", "ĠThe", "ĠThein", "Ġ,", "9"]
TOKENS = [*LETTERS, "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
END, START, NO_TIMES = range(len(LETTERS), len(TOKENS))
MERGES = [("t", "h"), ("Ġ", "th"), ("Ġth", "e"), ("Ġ", "t"), ("Ġ", ",")]


def constants() -> dict[str, Any]:
    """Its positions have ESPnet2's wavelengths in the encoder; in the decoder they are small, as learned ones are."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int, size: float = 0.3) -> Any:
        return rng.normal(0, size, shape).astype(np.float32)

    made: dict[str, Any] = {
        "encoder/conv1/weight": drawn(WIDTH, BINS, 3), "encoder/conv1/bias": drawn(WIDTH),
        "encoder/conv2/weight": drawn(WIDTH, WIDTH, 3), "encoder/conv2/bias": drawn(WIDTH),
        "encoder/num_heads": np.array(2, np.int16),
        "decoder/embeddings/weight": drawn(len(TOKENS), WIDTH),
        "decoder/position_encodings/encodings": drawn(100, WIDTH, size=0.1),
    }  # fmt: skip
    phases = np.arange(1500)[:, None] * 10_000.0 ** (-np.arange(WIDTH // 2) / (WIDTH // 2))
    made["encoder/position_encodings/encodings"] = np.hstack([np.sin(phases), np.cos(phases)]).astype(np.float32)
    own = {"self_attention/linear_0": (3 * WIDTH, WIDTH), "self_attention/linear_1": (WIDTH, WIDTH)}
    heard = {f"attention/linear_{n}": (width, WIDTH) for n, width in enumerate((WIDTH, 2 * WIDTH, WIDTH))}
    forward = {"ffn/linear_0": (FORWARD, WIDTH), "ffn/linear_1": (WIDTH, FORWARD)}
    for part, linears in (("encoder", own | forward), ("decoder", own | heard | forward)):
        names = {name.partition("/")[0] for name in linears}
        norms = [f"layer_{number}/{name}/layer_norm" for number in range(BLOCKS) for name in sorted(names)]
        for norm in ("layer_norm", *norms):
            made |= {f"{part}/{norm}/{name}": drawn(WIDTH) for name in ("gamma", "beta")}
        for number in range(BLOCKS):
            for name, shape in linears.items():
                layer = f"{part}/layer_{number}/{name}"
                made |= {f"{layer}/weight": drawn(*shape), f"{layer}/bias": drawn(shape[0])}
    return made


def packed(constants: dict[str, Any], version: int = 6) -> bytes:
    """A file in CTranslate2's format."""

    def name(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    numbers = {np.dtype(kind): number for number, kind in whisper.TYPES.items()}
    data = struct.pack("<I", version) + name("WhisperSpec") + struct.pack("<II", 3, len(constants))
    for key, value in constants.items():
        data += name(key) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        data += struct.pack("<BI", numbers[value.dtype], value.nbytes) + value.tobytes()
    return data + struct.pack("<I", 0)
