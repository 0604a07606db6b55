"""Whisper's decoder in ESPnet2's: the same numbers, but for what distillation has to make good; and its tokens."""

from pathlib import Path

import pytest
import torch
from espnet2.asr.decoder.transformer_decoder import TransformerDecoder
from sentencepiece import SentencePieceProcessor

from tests.small_whisper import BLOCKS, END, FORWARD, NO_TIMES, TOKENS, WIDTH, constants, packed
from training import whisper, whisper_text

OURS = ["<blank>", "<unk>", "▁the", "▁th", "▁t", "t", "h", "e", "i", "n", "a", "▁", "'", "<sos/eos>"]


pytestmark = pytest.mark.usefixtures("_small_whisper")


@pytest.fixture
def weights() -> whisper.Weights:
    return whisper.read(packed(constants()))


@pytest.fixture
def pieces(tmp_path: Path) -> SentencePieceProcessor:
    whisper_text.write_pieces(tmp_path / "bpe.model", 4)
    return SentencePieceProcessor(model_file=str(tmp_path / "bpe.model"))


def test_words_are_cut_as_whisper_cuts_them(pieces: SentencePieceProcessor) -> None:
    assert pieces.encode("the then", out_type=str) == ["▁the", "▁the", "n"]
    assert pieces.encode("then")[-1] == pieces.unk_id()  # no merge has an n
    assert [pieces.id_to_piece(number) for number in range(7)] == ["<unk>", "<s>", "</s>", "th", "▁th", "▁the", "▁t"]
    assert pieces.encode("th t", out_type=str) == ["▁th", "▁t"]


def test_a_token_means_what_its_small_letters_begin_with(pieces: SentencePieceProcessor) -> None:
    ours = ["<blank>", "<unk>", *(pieces.id_to_piece(number) for number in range(3, len(pieces))), "<sos/eos>"]

    def numbered(text: str) -> list[int]:
        return [ours.index(piece) if piece in ours else 1 for piece in pieces.encode(text, out_type=str)]

    meanings = whisper_text.meanings(ours, TOKENS, numbered).tolist()
    meant = {token: ours[number] for token, number in zip(TOKENS, meanings, strict=True) if number >= 0}
    assert meant["ĠThe"] == meant["Ġthe"] == meant["ĠThein"] == "▁the"
    assert meant["th"] == "th" and meant["<|endoftext|>"] == "<sos/eos>"
    assert not {"A", "9", "Ġ,", "<|startoftranscript|>", "Ġ"} & meant.keys()


def test_probability_goes_to_what_a_token_means() -> None:
    meaning = torch.tensor([1, 0, 1, -1])
    meant = whisper_text.meant(torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log(), meaning, 3)
    torch.testing.assert_close(meant, torch.tensor([[0.2, 0.4, 0.0]]) / 0.6)


@pytest.fixture
def decoder(weights: whisper.Weights) -> TransformerDecoder:
    """ESPnet2's, with Whisper's weights."""
    made = TransformerDecoder(
        len(OURS), WIDTH, attention_heads=2, linear_units=FORWARD, num_blocks=BLOCKS, dropout_rate=0.0
    )
    made.load_state_dict(whisper_text.state(weights, OURS, TOKENS, made.embed[1].pe[0]))
    return made.eval()


def test_the_rotation_keeps_lengths_and_means(weights: whisper.Weights, decoder: TransformerDecoder) -> None:
    rotation = whisper_text.turn(weights, decoder.embed[1].pe[0])
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(WIDTH), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(rotation.sum(0), torch.ones(WIDTH), atol=1e-5, rtol=0.0)


def test_it_brings_the_positions_nearer(weights: whisper.Weights, decoder: TransformerDecoder) -> None:
    sines, rotation = decoder.embed[1].pe[0], whisper_text.turn(weights, decoder.embed[1].pe[0])
    theirs = weights["decoder/position_encodings/encodings"][1:9]
    theirs, sines = theirs - theirs.mean(0), sines[:8] - sines[:8].mean(0)
    alike = torch.cosine_similarity(theirs @ rotation.T, sines).mean()
    assert alike > 0.3 + torch.cosine_similarity(theirs, sines).mean()


def test_with_whispers_activation_and_positions_it_says_what_whisper_says(
    weights: whisper.Weights, decoder: TransformerDecoder
) -> None:
    positions = weights["decoder/position_encodings/encodings"]
    sines, rotation = decoder.embed[1].pe[0], whisper_text.turn(weights, decoder.embed[1].pe[0])
    moved = whisper_text.STRETCH * (positions[1:] - positions[1:9].mean(0)) @ rotation.T + sines[:8].mean(0)
    decoder.embed[1].pe = moved[None]
    for layer in decoder.decoders:
        layer.feed_forward.activation = torch.nn.GELU()
    hidden = torch.randn(1, 12, WIDTH, generator=torch.Generator().manual_seed(0))
    numbers = whisper_text.numbers(OURS, TOKENS)
    ours = torch.tensor([[len(OURS) - 1, 2, 5, 6]])
    weights["decoder/position_encodings/encodings"] = positions[1:]  # ESPnet's start is Whisper's second token
    theirs = torch.tensor([[NO_TIMES, *(numbers[token] for token in (2, 5, 6))]])
    with torch.inference_mode():
        *_, logits = whisper_text.decode(weights, theirs, hidden)
        scores, _ = decoder(hidden, torch.tensor([12]), ours, torch.tensor([4]))
    kept = [ours for ours, number in enumerate(numbers) if number >= 0]
    expected = logits[..., [numbers[number] for number in kept]]
    torch.testing.assert_close(scores[..., kept], expected, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(scores[..., -1], logits[..., END], atol=2e-3, rtol=1e-3)
    assert (scores[..., :2] == whisper_text.NEVER).all()
