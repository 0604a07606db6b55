"""Whisper's weights in ESPnet2's encoder: the same numbers, but for what distillation has to make good."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
from espnet2.layers.global_mvn import GlobalMVN

from audio import SAMPLE_RATE
from training import distil, whisper
from training.augment import Surroundings, float32
from training.data import STATISTICS
from training.distil import SHIFT
from training.recipe import Recipe

WIDTH, BINS, BLOCKS, FORWARD, FRAMES = 16, 8, 2, 32, 40


def constants() -> dict[str, Any]:
    """Of a small Whisper, whose positions have ESPnet2's wavelengths."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    made: dict[str, Any] = {
        "encoder/conv1/weight": drawn(WIDTH, BINS, 3), "encoder/conv1/bias": drawn(WIDTH),
        "encoder/conv2/weight": drawn(WIDTH, WIDTH, 3), "encoder/conv2/bias": drawn(WIDTH),
        "encoder/layer_norm/gamma": drawn(WIDTH), "encoder/layer_norm/beta": drawn(WIDTH),
        "encoder/num_heads": np.array(2, np.int16),
    }  # fmt: skip
    phases = np.arange(100)[:, None] * 10_000.0 ** (-np.arange(WIDTH // 2) / (WIDTH // 2))
    made["encoder/position_encodings/encodings"] = np.hstack([np.sin(phases), np.cos(phases)]).astype(np.float32)
    for number in range(BLOCKS):
        block = f"encoder/layer_{number}"
        for part in ("self_attention", "ffn"):
            made |= {f"{block}/{part}/layer_norm/{name}": drawn(WIDTH) for name in ("gamma", "beta")}
        linears = {
            "self_attention/linear_0": (3 * WIDTH, WIDTH), "self_attention/linear_1": (WIDTH, WIDTH),
            "ffn/linear_0": (FORWARD, WIDTH), "ffn/linear_1": (WIDTH, FORWARD),
        }  # fmt: skip
        for name, shape in linears.items():
            made |= {f"{block}/{name}/weight": drawn(*shape), f"{block}/{name}/bias": drawn(shape[0])}
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


def test_a_file_is_read_with_every_constant() -> None:
    made = constants() | {"half": np.array([0.5, -2.0], np.float16)}
    read = whisper.read(packed(made))
    assert read.keys() == made.keys()
    assert all(np.array_equal(read[key].numpy(), value) for key, value in made.items())
    assert read["half"].dtype is torch.float32


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 5"):
        whisper.read(packed({}, version=5))


@pytest.fixture
def encoder(weights: whisper.Weights) -> TransformerEncoder:
    """ESPnet2's, with Whisper's weights and its activation."""
    made = TransformerEncoder(
        BINS, output_size=WIDTH, attention_heads=2, linear_units=FORWARD, num_blocks=BLOCKS, input_layer="conv1d2"
    )
    made.load_state_dict(whisper.state(weights))
    made.embed.conv[1] = made.embed.conv[3] = torch.nn.GELU()
    for layer in made.encoders:
        layer.feed_forward.activation = torch.nn.GELU()
    return made.eval()


@pytest.fixture
def weights() -> whisper.Weights:
    return whisper.read(packed(constants()))


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(1, FRAMES, BINS, generator=torch.Generator().manual_seed(0)) * 0.2


def test_the_convolutions_hear_what_whispers_do(
    encoder: TransformerEncoder, weights: whisper.Weights, features: torch.Tensor
) -> None:
    places, positions = whisper.order(WIDTH), weights["encoder/position_encodings/encodings"]
    with torch.inference_mode():
        theirs = whisper.embedded(weights, features) - positions[: FRAMES // 2]
        ours, _ = encoder.embed(features, None)
        ours = ours - positions[: ours.shape[1], places]
    torch.testing.assert_close(ours, theirs[:, SHIFT : SHIFT + ours.shape[1], places], atol=1e-5, rtol=1e-4)


def test_the_blocks_compute_what_whispers_do(
    encoder: TransformerEncoder, weights: whisper.Weights, features: torch.Tensor
) -> None:
    with torch.inference_mode():
        *blocks, last = whisper.encode(weights, features)
        x = whisper.embedded(weights, features)[..., whisper.order(WIDTH)]
        for layer, theirs in zip(encoder.encoders, blocks, strict=True):
            x, _ = layer(x, None)
            torch.testing.assert_close(x, theirs, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(encoder.after_norm(x), last, atol=1e-4, rtol=1e-4)


def test_what_is_far_below_the_loudest_bin_is_as_faint_as_can_be(weights: whisper.Weights) -> None:
    features = torch.zeros(1, FRAMES, BINS)
    features[0, :, 0] = 1.0
    faint, fainter = features.clone(), features.clone()
    faint[0, :, 1:], fainter[0, :, 1:] = 1.0 - whisper.DEEPEST, -3.0
    torch.testing.assert_close(whisper.embedded(weights, fainter), whisper.embedded(weights, faint))
    assert not torch.allclose(whisper.embedded(weights, features), whisper.embedded(weights, faint))


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Begins with the small Whisper, hears two seconds of a chirp."""
    rng = np.random.default_rng(0)
    chirp = float32(np.sin(np.cumsum(np.linspace(0.08, 1.2, 2 * SAMPLE_RATE))) / 2)
    noise = float32(rng.normal(0, 0.1, SAMPLE_RATE))
    soundfile.write(tmp_path / "chirp.wav", chirp, SAMPLE_RATE)
    (tmp_path / "train-0").mkdir()
    (tmp_path / "train-0" / "wav.scp").write_text(f"chirp {tmp_path / 'chirp.wav'}\n")
    monkeypatch.setattr(whisper, "fetched", lambda: packed(constants()))
    monkeypatch.setattr(distil, "surroundings", lambda: Surroundings([noise[:800]], [noise], [chirp]))
    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    wanted = {"steps": 60, "max_lr": 0.003, "batch_s": 2, "piece_s": 1}
    encoder = {"output_size": WIDTH, "attention_heads": 2, "linear_units": FORWARD, "num_blocks": BLOCKS}
    rates = dict.fromkeys(("dropout_rate", "positional_dropout_rate", "attention_dropout_rate"), 0.0)
    asr = {
        "frontend_conf": {"fs": SAMPLE_RATE, "n_fft": 400, "win_length": 400, "hop_length": 160, "n_mels": BINS},
        "encoder_conf": encoder | rates | {"input_layer": "conv1d2"}, "seed": 1,
    }  # fmt: skip
    return Recipe("x", {"begin": wanted, "seed": 1}, [{"augment": 0.5}], asr, {})


def test_the_first_encoder_has_come_nearer_to_whisper(
    recipe: Recipe, weights: whisper.Weights, features: torch.Tensor
) -> None:
    distil.begin(recipe)
    began = torch.load(recipe.work / distil.NAME, weights_only=True)
    apart = []
    for state in (whisper.state(weights), {key.removeprefix("encoder."): began[key] for key in began}):
        encoder = TransformerEncoder(BINS, **recipe.asr["encoder_conf"])
        encoder.load_state_dict(state)
        with torch.inference_mode():
            apart.append(distil.difference(encoder, weights, features, torch.tensor([FRAMES])))
    assert apart[1] < 0.7 * apart[0]


def test_features_are_brought_to_whispers_scale(recipe: Recipe) -> None:
    distil.write_statistics(recipe, BINS)
    power = torch.tensor([1e-10, 1e-4, 1.0, 10.0])[None, :, None].expand(1, 4, BINS)
    features, _ = GlobalMVN(str(recipe.work / STATISTICS))(power.log(), torch.tensor([4]))
    torch.testing.assert_close(features, power.log10() / 4 + 1)
