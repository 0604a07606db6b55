"""Whisper's weights in ESPnet2's encoder: the same numbers, but for what distillation has to make good."""

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
from espnet2.layers.global_mvn import GlobalMVN
from sentencepiece import SentencePieceProcessor

from audio import SAMPLE_RATE
from tests.small_whisper import BINS, BLOCKS, FORWARD, MERGES, WIDTH, constants, packed
from training import distil, whisper, whisper_text
from training.augment import Surroundings, float32
from training.data import BPE_MODEL, STATISTICS, TOKENS, read_audio
from training.distil import SHIFT
from training.gpu import begin as resident
from training.gpu.corpus import of_lists
from training.recipe import Recipe

FRAMES = 40
LEFT = {"encoder": 0.6, "ctc": 0.1, "decoder": 0.2, "words": 0.85, "text": 0.6}
"""Of what a model differs by as it begins, the share it may still differ by; a rounding moves half-way words most."""


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
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _small_whisper: None) -> Recipe:
    """Begins with the small Whisper, hears two seconds of a chirp."""
    rng = np.random.default_rng(0)
    chirp = float32(np.sin(np.cumsum(np.linspace(0.08, 1.2, 2 * SAMPLE_RATE))) / 2)
    noise = float32(rng.normal(0, 0.1, SAMPLE_RATE))
    soundfile.write(tmp_path / "chirp.wav", chirp, SAMPLE_RATE)
    (tmp_path / "train-0").mkdir()
    lists: dict[str, list[Any]] = {
        "wav.scp": [tmp_path / "chirp.wav"] * 2,
        "text": ["the t", ""],
        "speech_shape": [len(chirp)] * 2,
    }
    for name, values in lists.items():
        (tmp_path / "train-0" / name).write_text("".join(f"{n} {value}\n" for n, value in enumerate(values)))
    whisper_text.write_pieces(tmp_path / BPE_MODEL, len(MERGES))
    pieces = SentencePieceProcessor(model_file=str(tmp_path / BPE_MODEL))
    tokens = ["<blank>", "<unk>", *(pieces.id_to_piece(n) for n in range(3, len(pieces))), "<sos/eos>"]
    (tmp_path / TOKENS).write_text("\n".join(tokens))
    monkeypatch.setattr(distil, "surroundings", lambda: Surroundings([noise[:800]], [noise], [chirp]))
    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    wanted = [{"steps": 60, "max_lr": 0.003, "ctc_step": 10, "batch_s": 6, "augment": 0.5}]
    sizes = {"attention_heads": 2, "linear_units": FORWARD, "num_blocks": BLOCKS}
    rates = dict.fromkeys(("dropout_rate", "positional_dropout_rate"), 0.0)
    asr = {
        "frontend_conf": {"fs": SAMPLE_RATE, "n_fft": 400, "win_length": 400, "hop_length": 160, "n_mels": BINS},
        "encoder_conf": sizes | rates | {"output_size": WIDTH, "attention_dropout_rate": 0.0, "input_layer": "conv1d2"},
        "decoder_conf": sizes | rates, "token_type": "bpe", "seed": 1,
    }  # fmt: skip
    return Recipe("x", {"begin": wanted, "seed": 1, "lang": "en"}, [{"augment": 0.5}], asr, {})


def assert_nearer(recipe: Recipe, begun: dict[str, torch.Tensor]) -> None:
    """To Whisper and to what is said than the model is as it begins."""
    pupil, teacher = distil.taught(recipe)
    audio, tokens = next(iter(distil.batches(recipe, recipe.data["begin"][0])))
    apart = []
    for state in (pupil.state_dict(), begun):
        pupil.load_state_dict(state)
        with torch.inference_mode():
            apart.append(distil.differences(pupil, teacher, audio, tokens))
    before, after = apart
    assert all(after[part] < share * before[part] for part, share in LEFT.items())


def test_the_first_model_has_come_nearer_to_whisper(recipe: Recipe) -> None:
    distil.begin(recipe)
    assert_nearer(recipe, torch.load(recipe.work / distil.NAME, weights_only=True))


def test_a_step_that_is_done_is_not_learned_again(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, learned = recipe.data["begin"], []
    steps.append(steps[0] | {"minutes": 1})

    def learn(_recipe: Recipe, pupil: distil.Pupil, _teacher: distil.Teacher, step: dict[str, Any]) -> None:
        learned.append("minutes" if "minutes" in step else "steps")
        pupil.ctc.ctc_lo.bias.data += 1.0

    monkeypatch.setattr(distil, "learn_listed", learn)
    monkeypatch.setattr(distil, "learn_resident", learn)
    distil.begin(recipe)
    (recipe.work / "begin-1.pth").unlink()
    distil.begin(recipe)
    assert learned == ["steps", "minutes", "minutes"]
    begun, first = (torch.load(recipe.work / name, weights_only=True) for name in (distil.NAME, "begin-0.pth"))
    torch.testing.assert_close(begun["ctc.ctc_lo.bias"], first["ctc.ctc_lo.bias"] + 1.0)


def test_it_comes_nearer_too_where_all_speech_is_on_the_device(recipe: Recipe) -> None:
    speech = of_lists(recipe, recipe.work / "train-0", "cpu", {}).joined(2, 5 * SAMPLE_RATE, np.random.default_rng(0))
    step = recipe.data["begin"][0] | {"minutes": 4, "rises": 0.1, "cut_off": 0.5}  # of 240 steps
    pupil, teacher = distil.taught(recipe)
    around = Surroundings([], [read_audio(recipe.work / "chirp.wav")])
    resident.learn(pupil, teacher, speech, around, step, 1, count().__next__)
    assert_nearer(recipe, pupil.state_dict())


def test_a_batch_holds_what_is_said_and_nothing_behind_it(recipe: Recipe) -> None:
    heard = zip(range(8), distil.batches(recipe, recipe.data["begin"][0]), strict=False)
    counts = [(tokens != distil.NO_TOKEN).sum(1).tolist() for _, (audio, tokens) in heard if len(audio) == len(tokens)]
    assert len(counts) == 8 and {count for batch in counts for count in batch} == {0, 2}
    assert max(map(len, counts)) == 2  # of three seconds each, in six


def test_features_are_brought_to_whispers_scale(recipe: Recipe) -> None:
    distil.write_statistics(recipe, BINS)
    power = torch.tensor([1e-10, 1e-4, 1.0, 10.0])[None, :, None].expand(1, 4, BINS)
    features, _ = GlobalMVN(str(recipe.work / STATISTICS))(power.log(), torch.tensor([4]))
    torch.testing.assert_close(features, power.log10() / 4 + 1)
