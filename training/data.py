"""Stage `data`: recorded and synthetic speech -> Kaldi-style lists that ESPnet2 reads, one folder per curriculum step.

Only rows whose role is `train` become training speech; `test` rows are never opened here.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from audio import SAMPLE_RATE, Samples
from recognizer.kana import hiragana, reading
from training import asterisk
from training.augment import hiss
from training.recipe import Recipe

FIXTURES = Path(os.environ.get("SPEECH_FIXTURES", "../shared/speech"))
# files of a recipe's folder
BPE_MODEL, NGRAM, STATISTICS, TOKENS = "bpe.model", "ngram.npz", "feats_stats.npz", "tokens.txt"
NOT_KANA = re.compile(r"[^ぁ-ゖー]")


@dataclass(frozen=True)
class Clip:
    """One audio file with what is said in it; `kind` is word, sentence, connected or empty."""

    id: str
    corpus: str
    speaker: str
    kind: str
    text: str
    path: Path
    samples: int
    prompt: str = ""  # the text that a synthetic voice was given
    places: tuple[int, ...] = ()  # samples between its words, where the voice knows

    @property
    def audio(self) -> Samples:
        return read_audio(self.path.resolve())


def manifest(role: str) -> list[dict[str, Any]]:
    """The rows of the speech manifest with this role."""
    lines = (FIXTURES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["role"] == role]


def read_audio(path: str | Path) -> Samples:
    """A file of the fixtures, or any other by its full path."""
    audio: Samples
    audio, rate = soundfile.read(FIXTURES / path, dtype="float32")
    if rate != SAMPLE_RATE:
        raise SystemExit(f"{path} is at {rate} Hz; speech is kept at {SAMPLE_RATE} Hz")
    return audio


def normalise(transcript: str) -> str:
    """English: lower case, letters and apostrophes only, single spaces."""
    return " ".join(re.sub(r"[^a-z' ]", " ", transcript.lower()).split())


def spoken_text(row: dict[str, Any]) -> str:
    """What a model shall write for this row: words in English, the reading in kana in Japanese."""
    if row["lang"] == "en":
        return normalise(row["transcript"])
    return NOT_KANA.sub("", hiragana(row.get("reading") or reading(row["transcript"]) or ""))


def clip_of(row: dict[str, Any]) -> Clip:
    path = FIXTURES / row["path"]
    corpus, name = row["path"].split("/")[0], row["id"].replace("/", "-")
    kind = "word" if row.get("kind") == "word" or corpus == "fsdd" else "sentence"
    return Clip(name, corpus, row.get("speaker", ""), kind, spoken_text(row), path, soundfile.info(path).frames)


def recordings(corpora: Sequence[str]) -> list[Clip]:
    """Human speech that may train."""
    return [clip_of(row) for row in manifest("train") if row["path"].split("/")[0] in corpora]


def telephone(folder: Path) -> Iterator[Clip]:
    """The prompts of a telephone exchange; its corpus is `asterisk`, with one speaker."""
    for name, heard, audio in asterisk.recorded():
        path, text = folder / f"asterisk-{name}.wav", normalise(heard)
        kind = "sentence" if " " in text else "word"
        yield written(Clip(path.stem, "asterisk", "asterisk_allison", kind, text, path, len(audio)), audio)


def synthetic(recipe: Recipe, *, unseen: bool = False) -> Iterator[Clip]:
    """What stage `synthesise` has made so far; `unseen` is what no step trains on."""
    for rows in sorted((recipe.work / "synthetic").glob("*/rows.jsonl")):
        if rows.parent.name.startswith("unseen") == unseen:
            for row in map(json.loads, rows.read_text(encoding="utf-8").splitlines()):
                name = f"synthetic-{rows.parent.name}-{Path(row['path']).stem}"
                path = rows.parent / row["path"]
                said = (row["kind"], row["transcript"], path, row["samples"], row["prompt"])
                yield Clip(name, "synthetic", row["voice"], *said, tuple(row.get("places", ())))


def held_out(recipe: Recipe, clips: list[Clip]) -> set[str]:
    """Ids of the development set: whole speakers, or every speaker's share of the words."""
    speakers = set(recipe.data.get("held_out_speakers", []))
    if missing := speakers - {clip.speaker for clip in clips}:
        raise SystemExit(f"held_out_speakers names nobody in the data: {sorted(missing)}")
    texts = sorted({clip.text for clip in clips if clip.kind == "word"})
    share = float(recipe.data.get("held_out_words", 0.0))
    chosen = set(np.random.default_rng(recipe.data["seed"]).permutation(texts)[: round(share * len(texts))])
    return {clip.id for clip in clips if clip.speaker in speakers or clip.text in chosen}


