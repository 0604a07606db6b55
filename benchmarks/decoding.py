"""Every search against ESPnet's own, in one process on the same cores: wall time, CPU time, real-time factor, tokens.

Models of LaboroTV's and ReazonSpeech's size have random weights: speed is real, words are not. CTC and decoder are
scaled to speak six tokens a second, as Japanese does.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from audio import SAMPLE_RATE, Samples
from recognizer.decoding import export
from recognizer.decoding.ctc import greedy
from recognizer.decoding.engine import LOCK_STEP, Asked, FastEngine, Search
from recognizer.decoding.joint import Heard, joint_search
from recognizer.decoding.networks import FLOAT32, INT8, Floats
from recognizer.decoding.package import Package
from recognizer.decoding.parts import checked_torch_package
from recognizer.decoding.phrases import build
from recognizer.decoding.results import Calibration, Texts
from recognizer.espnet import build_model, load_stock_engine
from recognizer.limits import max_tokens
from recognizer.loading import load_ngram, rescorers
from recognizer.models import ModelFiles, resolve
from training.data import manifest, read_audio
from training.evaluate import errors, evaluation_sets, measures, padded, rate
from training.recipe import load_recipe

CLIP = "jfk/jfk.flac"  # 11 s
SPOKEN_PER_SECOND = 6  # tokens
TOKENS = 3262  # of LaboroTV's model
BEAM, CTC_WEIGHT = 20, 0.5
ROUNDS = 3
THREADS = 2
BUNDLED = ("en-small", "ja-small")
MODELS = {"laborotv": False, "reazonspeech": True}  # name -> macaron-style feed-forward
Tokens = Sequence[int]
Decode = Callable[[Sequence[Samples]], list[Tokens]]  # of utterances that wait together, in their order
Limit = Callable[[Samples], int]


def configuration(macaron: bool, statistics: Path) -> dict[str, Any]:
    """As the public recipe of LaboroTV and CSJ has it."""
    rates = dict.fromkeys(("dropout_rate", "positional_dropout_rate", "attention_dropout_rate"), 0.1)
    encoder: dict[str, Any] = {
        "output_size": 512,
        "attention_heads": 8,
        "linear_units": 2048,
        "num_blocks": 12,
        **rates,
    }
    encoder |= {"input_layer": "conv2d6", "macaron_style": macaron, "pos_enc_layer_type": "rel_pos"}
    encoder |= {"selfattention_layer_type": "rel_selfattn", "activation_type": "swish", "cnn_module_kernel": 31}
    decoder = {"attention_heads": 8, "linear_units": 2048, "num_blocks": 6}
    tokens = ["<blank>", "<unk>", *(chr(0x4E00 + n) for n in range(TOKENS - 3)), "<sos/eos>"]
    return {
        "token_list": tokens, "token_type": "char", "frontend": "default", "frontend_conf": {"fs": "16k"},
        "normalize": "global_mvn", "normalize_conf": {"stats_file": str(statistics)}, "specaug": None,
        "encoder": "conformer", "encoder_conf": encoder, "decoder": "transformer", "decoder_conf": decoder,
        "model_conf": {"ctc_weight": 0.3, "lsm_weight": 0.1}, "init": "xavier_uniform",
    }  # fmt: skip


def make_model(macaron: bool, folder: Path, clip: Samples) -> ModelFiles:
    """Random weights, scaled so that CTC is sure of itself and nothing ends by itself."""
    import torch

    from recognizer.espnet import quicken_import

    quicken_import()
    from espnet2.asr.frontend.default import DefaultFrontend
    from espnet2.tasks.asr import ASRTask

    torch.manual_seed(0)
    speech, length = torch.from_numpy(clip)[None], torch.tensor([len(clip)])
    features = DefaultFrontend(fs=SAMPLE_RATE)(speech, length)[0][0].double().numpy()
    statistics = folder / "statistics.npz"
    np.savez(statistics, count=len(features), sum=features.sum(0), sum_square=(features**2).sum(0))
    config = {**ASRTask.get_default_config(), **configuration(macaron, statistics)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    model = ASRTask.build_model(argparse.Namespace(**config)).eval()
    with torch.no_grad():
        encoded = model.encode(speech, length)[0][0]
        head = model.ctc.ctc_lo
        head.weight *= 4.0 / ((encoded - encoded.mean(0)) @ head.weight.T).std()
        head.bias.copy_(-(head.weight @ encoded.mean(0)))
        logits = encoded @ head.weight.T + head.bias
        spoken = len(clip) / SAMPLE_RATE * SPOKEN_PER_SECOND / len(encoded)
        head.bias[0] += torch.quantile(logits[:, 1:].max(1)[0] - logits[:, 0], 1 - spoken)
        for bias in (head.bias, model.decoder.output_layer.bias):
            bias[TOKENS - 1] -= 1e4
    torch.save(model.state_dict(), folder / "model.pth")
    return ModelFiles("random", folder / "config.yaml", folder / "model.pth", {"ctc_weight": CTC_WEIGHT})


def length_of(audio: Samples) -> int:
    """Tokens that a model of random weights shall say."""
    return round(len(audio) / SAMPLE_RATE * SPOKEN_PER_SECOND)


def unlimited(audio: Samples) -> int:
    """Models of real weights end by themselves."""
    return 10_000


def stock(files: ModelFiles, limit: Limit, device: str) -> Decode:
    import torch

    speech2text = load_stock_engine(files, device, BEAM, 0.0, THREADS, "benchmark")._speech2text

    def decode(clips: Sequence[Samples]) -> list[Tokens]:
        torch.set_num_threads(THREADS)
        found = []
        for audio in clips:
            speech2text.maxlenratio = float(-limit(audio)) if limit is length_of else 0.0
            with torch.inference_mode():
                found.append(speech2text(audio)[0][2])
        torch.set_num_threads(1)
        return found

    return decode


def searches(ready: Package, files: ModelFiles, limit: Limit, device: str = "cpu") -> dict[str, Decode]:
    """With the weights of the model's package; its n-gram and Mozc's costs serve `two_pass` alone.

    As in the service, a CPU takes several utterances at once for `exact` only, a GPU for everything.
    """
    vocabulary, networks, nothing = ready.vocabulary, ready.networks, build([])
    weight, penalty = float(files.decoding["ctc_weight"]), float(files.decoding.get("penalty", 0.0))
    ngram, others = load_ngram(files, vocabulary), rescorers(files, vocabulary.tokens)
    search = Search("two_pass", BEAM, weight, penalty)
    engine = FastEngine(ready, search, device, Calibration(), "benchmark", None, ngram, others)

    def encoded(clips: Sequence[Samples], together: int) -> Iterator[list[tuple[Samples, Floats, Floats]]]:
        for at in range(0, len(clips), together):
            group = clips[at : at + together]
            outputs = networks.encode_all([ready.features(clip) for clip in group])
            yield [(clip, *each) for clip, each in zip(group, outputs, strict=True)]

    def exact(clips: Sequence[Samples]) -> list[Tokens]:
        found: list[Tokens] = []
        for group in encoded(clips, max(LOCK_STEP, networks.together)):
            heard = [Heard(hidden, log_probs, nothing, BEAM, limit(clip)) for clip, hidden, log_probs in group]
            ended = joint_search(networks, vocabulary, heard, ctc_weight=weight, penalty=penalty)
            found += [each[0].tokens for each in ended]
        return found

    def two_pass(clips: Sequence[Samples]) -> list[Tokens]:
        found: list[Tokens] = []
        for group in encoded(clips, networks.together):
            asked = [Asked(hidden, log_probs, nothing, max_tokens(len(clip)), 1) for clip, hidden, log_probs in group]
            found += [nbest[0].tokens for nbest in engine.searched(asked)]
        return found

    def ctc(clips: Sequence[Samples]) -> list[Tokens]:
        groups = encoded(clips, networks.together)
        return [greedy(log_probs, vocabulary.blank)[0] for group in groups for _, _, log_probs in group]

    return {"exact": exact, "two_pass": two_pass, "ctc": ctc}


def exported(files: ModelFiles, cache_dir: Path) -> dict[str, Package]:
    """By precision."""
    return {precision: export.load_exported(files, cache_dir, THREADS, precision) for precision in (FLOAT32, INT8)}


def ways_of(files: ModelFiles, packages: dict[str, Package], limit: Limit) -> dict[str, Decode]:
    """Stock and every search of ours, in either precision."""
    ways = {"stock": stock(files, limit, "cpu")}
    for precision, ready in packages.items():
        ways |= {f"{way}, {precision}": decode for way, decode in searches(ready, files, limit).items()}
    return ways


@dataclass
class Measured:
    wall_s: float
    cpu_s: float
    tokens: list[list[int]]


def measure(decode: Decode, clips: Sequence[Samples]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = [list(each) for each in decode(clips)]
    return Measured(time.perf_counter() - wall, time.process_time() - cpu, tokens)


def table(
    ways: dict[str, Decode], clips: Sequence[Samples], what: str, errors: Callable[[list[list[int]]], str]
) -> None:  # fmt: skip
    """The ways take turns; the median of each counts."""
    for decode in ways.values():
        decode([clips[0][:SAMPLE_RATE]])
    rounds = [{way: measure(decode, clips) for way, decode in ways.items()} for _ in range(ROUNDS)]
    seconds = sum(len(clip) for clip in clips) / SAMPLE_RATE
    middle = {way: sorted((one[way] for one in rounds), key=lambda run: run.wall_s)[ROUNDS // 2] for way in ways}
    base = middle["stock"]
    for way, run in middle.items():
        same = f"{sum(a == b for a, b in zip(run.tokens, base.tokens, strict=True))}/{len(clips)}"
        ratio = f"{base.wall_s / run.wall_s:.1f}x | {base.cpu_s / run.cpu_s:.1f}x"
        times = f"{run.wall_s:.2f} | {run.cpu_s:.2f} | {run.wall_s / seconds:.4f}"
        print(f"| {what} | {way} | {times} | {ratio} | {same} | {errors(run.tokens)} |", flush=True)


def random_weights(name: str) -> None:
    clip = read_audio(CLIP)
    with tempfile.TemporaryDirectory() as place:
        files = make_model(MODELS[name], Path(place), clip)
        ways = ways_of(files, exported(files, Path(place)), length_of)
        table(ways, [clip], f"{name}, one clip of 11 s", lambda tokens: "-")
        table(ways, np.array_split(clip, 4), f"{name}, the same in 4", lambda tokens: "-")


def on_gpu() -> None:
    """LaboroTV's size on CUDA, stock there too: one clip, and as many of its quarters as are taken at once."""
    clip = read_audio(CLIP)
    with tempfile.TemporaryDirectory() as place:
        files = make_model(MODELS["laborotv"], Path(place), clip)
        ready = checked_torch_package(*build_model(files.asr_train_config, files.asr_model_file), "cuda")
        ways = {"stock": stock(files, length_of, "cuda")} | searches(ready, files, length_of, "cuda")
        table(ways, [clip], "laborotv on CUDA, one clip of 11 s", lambda tokens: "-")
        table(ways, np.array_split(clip, 4) * 4, "laborotv on CUDA, the same in 4, four times", lambda tokens: "-")


