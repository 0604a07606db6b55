"""Training with its speech on one device: here a CPU."""

import re
from collections import Counter, defaultdict
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from audio import SAMPLE_RATE, Samples
from tests.tiny_model import CONFIG, TOKENS
from training.augment import Surroundings, coloured, drawn_room
from training.data import Tokenizer
from training.gpu.augment import Augmenter, clipped, levelled, mu_law, peak, power
from training.gpu.corpus import Corpus, clip, cut, of_lists, word_ends
from training.gpu.loop import configured, let_pass, step_size, train
from training.kernels import GRID_SAMPLES
from training.recipe import Recipe

NOISE = coloured(8_000, np.random.default_rng(2))
SURROUNDINGS = Surroundings([drawn_room(np.random.default_rng(1))], [NOISE])


def tone(seconds: float, hertz: float = 440.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def corpus(*seconds: float, takes: int = 1) -> Corpus:
    texts = [np.array([3 + number % 20, 4], np.int64) for number in range(len(seconds))]
    return Corpus.of([clip(tone(each)) for each in seconds], texts, [takes] * len(seconds), "cpu")


def heard(strength: float, *seconds: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    speech = corpus(*seconds)
    augment = Augmenter(speech, SURROUNDINGS, strength)
    return augment(np.arange(len(seconds)), speech.samples, np.random.default_rng(seed))


def similarity(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, other]))[0, 1])


def test_every_take_of_every_utterance_is_heard_in_an_epoch() -> None:
    rng = np.random.default_rng(0)
    speech = corpus(0.5, 1.0, 0.2, 0.8, 0.3, takes=3)
    epoch = len(cut(np.repeat(np.arange(5), 3), speech.samples, 24_000))
    batches = list(islice(speech.batches(24_000, rng), epoch + 2))
    assert Counter(np.concatenate(batches).tolist()).total() >= 15
    assert all(len(batch) * speech.samples[batch].max() <= 24_000 for batch in batches)


def test_a_batch_is_cut_before_it_is_too_large() -> None:
    samples = np.array([100, 200, 300, 900])
    assert [batch.tolist() for batch in cut(np.arange(4), samples, 600)] == [[0, 1], [2], [3]]


def test_without_changes_an_utterance_is_only_padded_and_levelled() -> None:
    audio, lengths, onset = heard(0.0, 0.5, 1.0)
    assert audio.shape[1] % GRID_SAMPLES == 0
    for row, seconds in enumerate((0.5, 1.0)):
        start, spoken = int(onset[row]), int(seconds * SAMPLE_RATE)
        assert similarity(audio[row, start : start + spoken], torch.from_numpy(tone(seconds))) > 0.999
        assert audio[row, :start].abs().max() < 0.01 and 0.02 * SAMPLE_RATE <= start < 0.6 * SAMPLE_RATE
        assert start + spoken < int(lengths[row]) <= start + spoken + 0.6 * SAMPLE_RATE
        assert not audio[row, int(lengths[row]) :].any()


def test_between_samples_the_curve_goes_on() -> None:
    augment = Augmenter(corpus(0.5), SURROUNDINGS, 0.0)
    places = torch.arange(1_000, 4_000, dtype=torch.float64)[None] * 1.37
    expected = 0.5 * np.sin(2 * np.pi * 440 * places[0].numpy() / SAMPLE_RATE)
    only, samples = np.array([0]), np.array([6_000])
    np.testing.assert_allclose(augment.read(only, samples, places)[0].numpy(), expected, atol=1e-3)
    assert not augment.read(only, samples, torch.tensor([[-3.0, 6_003.0, 9_000.0]], dtype=torch.float64)).any()


def test_no_silence_follows_what_still_goes_on() -> None:
    augment = Augmenter(corpus(0.5, 0.5), SURROUNDINGS, 0.0)
    audio, lengths, onset = augment(np.arange(2), np.array([4_000, 8_000]), np.random.default_rng(0))
    assert int(lengths[0]) == int(onset[0]) + 4_000 and int(lengths[1]) > int(onset[1]) + 8_000
    assert peak(audio[:1, int(lengths[0]) - 100 : int(lengths[0])]) > 0.5 * peak(audio[:1])


def speaking_of(*words: str) -> Corpus:
    """Of each text a second; its words end at 0.2 s, 0.4 s and so on, each of two tokens."""
    counts = [len(text.split()) for text in words]
    texts = [np.arange(2 * count, dtype=np.int64) for count in counts]
    ends = [np.arange(1, count)[:, None] * np.array([3_200, 2]) for count in counts]
    return Corpus.of([clip(tone(1.0)) for _ in words], texts, [1] * len(words), "cpu", ends)


