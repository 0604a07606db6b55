"""ESPnet2's own `Speech2Text` as an Engine: joint CTC/attention beam search for finals, greedy CTC for drafts."""

import contextlib
import logging
import math
import os
import sys
import types
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from audio import SAMPLE_RATE, Samples
from recognizer.base import Hypothesis, ModelError, Options, Request, Transcript
from recognizer.limits import bounded, max_tokens, padded
from recognizer.models import ModelFiles

DEFAULT_CTC_WEIGHT = 0.5


def load_stock_engine(
    files: ModelFiles, device: str, beam_size: int, lm_weight: float, threads: int, why: str
) -> "StockEngine":  # fmt: skip
    """`why` the model gets this engine, for the log. Called in a worker process: everything heavy is imported here."""
    import torch

    torch.set_num_threads(threads)
    speech2text = _import_speech2text()
    try:
        model = speech2text(
            str(files.asr_train_config),
            str(files.asr_model_file),
            device=device,
            beam_size=beam_size,
            ctc_weight=float(files.decoding.get("ctc_weight", DEFAULT_CTC_WEIGHT)),
            penalty=float(files.decoding.get("penalty", 0.0)),
            nbest=beam_size,
            **_language_model(files, lm_weight),
        )
    except Exception as error:  # whatever a broken package makes torch, yaml or ESPnet raise
        logging.getLogger("speech.recognizer").debug("loading failed", exc_info=True)
        raise ModelError(f"the model {files.name} cannot be loaded ({type(error).__name__})") from error
    if model.asr_model.ctc is None:
        raise ModelError(f"the model {files.name} has no CTC branch, which interim results need")
    return StockEngine(model, device, f"stock search ({why})")


def _language_model(files: ModelFiles, weight: float) -> dict[str, Any]:
    """Arguments of Speech2Text for the language model that some packages bring."""
    if files.lm_file is None or not weight:
        return {}
    return {"lm_train_config": str(files.lm_train_config), "lm_file": str(files.lm_file), "lm_weight": weight}


def build_model(config: Path, weights: Path) -> tuple[Any, Any]:
    """An ESPnetASRModel in evaluation mode on the CPU, and its training arguments. Raises ModelError."""
    quicken_import()
    from espnet2.tasks.asr import ASRTask

    try:
        model, args = ASRTask.build_model_from_file(str(config), str(weights), "cpu")
    except Exception as error:  # whatever a broken package makes torch, yaml or ESPnet raise
        raise ModelError(f"its files cannot be loaded ({type(error).__name__})") from error
    return model.float().eval(), args


def quicken_import() -> None:
    """Importing espnet2 takes 9 s, 6 of them typeguard's, and g2p_en tries a download: both are kept out."""
    import typeguard

    def unchecked(target: Any = None, **_: Any) -> Any:
        return target if target is not None else unchecked

    typeguard.typechecked = unchecked
    stub = types.ModuleType("g2p_en")
    stub.G2p = None  # type: ignore[attr-defined]  # only phoneme models use it
    sys.modules.setdefault("g2p_en", stub)


def _import_speech2text() -> Any:
    quicken_import()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        from espnet2.bin.asr_inference import Speech2Text
    return Speech2Text


class StockEngine:
    """One model in one process."""

    together = drafts_together = 1

    def __init__(self, speech2text: Any, device: str, search: str) -> None:
        self._speech2text = speech2text
        self.device, self.search, self.eager = device, search, False
        self._model = speech2text.asr_model
        self._tokens: list[str] = list(speech2text.asr_train_args.token_list)
        for name in ("root", "espnet2", "espnet"):  # ESPnet logs every hypothesis at INFO
            logging.getLogger(name).setLevel(logging.WARNING)

    def warm_up(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        self.transcribe([Request(noise, final, Options()) for final in (False, True)])

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        return [self._search(request) if request.final else self._draft(request.audio) for request in batch]

    def _search(self, request: Request) -> Transcript:
        """ESPnet2's beam search (Watanabe et al. 2017, doi:10.1109/JSTSP.2017.2763455), its length capped."""
        import torch

        with torch.inference_mode():
            encoded = self._encode(request.audio)
            self._speech2text.maxlenratio = _length_ratio(len(request.audio), len(encoded))
            results = self._speech2text._decode_single_sample(encoded)
        texts: dict[str, float] = {}
        for text, _tokens, token_ids, hypothesis in results:
            mean = float(hypothesis.score) / max(1, len(token_ids) + 1)  # log probability of a token
            texts.setdefault(_readable(text), bounded(math.exp(min(0.0, mean))))
        best = list(texts.items())[: request.options.max_alternatives]
        if not best or not best[0][0]:
            return Transcript(())
        return Transcript(_sorted([Hypothesis(text, confidence) for text, confidence in best if text]))

    def _draft(self, audio: Samples) -> Transcript:
        import torch

        with torch.inference_mode():
            best, path = self._model.ctc.log_softmax(self._encode(audio).unsqueeze(0))[0].max(dim=-1)
        unspoken = (self._model.blank_id, self._model.sos, self._model.eos)
        ids = [token for token, _ in groupby(path.tolist()) if token not in unspoken]
        text = self._text([self._tokens[token] for token in ids])
        confidence = bounded(math.exp(float(best.mean())))
        return Transcript((Hypothesis(text, confidence),) if text else ())

    def _encode(self, audio: Samples) -> Any:
        """Encoder output, shape (frames, dimensions)."""
        import torch

        speech = torch.from_numpy(padded(audio)).unsqueeze(0).to(self.device)
        encoded, _ = self._model.encode(speech, torch.tensor([speech.shape[1]], device=self.device))
        return (encoded[0] if isinstance(encoded, tuple) else encoded)[0]

    def _text(self, tokens: list[str]) -> str:
        return _readable(self._speech2text.tokenizer.tokens2text(tokens))


def _length_ratio(samples: int, frames: int) -> float:
    """ESPnet's maxlenratio: 0 = the encoder's length, below zero = a number of tokens.

    Zero where it is no longer than the cap: ESPnet stops at the end of the words then, and not below zero, where the
    search goes on to the last step. Same text in half the time (bundled:en-small, beam 5, 2026-11-21).
    """
    cap = max_tokens(samples)
    return 0.0 if frames <= cap else float(-cap)


def _readable(text: str) -> str:
    """Single spaces, and no mark for what the model could not name."""
    return " ".join(text.replace("<unk>", " ").split())


def _sorted(hypotheses: list[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Best first, and no confidence above the one before it."""
    ceiling, ordered = 1.0, []
    for hypothesis in hypotheses:
        ceiling = min(ceiling, hypothesis.confidence)
        ordered.append(Hypothesis(hypothesis.text, ceiling))
    return tuple(ordered)
