"""The language model of an ESPnet2 package, for those who ask for it (LM_WEIGHT). In torch."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recognizer.base import ModelError
from recognizer.decoding.networks import Floats, Ids
from recognizer.espnet import quicken_import
from recognizer.models import ModelFiles


class Rescorer(Protocol):
    """Knows of whole hypotheses what the acoustic model does not."""

    def sentences(self, hypotheses: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Weighted log probability of each, its end included, shape (n,)."""
        ...


class LanguageModel:
    """Scores tokens by what was said before, `weight` times."""

    def __init__(self, files: ModelFiles, device: str, weight: float) -> None:
        """Raises ModelError."""
        quicken_import()
        from espnet2.tasks.lm import LMTask

        try:
            model, _ = LMTask.build_model_from_file(str(files.lm_train_config), str(files.lm_file), device)
        except Exception as error:  # whatever a broken package makes torch, yaml or ESPnet raise
            raise ModelError(f"the language model of {files.name} cannot be loaded ({type(error).__name__})") from error
        self._model = model.float().eval()
        self._device, self._weight = device, weight

    def begin(self) -> list[Any]:
        """The state of the empty hypothesis."""
        return [None]

    def step(self, tokens: Ids, states: list[Any]) -> tuple[Floats, list[Any]]:
        """Tokens (n, L) so far, the start included -> weighted scores of what follows (n, V), and the new states."""
        import torch

        with torch.inference_mode():
            known = torch.from_numpy(tokens).to(self._device)
            scores, states = self._model.lm.batch_score(known, states, known)
        return self._weight * scores.float().cpu().numpy(), states

    def sentences(self, hypotheses: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Weighted log probability of each, its end included, shape (n,)."""
        import torch

        lengths = [len(hypothesis) for hypothesis in hypotheses]
        padded = np.zeros((len(lengths), max(1, *lengths)), np.int64)
        for row, hypothesis in zip(padded, hypotheses, strict=True):
            row[: len(hypothesis)] = hypothesis
        with torch.inference_mode():
            text = torch.from_numpy(padded).to(self._device)
            losses, _ = self._model.nll(text, torch.tensor(lengths, device=self._device))
        scores: NDArray[np.float64] = losses.double().sum(dim=1).cpu().numpy()
        return -self._weight * scores