def test_an_utterance_is_cut_off_within_a_word_that_is_not_written() -> None:
    speech, rng = speaking_of("turn it on", "go"), np.random.default_rng(0)
    whole, texts = speech.said(np.arange(2), 0.0, rng)
    assert whole.tolist() == [16_000, 16_000] and [len(text) for text in texts] == [6, 2]
    cut = [speech.said(np.arange(2), 1.0, rng) for _ in range(40)]
    assert {(samples[1], len(texts[1])) for samples, texts in cut} == {(16_000, 2)}  # it has but one word
    first = defaultdict(list)
    for samples, texts in cut:
        first[len(texts[0])].append(samples[0])
    assert first.keys() == {2, 4}
    assert 3_200 <= min(first[2]) < max(first[2]) <= 5_120 and 6_400 <= min(first[4]) < max(first[4]) <= 12_160


def test_two_utterances_in_a_row_are_one_with_the_words_of_both() -> None:
    speech = speaking_of("turn it on", "go").joined(20, 3 * SAMPLE_RATE, np.random.default_rng(0))
    assert len(speech.samples) == len(speech.tokens) == len(speech.words) == len(speech.takes) == 22
    for index in range(2, 22):
        ends, tokens = speech.words[index], speech.tokens[index]
        assert 32_800 <= speech.samples[index] <= 41_600 and len(speech.clip(index)) == speech.samples[index]
        assert len(ends) == len(tokens) // 2 - 1 and (np.diff(ends, axis=0) > 0).all()
        assert (ends[:, 1] == 2 * np.arange(1, len(ends) + 1)).all()
        assert (ends == [16_000, 6 if tokens[2:3].tolist() == [2] else 2]).all(axis=1).any()  # where the first one ends
        heard = speech.clip(index)
        assert float(heard[:16_000].abs().float().mean()) > 1_000 and not heard[16_010:16_700].any()
    assert speech.joined(1, 36_000, np.random.default_rng(0)).samples[-1] <= 36_000
    with pytest.raises(ValueError, match="longest is 32000 samples"):
        speech.joined(1, 32_000, np.random.default_rng(0))


def test_words_end_where_the_clip_without_its_silence_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recipe, "work", tmp_path)
    (tmp_path / "tokens.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    tokenizer = Tokenizer(Recipe("x", {}, [], {"token_type": "char"}, {}))
    ends = word_ends("go on up", [4_000, 9_000], 5_000, " ", tokenizer)
    assert ends.tolist() == [[0, 2], [4_000, 5]]
    assert word_ends("go", [], 0, " ", tokenizer).shape == (0, 2)


@pytest.mark.parametrize("seed", range(6))
def test_with_every_change_it_is_still_speech_and_another_each_time(seed: int) -> None:
    audio, lengths, onset = heard(1.0, 0.7, 0.7, 1.1, 0.4, seed=seed)
    assert audio.isfinite().all() and audio.dtype == torch.float32
    assert bool((peak(audio) <= 1.01).all()) and bool((peak(audio) > 0.01).all())
    assert bool((onset[:, 0] < lengths).all())
    assert not torch.equal(audio[0], audio[1])


def test_a_room_leaves_the_loudness() -> None:
    augment, audio = Augmenter(corpus(0.5), SURROUNDINGS, 1.0), torch.from_numpy(tone(1.0))[None]
    assert float(power(augment.reverberated(audio))) == pytest.approx(float(power(audio)), rel=1e-3)


@pytest.mark.parametrize("surroundings", [SURROUNDINGS, Surroundings()])
def test_noise_is_as_loud_as_the_speech_or_fainter(surroundings: Surroundings) -> None:
    augment = Augmenter(corpus(0.5, 0.6), surroundings, 1.0)
    audio = torch.from_numpy(tone(1.0)).repeat(32, 1)
    ratio = 10 * torch.log10(power(audio) / power(augment.disturbed(audio, np.random.default_rng(0)) - audio))
    assert float(ratio.min()) > -0.1 and float(ratio.max()) < 30.1 and float(ratio.std()) > 3


def test_a_telephone_keeps_the_speech() -> None:
    audio = torch.from_numpy(tone(0.5))[None]
    assert similarity(mu_law(audio)[0], audio[0]) > 0.99


def test_clipping_touches_a_tenth_at_most() -> None:
    audio = torch.from_numpy(tone(0.5))[None]
    changed = (clipped(audio, np.random.default_rng(0)) != audio).float().mean()
    assert 0 < float(changed) <= 0.11


def test_levels_are_35_decibels_apart_at_most() -> None:
    levels = peak(levelled(torch.from_numpy(tone(0.2)).repeat(64, 1)))
    assert float(levels.min()) > 0.017 and float(levels.max()) < 1.01


def test_the_step_size_rises_and_falls_to_nothing() -> None:
    sizes = [step_size(progress, 0.1) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert sizes == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])


