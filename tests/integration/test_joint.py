"""The exact search against ESPnet's BatchBeamSearch: the same tokens, the same scores."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.decoding.joint import Heard, joint_search
from recognizer.decoding.package import Package
from recognizer.decoding.parts import checked_torch_package
from recognizer.decoding.phrases import build
from tests.tiny_model import TOKENS, build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")
NOTHING = build([])
CLOSE = 1e-4 * 10  # of scores that are sums of tens of float32 log probabilities


@cache
def model() -> tuple[Any, Package]:
    asr, args = build_tiny_model()
    return asr, checked_torch_package(asr, args, "cpu")


def search_of(
    asr: Any, beam: int, weight: float, penalty: float, more: dict[str, Any], weights: dict[str, float]
) -> Any:  # fmt: skip
    """ESPnet's own, as Speech2Text puts it together."""
    from espnet.nets.batch_beam_search import BatchBeamSearch
    from espnet.nets.scorers.ctc import CTCPrefixScorer
    from espnet.nets.scorers.length_bonus import LengthBonus

    scorers = {"decoder": asr.decoder, "ctc": CTCPrefixScorer(asr.ctc, asr.eos), "bonus": LengthBonus(len(TOKENS))}
    shares = {"decoder": 1 - weight, "ctc": weight, "bonus": penalty, **weights}
    return BatchBeamSearch(
        {**scorers, **more}, shares, beam, len(TOKENS), asr.sos, asr.eos, pre_beam_score_key="full"
    )  # fmt: skip


def stock(hidden: Any, beam: int, weight: float, penalty: float, length: int) -> list[tuple[tuple[int, ...], float]]:
    import torch

    asr = model()[0]
    search = search_of(asr, beam, weight, penalty, {}, {})
    with torch.inference_mode():
        found = search(torch.from_numpy(hidden), maxlenratio=float(-length) if length < len(hidden) else 0.0)
    return [(tuple(t for t in h.yseq[1:].tolist() if t != asr.eos), float(h.score)) for h in found]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1_000_000),
    seconds=st.floats(0.15, 4.0),
    beam=st.sampled_from([1, 2, 3, 5, 8]),
    weight=st.sampled_from([0.1, 0.3, 0.5, 0.9]),
    penalty=st.sampled_from([0.0, 0.4, -0.3]),
    shortened=st.booleans(),
)
def test_equal_to_stock(seed: int, seconds: float, beam: int, weight: float, penalty: float, shortened: bool) -> None:
    """Untrained networks hardly ever end by themselves, so that end detection and the cap both take part."""
    _, ready = model()
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 1, 1 + int(seconds * 20)), 800)[: int(seconds * 16_000)]
    hidden, log_probs = ready.networks.encode(ready.features((loud * rng.normal(0, 0.1, len(loud))).astype(np.float32)))
    length = max(1, len(hidden) // 3) if shortened else len(hidden)
    heard = [Heard(hidden, log_probs, NOTHING, beam, length)]
    (ours,) = joint_search(ready.networks, ready.vocabulary, heard, ctc_weight=weight, penalty=penalty)
    expected = stock(hidden, beam, weight, penalty, length)
    tokens, score = expected[0]
    assert ours[0].score == pytest.approx(score, abs=CLOSE)
    same = {hypothesis: s for hypothesis, s in expected}
    assert ours[0].tokens == tokens or abs(same[ours[0].tokens] - score) < CLOSE  # two may be equally good


def test_in_lock_step_each_is_searched_as_alone() -> None:
    """Some end long before others, by themselves and by their cap; each has its own phrases and its own beam."""
    _, ready = model()
    rng = np.random.default_rng(5)
    heard = []
    for samples, beam, cap in ((48_000, 5, 99), (8_000, 3, 99), (24_000, 8, 4), (32_000, 5, 12)):
        encoded = ready.networks.encode(ready.features(rng.normal(0, 0.1, samples).astype(np.float32)))
        heard.append(Heard(*encoded, build([((7, 8), 3.0)]) if beam == 8 else NOTHING, beam, cap))
    together = joint_search(ready.networks, ready.vocabulary, heard, ctc_weight=0.3, penalty=0.1)
    for one, found in zip(heard, together, strict=True):
        (alone,) = joint_search(ready.networks, ready.vocabulary, [one], ctc_weight=0.3, penalty=0.1)
        assert [each.tokens for each in found] == [each.tokens for each in alone]
        np.testing.assert_allclose([each.score for each in found], [each.score for each in alone], atol=CLOSE)


def test_the_cache_grows_with_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _, ready = model()
    audio = np.random.default_rng(6).normal(0, 0.1, 32_000).astype(np.float32)
    heard = [Heard(*ready.networks.encode(ready.features(audio)), NOTHING, 4, 12)]
    found = []
    for room in (256, 1):
        monkeypatch.setattr("recognizer.decoding.joint.ROOM", room)
        found += joint_search(ready.networks, ready.vocabulary, heard, ctc_weight=0.3, penalty=0.1)
    assert found[0] == found[1] and len(found[0][0].tokens) > 1


def test_a_phrase_leads_the_search() -> None:
    _, ready = model()
    hidden, log_probs = ready.networks.encode(
        ready.features(np.random.default_rng(3).normal(0, 0.1, 32_000).astype(np.float32))
    )

    def best(phrases: Any) -> tuple[int, ...]:
        heard = [Heard(hidden, log_probs, phrases, 5, 12)]
        return joint_search(ready.networks, ready.vocabulary, heard, ctc_weight=0.3, penalty=0.0)[0][0].tokens

    plain = best(NOTHING)
    others = [token for token in range(3, 29) if token not in plain][:2]
    assert best(build([(tuple(others), 500.0)])) != plain
    assert best(build([(tuple(plain), 5.0)])) == plain
