"""A loaded ESPnet2 model taken apart: features, networks, vocabulary; and whether they still are the model."""

from dataclasses import replace
from typing import Any

import numpy as np

from audio import SAMPLE_RATE
from recognizer.decoding.features import Features
from recognizer.decoding.networks import BATCH, ENCODER, MEMORY, STEP, TorchNetworks
from recognizer.decoding.package import Package, UnsupportedError, Vocabulary
from recognizer.decoding.rescoring import attention_scores

MAX_DIFFERENCE = 0.05  # of log probabilities; float32 in another order of sums gives 0.03 on untrained networks
PROBES_S = (0.5, 1.7, 4.3)  # seconds of the noises that are compared
TOKEN_TYPES = ("char", "bpe", "word")


def checked_torch_package(model: Any, args: Any, device: str) -> Package:
    """The model as it is in memory, searched without an export. Raises UnsupportedError."""
    ready = Package(TorchNetworks(graphs_of(model), "cpu"), features_of(model), vocabulary_of(model, args))
    check(model, ready)
    return ready if device == "cpu" else replace(ready, networks=TorchNetworks(with_batches(graphs_of(model)), device))


def check(model: Any, ready: Package, allowed: float = MAX_DIFFERENCE) -> None:
    """Raises UnsupportedError."""
    difference = largest_difference(model, ready)
    if not difference <= allowed:  # also when it is no number
        raise UnsupportedError(f"networks that differ by {difference:.2g} from ESPnet's when taken apart")


def features_of(model: Any) -> Features:
    """The frontend and normalisation of an ESPnetASRModel in numpy. Raises UnsupportedError."""
    import torch

    frontend, normalize = model.frontend, model.normalize
    if type(frontend).__name__ != "DefaultFrontend" or frontend.stft is None:
        raise UnsupportedError(f"a {type(frontend).__name__} frontend")
    stft, mel = frontend.stft, frontend.logmel
    if stft.normalized or not stft.onesided or mel.log_base is not None:
        raise UnsupportedError("a spectrum that is scaled in an unusual way")
    window = torch.ones(stft.win_length)
    if stft.window is not None:
        window = getattr(torch, f"{stft.window}_window")(stft.win_length)
    left = (stft.n_fft - stft.win_length) // 2
    padded = np.pad(window.numpy(), (left, stft.n_fft - stft.win_length - left))
    kind = type(normalize).__name__
    if kind not in ("GlobalMVN", "UtteranceMVN", "NoneType"):
        raise UnsupportedError(f"a {kind} normalisation")
    ready = Features(
        padded,
        mel.melmat.numpy(),
        stft.hop_length,
        stft.center,
        norm_means=bool(getattr(normalize, "norm_means", False)),
        norm_vars=bool(getattr(normalize, "norm_vars", False)),
    )
    if kind != "GlobalMVN":
        return ready
    return replace(ready, mean=normalize.mean.float().numpy(), std=normalize.std.float().numpy())


def graphs_of(model: Any) -> dict[str, Any]:
    """The torch modules to export. Raises UnsupportedError."""
    from recognizer.decoding import graphs

    if type(model).__name__ != "ESPnetASRModel" or type(model.decoder).__name__ != "TransformerDecoder":
        raise UnsupportedError(f"a {type(model.decoder).__name__} decoder")
    if model.ctc is None:
        raise UnsupportedError("no CTC branch")
    decoder = model.decoder
    return {ENCODER: graphs.EncoderGraph(model), MEMORY: graphs.MemoryGraph(decoder), STEP: graphs.StepGraph(decoder)}


def with_batches(graphs: dict[str, Any]) -> dict[str, Any]:
    """And the encoder of several utterances at once, for encoders that can do so."""
    from recognizer.decoding.graphs import BatchGraph

    try:
        return graphs | {BATCH: BatchGraph(graphs[ENCODER])}
    except UnsupportedError:
        return graphs


def vocabulary_of(model: Any, args: Any) -> Vocabulary:
    """Raises UnsupportedError."""
    if args.token_type not in TOKEN_TYPES:
        raise UnsupportedError(f"tokens of type {args.token_type}")
    return Vocabulary(tuple(args.token_list), args.token_type, args.bpemodel, model.blank_id, model.sos, model.eos)


def largest_difference(model: Any, package: Package) -> float:
    """Between the log probabilities of ESPnet and those of the package, CTC and decoder, on noise."""
    import torch

    worst, vocabulary = 0.0, package.vocabulary
    rng = np.random.default_rng(0)
    for seconds in PROBES_S:
        audio = rng.normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32)
        tokens = tuple(int(token) for token in rng.integers(1, len(vocabulary.tokens) - 1, 6))
        with torch.inference_mode():
            encoded, _ = model.encode(torch.from_numpy(audio)[None], torch.tensor([len(audio)]))
            encoded = encoded[0] if isinstance(encoded, tuple) else encoded
            ctc = model.ctc.log_softmax(encoded)[0].numpy()
            ended, _ = model.decoder.score(torch.tensor([vocabulary.sos, *tokens]), None, encoded[0])
        hidden, ours = package.networks.encode(package.features(audio))
        ((scores,),) = attention_scores(package.networks, [(hidden, [tokens])], vocabulary.sos, vocabulary.eos)
        worst = max(worst, float(np.abs(ours - ctc).max()), abs(float(scores[-1]) - float(ended[vocabulary.eos])))
    return worst