def config(folder: Path, **changes: object) -> Path:
    (folder / "tokens.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    kept = {key: value for key, value in CONFIG.items() if key not in ("input_size", "token_list", "use_preprocessor")}
    settings = {"token_list": str(folder / "tokens.txt"), "optim_conf": {"lr": 1.0}, "grad_clip": 5.0, "seed": 1}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(kept | settings | changes), encoding="utf-8")
    return path


@pytest.mark.filterwarnings("default")  # torch's own
def test_it_learns_and_leaves_what_the_recipe_goes_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.gpu.loop.LOG_STEPS", 1)
    step = {"minutes": 1, "augment": 0.3, "batch_s": 6, "max_lr": 0.003, "rises": 0.1}  # of 60 steps
    path = config(tmp_path, freeze_param=["encoder.embed"])
    train(path, corpus(0.6, 0.7, 0.8, takes=2), SURROUNDINGS, step, count().__next__)
    losses = [float(loss) for loss in re.findall(r"loss_att ([0-9.]+)", capsys.readouterr().out)]
    assert len(losses) == 59  # the minute is over at the sixtieth
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    weights = torch.load(tmp_path / "latest.pth", weights_only=True)
    assert weights["ctc.ctc_lo.bias"].shape == (len(TOKENS),)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))["encoder"] == "conformer"
    frozen = weights["encoder.embed.out.0.weight"]
    train(config(tmp_path, init_param=[str(tmp_path / "latest.pth")], freeze_param=["encoder.embed"]),
          corpus(0.6), SURROUNDINGS, step | {"minutes": 0.1}, count().__next__)  # fmt: skip
    assert torch.equal(torch.load(tmp_path / "latest.pth", weights_only=True)["encoder.embed.out.0.weight"], frozen)


@pytest.mark.filterwarnings("default")  # torch's own
def test_new_blocks_change_nothing_before_they_learn(tmp_path: Path) -> None:
    encoder = CONFIG["encoder_conf"] | {"macaron_style": True, "num_blocks": 1}
    model, _ = configured(config(tmp_path, encoder_conf=encoder))
    torch.save(model.state_dict(), tmp_path / "before.pth")
    before = [str(tmp_path / "before.pth")]
    deep, _ = configured(config(tmp_path, init_param=before, encoder_conf=encoder | {"num_blocks": 3}))
    features, lengths = torch.randn(2, 90, model.frontend.output_size()), torch.tensor([90, 70])
    shallow = model.encoder.eval()(features, lengths)[0]
    assert not torch.allclose(deep.encoder.eval()(features, lengths)[0], shallow, atol=1e-3)
    let_pass(deep.encoder, 2)
    torch.testing.assert_close(deep.encoder(features, lengths)[0], shallow, atol=1e-4, rtol=1e-4)


def test_a_clip_listed_twice_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recipe, "work", tmp_path)
    (tmp_path / "tokens.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    soundfile.write(tmp_path / "a.wav", tone(0.3), SAMPLE_RATE)
    (tmp_path / "wav.scp").write_text(f"a-0 {tmp_path}/a.wav\na-1 {tmp_path}/a.wav\n", encoding="utf-8")
    (tmp_path / "text").write_text("a-0 go\na-1 go\n", encoding="utf-8")
    (tmp_path / "speech_shape").write_text("a-0 4800\na-1 4800\n", encoding="utf-8")
    recipe = Recipe("x", {"lang": "en"}, [], {"token_type": "char"}, {})
    with pytest.raises(SystemExit, match=r"cut_off: 0\.5; run stage `cuts` first"):
        of_lists(recipe, tmp_path, "cpu", {"cut_off": 0.5})
    speech = of_lists(recipe, tmp_path, "cpu", {})
    assert speech.takes.tolist() == [2] and [ids.tolist() for ids in speech.tokens] == [[9, 17]]
    assert len(speech.audio) == 4_800
