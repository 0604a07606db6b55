"""The recipe's own code: what becomes training speech, and what never does."""

from pathlib import Path

import numpy as np
import pytest

from training.data import Clip, at_speed, digit_strings, normalise, place, recordings, silences, tokens
from training.evaluate import interval, rate, word_errors
from training.recipe import load_recipe

RNG = np.random.default_rng(0)


def clip(text: str, speaker: str = "fsdd_a") -> Clip:
    return Clip(text, speaker, text, np.full(1_600, 0.5, np.float32))


def test_transcripts_keep_letters_and_apostrophes_only() -> None:
    assert normalise("Don't STOP, it's 9!") == "don't stop it's"


def test_digit_strings_are_of_one_speaker() -> None:
    digits = [clip("one"), clip("two"), clip("six", "fsdd_b"), clip("enter", "an4_c")]
    for string in digit_strings(digits, 10, RNG):
        words = set(string.text.split())
        assert words <= ({"one", "two"} if string.speaker == "fsdd_a" else {"six"})
        assert 2 <= len(string.text.split()) <= 7 and len(string.audio) > 2 * 1_600


def test_speed_changes_the_length() -> None:
    assert len(at_speed(clip("one"), 1.25).audio) == pytest.approx(1_280, abs=2)
    assert at_speed(clip("one"), 1.0).id == "one"


def test_placing_pads_and_sets_the_level() -> None:
    recipe = load_recipe("en-small")
    placed = place(clip("one"), recipe, RNG)
    assert len(placed.audio) >= 1_600 + 2 * 800
    assert 10 ** (-30 / 20) * 0.99 <= np.abs(placed.audio).max() <= 1.0


def test_tokens_begin_and_end_as_espnet_wants() -> None:
    assert tokens([clip("a b")])[:3] == ["<blank>", "<unk>", "<space>"] and tokens([])[-1] == "<sos/eos>"


def test_only_train_rows_are_recordings(speech_fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.FIXTURES", speech_fixtures)
    assert recordings(["librispeech", "jfk", "ljspeech", "mfa", "speechbrain", "commonvoice_ja"]) == []
    empty = list(silences(5.0, RNG))
    assert empty and all(one.text == "" for one in empty)


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(SystemExit, match="no recipe named 'x'; there are: en-small"):
        load_recipe("x")


def test_word_error_rate_and_its_interval() -> None:
    counts = [word_errors("one two", "one two three"), word_errors("", "six"), word_errors("a", "a")]
    assert counts == [(1, 3), (1, 1), (0, 1)] and rate(counts) == 40.0
    low, high = interval(counts, RNG)
    assert 0 <= low <= 40 <= high <= 100


@pytest.mark.filterwarnings("default")  # torch's own
def test_the_best_checkpoints_are_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.pack import average, best_checkpoints
    from training.recipe import Recipe

    recipe = load_recipe("en-small")
    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    folder = tmp_path / f"exp-{len(recipe.curriculum) - 1}"
    with pytest.raises(SystemExit, match="no checkpoint"):
        best_checkpoints(recipe)
    folder.mkdir()
    accuracies = {1: 0.2, 2: 0.9, 3: 0.5, 4: 0.8}
    stats = {epoch: {"valid": {"acc": accuracy}} for epoch, accuracy in accuracies.items()}
    torch.save({"reporter": {"stats": stats}}, folder / "checkpoint.pth")
    for epoch in (2, 3, 4):  # the trainer deleted the worst
        torch.save({"w": torch.tensor([float(epoch)]), "n": torch.tensor(epoch)}, folder / f"{epoch}epoch.pth")
    best = best_checkpoints(recipe)
    assert [path.stem for path in best] == ["2epoch", "4epoch", "3epoch"]
    assert average(best) == {"w": torch.tensor([3.0]), "n": torch.tensor(2)}