def bundled(name: str) -> None:
    """Speech of people that was held out of training, as the segmenter leaves it."""
    recipe = load_recipe(name)
    files = resolve(f"bundled:{name}", Path("cache"))
    packages = exported(files, Path("cache"))
    what, spoken = next(evaluation_sets(recipe))
    measure, texts = measures(recipe.data["lang"])[-1], Texts(packages[FLOAT32].vocabulary)
    rng = np.random.default_rng(0)

    def errors_of(tokens: list[list[int]]) -> str:
        pairs = zip(tokens, spoken, strict=True)
        return f"{measure.name} {rate([errors(measure, texts.text(row), one) for row, one in pairs]):.1f}"

    audio = [padded(one, rng) for one in spoken]
    table(ways_of(files, packages, unlimited), audio, f"{name}, {len(spoken)} utterances ({what})", errors_of)


def equality() -> None:
    """Whether `exact` finds stock's tokens on every human test row, whatever its language."""
    clips = [read_audio(row["path"]) for row in manifest("test")]
    for name in BUNDLED:
        files = resolve(f"bundled:{name}", Path("cache"))
        exact = searches(export.load_exported(files, Path("cache"), THREADS), files, unlimited)["exact"]
        pairs = zip(exact(clips), stock(files, unlimited, "cpu")(clips), strict=True)
        same = sum(list(ours) == list(theirs) for ours, theirs in pairs)
        print(f"\n{name}: `exact` found stock's tokens on {same} of {len(clips)} human test rows.", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    everything = [*BUNDLED, *MODELS, "equality"]
    parser.add_argument("models", nargs="*", choices=[*everything, "cuda"])
    print("| model and audio | search | wall s | CPU s | RTF | faster (wall) | (CPU) | same tokens | errors, % |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in parser.parse_args().models or everything:
        if name in MODELS:
            random_weights(name)
        elif name in BUNDLED:
            bundled(name)
        elif name == "cuda":
            on_gpu()
        else:
            equality()


if __name__ == "__main__":
    main()