def connected(clips: list[Clip], count: int, space: str, folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Isolated words of one speaker in a row, so that words learned alone are heard together."""
    by_speaker = defaultdict(list)
    for clip in clips:
        if clip.kind == "word":
            by_speaker[(clip.corpus, clip.speaker)].append(clip)
    speakers = sorted(by_speaker)
    for number in range(count if speakers else 0):
        corpus, speaker = speakers[number % len(speakers)]
        words = by_speaker[corpus, speaker]
        chosen = [words[i] for i in rng.integers(len(words), size=rng.integers(2, 8))]
        parts = [part for clip in chosen for part in (clip.audio, gap(rng))]
        text = space.join(clip.text for clip in chosen)
        path, audio = folder / f"connected-{corpus}-{number:05d}.wav", np.concatenate(parts[:-1])
        yield written(Clip(path.stem, corpus, speaker, "connected", text, path, len(audio)), audio)


def gap(rng: np.random.Generator) -> Samples:
    return hiss(int(rng.integers(160, 5600)), rng)


def silences(seconds: float, folder: Path, rng: np.random.Generator) -> Iterator[Clip]:
    """Noise and near silence whose transcript is empty: a model must learn to say nothing."""
    noises = [read_audio(row["path"]) for row in manifest("noise")]
    number, made = 0, 0.0
    while made < seconds:
        length = int(rng.uniform(0.8, 5.0) * SAMPLE_RATE)
        source = noises[number % len(noises)] if number % 3 else hiss(length, rng)
        start = rng.integers(max(1, len(source) - length))
        path, audio = folder / f"empty-{number:04d}.wav", source[start : start + length]
        yield written(Clip(path.stem, "empty", "noise", "empty", "", path, len(audio)), audio)
        number, made = number + 1, made + length / SAMPLE_RATE


def written(clip: Clip, audio: Samples) -> Clip:
    clip.path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(clip.path, audio, SAMPLE_RATE, subtype="PCM_16")
    return clip


def fits(clip: Clip, step: dict[str, Any]) -> bool:
    """Whether a curriculum step takes this clip."""
    wanted = clip.kind in step.get("kinds", [clip.kind]) and clip.corpus in step.get("corpora", [clip.corpus])
    return (wanted or clip.kind == "empty") and clip.samples <= step["max_seconds"] * SAMPLE_RATE


def repeated(clip: Clip, step: dict[str, Any]) -> list[str]:
    """The ids under which a step lists this clip: rare corpora and programs more often; a kind may be left out."""
    times, program = step.get("repeat", {}), clip.speaker.split("/")[0]
    takes = 1 if clip.kind == "connected" else times.get(clip.corpus, times.get(program, times.get(clip.kind, 1)))
    return [f"{clip.id}-{take}" for take in range(takes)]


def write_set(clips: list[Clip], folder: Path, step: dict[str, Any]) -> float:
    """`wav.scp`, `text` and `speech_shape`; returns hours."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(((name, clip) for clip in clips for name in repeated(clip, step)), key=lambda row: row[0])
    columns: dict[str, list[object]] = {
        "wav.scp": [clip.path.resolve() for _, clip in rows],
        "text": [clip.text for _, clip in rows],
        "speech_shape": [clip.samples for _, clip in rows],
    }
    for name, column in columns.items():
        text = "".join(f"{row[0]} {value}\n" for row, value in zip(rows, column, strict=True))
        (folder / name).write_text(text, encoding="utf-8")
    return sum(clip.samples for _, clip in rows) / SAMPLE_RATE / 3600


def column(path: Path) -> list[str]:
    """What stands behind the ids of a list."""
    return [line.partition(" ")[2] for line in path.read_text(encoding="utf-8").splitlines()]


class Tokenizer:
    """Texts -> numbers of a recipe's tokens: characters, or pieces of its SentencePiece model."""

    def __init__(self, recipe: Recipe) -> None:
        self.names = (recipe.work / TOKENS).read_text(encoding="utf-8").splitlines()
        self.ids = {name: number for number, name in enumerate(self.names)}
        pieces = recipe.asr["token_type"] == "bpe"
        self.model = SentencePieceProcessor(model_file=str(recipe.work / BPE_MODEL)) if pieces else None

    def __call__(self, text: str) -> NDArray[np.int64]:
        units = self.model.encode(text, out_type=str) if self.model else text
        return np.array([self.ids.get(unit, self.ids["<unk>"]) for unit in units], np.int64)


def units(texts: list[str], recipe: Recipe) -> list[str]:
    """What the model writes with: characters, or the pieces of a SentencePiece model: Whisper's, or trained here."""
    if recipe.asr["token_type"] == "char":
        return ["<space>" if each == " " else each for each in sorted(set("".join(texts)))]
    model = recipe.work / BPE_MODEL
    if "merges" in recipe.data:
        from training.whisper_text import write_pieces  # needs torch, which who only reads recordings does not

        write_pieces(model, recipe.data["merges"])
    else:
        settings = {"vocab_size": recipe.data["pieces"], "character_coverage": 1.0, "hard_vocab_limit": False}
        with model.open("wb") as file:
            SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=file, minloglevel=2, **settings)
    pieces = SentencePieceProcessor(model_file=str(model))
    return [pieces.id_to_piece(number) for number in range(3, len(pieces))]  # its own first three: <unk>, <s>, </s>


def data(recipe: Recipe) -> None:
    rng = np.random.default_rng(recipe.data["seed"])
    human, made = recordings(recipe.data["corpora"]), recipe.work / "made"
    kept_back = held_out(recipe, human)
    train = [clip for clip in human if clip.id not in kept_back] + list(synthetic(recipe))
    train += telephone(made) if recipe.data.get("telephone") else []
    train = [clip for clip in train if clip.text]
    for corpus, count in recipe.data["connected"].items():
        train += list(connected([clip for clip in train if clip.corpus == corpus], count, recipe.space, made, rng))
    train += silences(recipe.data["empty_s"], made, rng)
    dev = [clip for clip in human if clip.id in kept_back and clip.text] + list(synthetic(recipe, unseen=True))
    for number, step in enumerate(recipe.curriculum):
        hours = write_set([clip for clip in train if fits(clip, step)], recipe.work / f"train-{number}", step)
        print(f"step {number}: {hours:.1f} h")
    print(f"dev: {write_set(dev, recipe.work / 'dev', {}):.1f} h, {len(dev)} utterances")
    tokens = ["<blank>", "<unk>", *units(sorted({clip.text for clip in train}), recipe), "<sos/eos>"]
    (recipe.work / TOKENS).write_text("\n".join(tokens) + "\n", encoding="utf-8")
