"""The decoder one token at a time, with its cache, against the decoder on whole prefixes."""

from typing import Any

import numpy as np
import pytest

from recognizer.decoding.package import UnsupportedError
from recognizer.decoding.rescoring import HIDDEN, attention_scores
from tests.tiny_model import LAYER, build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")


def test_steps_equal_the_whole() -> None:
    from recognizer.decoding.parts import checked_torch_package

    ready = checked_torch_package(*build_tiny_model(), "cpu")
    hidden, _ = ready.networks.encode(
        ready.features(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32))
    )
    memory = ready.networks.memory(hidden)
    tokens = (5, 9, 9, 3)
    ((whole,),) = attention_scores(ready.networks, [(hidden, [tokens])], ready.vocabulary.sos, ready.vocabulary.eos)
    cache, single, heard = ready.networks.room(0, memory), [], np.zeros((1, len(hidden)), np.float32)
    for at, (token, following) in enumerate(
        zip((ready.vocabulary.sos, *tokens), (*tokens, ready.vocabulary.eos), strict=True)
    ):
        mask = np.zeros((1, at + 1), np.float32)
        scores, added = ready.networks.step(np.array([token]), np.array([at]), mask, heard, memory, cache)
        cache = [np.concatenate(pair) for pair in zip(cache, added, strict=True)]
        single.append(scores[0, following])
    np.testing.assert_allclose(single, whole, atol=1e-4)


def test_a_hidden_token_changes_nothing() -> None:
    from recognizer.decoding.parts import checked_torch_package

    networks = checked_torch_package(*build_tiny_model(), "cpu").networks
    memory = networks.memory(np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32))
    mask = np.array([[0, HIDDEN], [HIDDEN, 0]], np.float32)
    heard = np.zeros((2, 9), np.float32)
    both, _ = networks.step(np.array([29, 29]), np.array([0, 0]), mask, heard, memory, networks.room(0, memory))
    alone, _ = networks.step(np.array([29]), np.array([0]), mask[:1, :1], heard[:1], memory, networks.room(0, memory))
    np.testing.assert_allclose(both, np.repeat(alone, 2, axis=0), atol=1e-5)


def test_an_utterance_hears_itself_only() -> None:
    from recognizer.decoding.parts import checked_torch_package

    ready = checked_torch_package(*build_tiny_model(), "cpu")
    rng, end = np.random.default_rng(0), ready.vocabulary.eos
    utterances = [(rng.normal(size=(length, 16)).astype(np.float32), [(5, 9), (5, length)]) for length in (9, 4, 17)]
    for together, one in zip(attention_scores(ready.networks, utterances, end, end), utterances, strict=True):
        (alone,) = attention_scores(ready.networks, [one], end, end)
        np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("change", [{"concat_after": True}, {"normalize_before": False}])
def test_a_decoder_built_otherwise_is_refused(change: dict[str, bool]) -> None:
    from recognizer.decoding.graphs import StepGraph

    model, _ = build_tiny_model(decoder_conf={**LAYER, **change})
    with pytest.raises(UnsupportedError):
        StepGraph(model.decoder)


OWN: dict[str, dict[str, Any]] = {
    "PlainAttention": {"encoder": "transformer", "encoder_conf": {**LAYER, "output_size": 16}},
    "RelativeAttention": {"encoder_conf": {**LAYER, "output_size": 16, "rel_pos_type": "latest"}},
    "legacy RelativeAttention": {"encoder_conf": {**LAYER, "output_size": 16, "rel_pos_type": "legacy"}},
}


@pytest.mark.parametrize("kind", OWN)
def test_the_model_keeps_its_own_attention(kind: str) -> None:
    """It is what the graphs are compared with."""
    from recognizer.decoding import graphs

    ours = getattr(graphs, kind.split()[-1])
    model, _ = build_tiny_model(**OWN[kind])
    graph = graphs.EncoderGraph(model)
    assert any(isinstance(part, ours) for part in graph.modules())
    assert not any(isinstance(part, ours) for part in model.modules())
    assert {id(weight) for weight in model.encoder.parameters()} <= {id(weight) for weight in graph.parameters()}
