"""The recipe's own code: what becomes training speech, and what never does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from sentencepiece import SentencePieceProcessor

from audio import SAMPLE_RATE
from training import synthesise
from training.data import (
    BPE_MODEL,
    Clip,
    connected,
    fits,
    held_out,
    manifest,
    normalise,
    recordings,
    silences,
    spoken_text,
    units,
    write_set,
)
from training.evaluate import CHARACTERS, KANA, WORDS, Spoken, errors, errors_so_far, interval, rate
from training.prompts import PROMPTS, Prompt, plain, sentences
from training.recipe import Recipe, load_recipe

RNG = np.random.default_rng(0)


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.full(1_600, 0.5, np.float32), SAMPLE_RATE)
    return path


def clip(text: str, path: Path = Path(), speaker: str = "fsdd_a", kind: str = "word", samples: int = 1_600) -> Clip:
    return Clip(text, speaker.split("_")[0], speaker, kind, text, path, samples)


def recipe(**data: object) -> Recipe:
    return Recipe("x", {"seed": 1} | data, [], {}, {})


def test_english_keeps_letters_and_apostrophes_only() -> None:
    assert normalise("Don't STOP, it's 9!") == "don't stop it's"


@pytest.mark.parametrize(
    "row, text",
    [
        ({"lang": "ja", "transcript": "丁目", "reading": "チョウメ"}, "ちょうめ"),
        ({"lang": "ja", "transcript": "学校へ、行きました。"}, "がっこうへいきました"),
        ({"lang": "en", "transcript": "GO!"}, "go"),
    ],
)
def test_japanese_is_learned_as_it_is_read(row: dict[str, str], text: str) -> None:
    assert spoken_text(row) == text


@pytest.mark.parametrize("space", [" ", ""])
def test_connected_words_are_of_one_speaker(spoken: Path, tmp_path: Path, space: str) -> None:
    words = [
        clip("one", spoken),
        clip("two", spoken),
        clip("six", spoken, "fsdd_b"),
        clip("go", spoken, kind="sentence"),
    ]
    for made in connected(words, 10, space, tmp_path / "made", RNG):
        known = ("one", "two") if made.speaker == "fsdd_a" else ("six",)
        count = sum(made.text.count(word) for word in known)
        assert 2 <= count <= 7 and len(made.text) == 3 * count + len(space) * (count - 1)
        assert made.samples == len(made.audio) > count * 1_600


def test_held_out_words_are_held_out_for_every_speaker() -> None:
    clips = [clip(word, speaker=speaker) for word in "abcdefghij" for speaker in ("x_f", "x_m")]
    clips = [Clip(f"{n}", *list(vars(one).values())[1:]) for n, one in enumerate(clips)]
    kept_back = held_out(recipe(held_out_words=0.2), clips)
    texts = {one.text for one in clips if one.id in kept_back}
    assert len(kept_back) == 4 and len(texts) == 2
    with pytest.raises(SystemExit, match="names nobody"):
        held_out(recipe(held_out_speakers=["nobody"]), clips)


def test_a_step_takes_what_it_names_and_always_the_empty_ones(tmp_path: Path, spoken: Path) -> None:
    step = {"max_seconds": 1.0, "kinds": ["word"], "corpora": ["fsdd"], "repeat": {"fsdd": 2}}
    assert fits(clip("a"), step) and fits(clip("", speaker="noise", kind="empty"), step)
    assert not fits(clip("a", speaker="an4_x"), step) and not fits(clip("a", kind="sentence"), step)
    assert not fits(clip("a", samples=SAMPLE_RATE + 1), step)
    hours = write_set([clip("one", spoken)], tmp_path, step)
    assert hours == pytest.approx(2 * 0.1 / 3600)
    assert (tmp_path / "text").read_text() == "one-0 one\none-1 one\n"
    assert (tmp_path / "speech_shape").read_text() == "one-0 1600\none-1 1600\n"


def test_what_one_program_speaks_can_be_heard_more_often(tmp_path: Path, spoken: Path) -> None:
    clips = [Clip(program, "synthetic", f"{program}/x", "word", program, spoken, 1_600) for program in ("old", "new")]
    write_set(clips, tmp_path, {"max_seconds": 1.0, "repeat": {"new": 3}})
    assert (tmp_path / "text").read_text() == "new-0 new\nnew-1 new\nnew-2 new\nold-0 old\n"
    write_set(clips, tmp_path, {"max_seconds": 1.0, "repeat": {"new": 1, "word": 0}})
    assert (tmp_path / "text").read_text() == "new-0 new\n"


def test_a_model_writes_with_characters_or_with_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert units(["かな", "な"], Recipe("x", {}, [], {"token_type": "char"}, {})) == ["か", "な"]
    assert units(["b a"], Recipe("x", {}, [], {"token_type": "char"}, {})) == ["<space>", "a", "b"]
    by_pieces = Recipe("x", {"pieces": 60}, [], {"token_type": "bpe"}, {})
    by_pieces.work.mkdir(parents=True)
    texts = ["turn the light on", "don't turn the radio on", "the light in the hall is on"]
    pieces = units(texts, by_pieces)
    written = SentencePieceProcessor(model_file=str(by_pieces.work / BPE_MODEL)).encode(texts, out_type=str)
    assert {piece for text in written for piece in text} <= set(pieces)
    assert len(set(pieces)) == len(pieces) < 60
    assert all(len(cut) < len(text) for cut, text in zip(written, texts, strict=True))


def test_only_train_rows_are_recordings(speech_fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.FIXTURES", speech_fixtures)
    tested = sorted({row["path"].split("/")[0] for row in manifest("test")})
    assert tested and recordings(tested) == []
    empty = list(silences(5.0, tmp_path, RNG))
    assert empty and all(one.text == "" and len(one.audio) == one.samples for one in empty)


@pytest.mark.parametrize("lang, fewest", [("ja", 9_000), ("en", 15_000)])
def test_no_sentence_of_the_test_rows_is_a_prompt(speech_fixtures: Path, lang: str, fewest: int) -> None:
    if not PROMPTS.exists():
        pytest.skip(f"no prompts in {PROMPTS}")
    recipe = Recipe("any", {"lang": lang, "own_sentences": 50, "seed": 1}, [], {}, {})
    tested = {plain(row["transcript"]) for row in manifest("test")}
    spoken = sentences(recipe)
    assert len(spoken) > fewest and len({one.id for one in spoken}) == len(spoken)
    assert not tested & {plain(one.text) for one in spoken}


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(SystemExit, match="no recipe named 'x'; there are: en-small, ja-small"):
        load_recipe("x")


def test_error_rate_and_its_interval() -> None:
    pairs: Sequence[tuple[str, str]] = [("one two", "one two three"), ("", "six"), ("a", "a")]
    counts = [errors(WORDS, hypothesis, Spoken(Path(), text, text)) for hypothesis, text in pairs]
    assert counts == [(1, 3), (1, 1), (0, 1)] and rate(counts) == 40.0
    low, high = interval(counts, RNG)
    assert 0 <= low <= 40 <= high <= 100


def test_characters_are_compared_without_punctuation_and_width() -> None:
    spoken_one = Spoken(Path(), "", "「１２月、学校へ。」")
    assert errors(CHARACTERS, "12月学校え", spoken_one) == (1, 6)


@pytest.mark.parametrize(
    "heard, counts",
    [("", (0, 0)), ("がっこう", (0, 4)), ("がっこ", (0, 3)), ("がこう", (1, 4)), ("がっこうへえ", (1, 6))],
)
def test_a_draft_is_compared_with_what_has_been_said_so_far(heard: str, counts: tuple[int, int]) -> None:
    assert errors_so_far(KANA, heard, Spoken(Path(), "がっこうへいく", "")) == counts


@pytest.mark.filterwarnings("default")  # torch's own
def test_a_recipe_begins_with_what_its_stage_leaves() -> None:
    from training.distil import NAME

    recipe = load_recipe("en-small")
    source, *_ = recipe.asr["init_param"][0].split(":")
    assert source == str(recipe.work / NAME)


@pytest.mark.filterwarnings("default")
def test_a_model_may_be_whole_when_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from tests.tiny_model import CONFIG, build_tiny_model
    from training.distil import NAME
    from training.pack import average
    from training.train import write_config

    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    made = Recipe("x", {}, [{"max_epoch": 0}], {"token_type": "char", "normalize": None}, {})
    for name in ("train-0", "dev"):
        (tmp_path / name).mkdir()
    write_config(made, 0)
    assert "dry_run: true" in (tmp_path / "exp-0" / "recipe.yaml").read_text()
    (tmp_path / "exp-0" / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    model, _ = build_tiny_model()
    learned = {name: w + 1 for name, w in model.state_dict().items() if name.startswith(("enc", "dec"))}
    torch.save(learned, tmp_path / NAME)
    average(made)
    packed = torch.load(tmp_path / "ave.pth", weights_only=True)
    assert packed.keys() == model.state_dict().keys()
    assert all(torch.equal(packed[name], value) for name, value in learned.items())


def test_the_best_checkpoints_are_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.pack import best_checkpoints, mean_of, sources

    recipe = Recipe("x", {}, [{}], {"keep_nbest_models": 5, "best_model_criterion": [["valid", "acc", "max"]]}, {})
    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    folder = tmp_path / "exp-0"
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
    lowest = replace(recipe, asr={"keep_nbest_models": 1, "best_model_criterion": [["valid", "acc", "min"]]})
    assert [path.stem for path in best_checkpoints(lowest)] == []  # deleted
    assert sources(recipe) == pytest.approx(dict.fromkeys(best, 1 / 3))
    assert mean_of({best[0]: 0.5, best[1]: 0.25, best[2]: 0.25}) == {"w": torch.tensor([2.75]), "n": torch.tensor(2)}
    chosen = replace(recipe, pack={"mean_of": {3: 0.7, 1: 0.3}})
    assert sources(chosen) == {tmp_path / "exp-3" / "latest.pth": 0.7, tmp_path / "exp-1" / "latest.pth": 0.3}
    only_begun = replace(chosen, curriculum=[{"max_epoch": 0}])
    assert sources(only_begun) == {tmp_path / "begin-3.pth": 0.7, tmp_path / "begin-1.pth": 0.3}
    assert sources(replace(only_begun, pack={})) == {tmp_path / "begin.pth": 1.0}
    resident = replace(recipe, curriculum=[{"minutes": 1}])
    with pytest.raises(SystemExit, match="no checkpoint"):
        best_checkpoints(resident)
    torch.save({"w": torch.tensor([1.0])}, folder / "latest.pth")
    assert best_checkpoints(resident) == [folder / "latest.pth"]


@pytest.mark.parametrize(("bits", "error"), [(10, 2.0**-11), (3, 2.0**-4)])
def test_weights_are_rounded_to_the_nearest(bits: int, error: float) -> None:
    import torch

    from training.pack import rounded

    weights = torch.tensor([[1.0, -1.06, 1.07, 0.999, -0.0371, 250.0, 0.0]])
    stored = rounded(weights, bits)
    assert stored.dtype is torch.float16 and stored[0, 0] == 1.0 and stored[0, -1] == 0.0
    assert ((stored.float() - weights).abs() <= error * weights.abs()).all()
    assert len(set((stored.view(torch.int16) & ((1 << 10 - bits) - 1)).flatten().tolist())) == 1  # nothing behind
    assert torch.equal(rounded(weights[0], bits), weights[0].half())  # gains and biases are few


def test_every_take_speaks_all_its_prompts_and_what_is_kept_for_evaluation_has_a_voice_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {
        name: [Prompt(f"{name}_{n}", "hello", name) for n in range(250)] for name in ("words", "sentences", "unseen")
    }
    monkeypatch.setattr(synthesise, "prompts", lambda _: texts)
    takes: list[dict[str, object]] = [
        {"prompts": ["words", "sentences"], "voices": ["a", "b"]},
        {"prompts": ["sentences"], "first": 210, "voices": ["c"]},
    ]
    data = {"lang": "en", "synthetic": {"seed": 1, "held_out_voice": "d", "takes": takes}}
    shards = {shard.folder.name: shard for shard in synthesise.planned(recipe(**data))}
    heard = {name: (tuple(shard.voices), shard.varied) for name, shard in shards.items()}
    assert heard == {f"{name}-{take}-00{part}": voices for part in (0, 1) for (name, take), voices in {
        ("unseen", 0): (("d",), False), ("words", 0): (("a", "b"), True),
        ("sentences", 0): (("a", "b"), True), ("sentences", 1): (("c",), True),
    }.items()}  # fmt: skip
    assert shards["sentences-0-000"].prompts + shards["sentences-0-001"].prompts == texts["sentences"]
    assert shards["sentences-1-000"].prompts + shards["sentences-1-001"].prompts == texts["sentences"][:210]
    assert shards["sentences-0-000"].seed != shards["sentences-1-000"].seed
