"""The file of pocketsphinx's language model, against what pocketsphinx itself says of it."""

import numpy as np
import pytest

from training import sphinx


def test_every_length_says_what_pocketsphinx_says() -> None:
    pocketsphinx = pytest.importorskip("pocketsphinx")
    names, model = sphinx.model()
    path = pocketsphinx.get_model_path("en-us/en-us.lm.bin")
    theirs = pocketsphinx.NGramModel(pocketsphinx.Config(), pocketsphinx.LogMath(base=1.0001), path)
    assert len(names) == len(model.scores) > 70_000 and names[-1] == "zyuganov's"

    def said(words: list[str]) -> float:
        return float(theirs.prob(words[::-1])) * sphinx.BASE  # the newest first

    rng = np.random.default_rng(0)
    for row in model.triples[rng.integers(len(model.triples), size=50)]:
        words = [names[word] for word in row]
        assert float(model.after_two(row[None])[0]) == pytest.approx(said(words), abs=1e-3)
        assert float(model.after_one(row[None, 1:])[0]) == pytest.approx(said(words[1:]), abs=1e-3)
    never = np.array([[names.index(word) for word in ("zurich", "fifth", "the")]])
    assert float(model.after_two(never)[0]) == pytest.approx(said(["zurich", "fifth", "the"]), abs=1e-2)
