"""Kana become ordinary Japanese, with the times of what was heard; phrases are heard as they are read."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognizer.base import Hypothesis, Options, Request, Transcript, Word
from recognizer.kana import KanaEngine, WritingScores, hiragana, reading

STEP = 1_600  # samples of each kana


def spoken(kana: str, confidence: float = 0.5, start: int = 0) -> Hypothesis:
    words = tuple(Word(c, (start + n) * STEP, (start + n + 1) * STEP, confidence) for n, c in enumerate(kana))
    return Hypothesis(kana, confidence, words)


class Heard:
    """An engine that hears what it was told to."""

    device, search, eager, together, drafts_together = "cpu", "told", True, 1, 1

    def __init__(self, *hypotheses: Hypothesis) -> None:
        self.hypotheses = hypotheses
        self.requests: list[Request] = []

    def warm_up(self) -> None: ...

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        self.requests += batch
        return [Transcript(self.hypotheses) for _ in batch]


def written(engine: Heard, *, final: bool = True, known: Transcript | None = None, **options: object) -> Transcript:
    request = Request(np.zeros(STEP, np.float32), final, Options("ja", **options), known)  # type: ignore[arg-type]
    return KanaEngine(engine).transcribe([request])[0]


def test_readings_are_orthographic() -> None:
    assert hiragana("キョーワ") == "きょーわ"
    assert reading("今日は学校へ、行きます。") == "きょうはがっこうへいきます"
    assert reading("…") is None


def test_a_sentence_is_written_as_people_write_it() -> None:
    heard = Heard(Hypothesis("きょうはさんじゅうごえんでした", 0.5))
    assert written(heard).hypotheses[0].text == "今日は35円でした"


@pytest.mark.parametrize(
    "phrases, text",
    [
        ((), "高梨さんに会いました"),
        ((("小鳥遊", 2.0),), "小鳥遊さんに会いました"),
        ((("小鳥遊さん", 2.0), ("小鳥遊", 2.0)), "小鳥遊さんに会いました"),
        ((("鷹無し", 2.0), ("小鳥遊", 2.0)), "鷹無しさんに会いました"),
        ((("荷", 2.0), ("逢いました", 1.0)), "高梨さんに逢いました"),
    ],
)
def test_phrases_are_written_as_the_user_writes_them(phrases: tuple[tuple[str, float], ...], text: str) -> None:
    kana = "たかなしさんにあいました"
    best = written(Heard(spoken(kana)), phrases=phrases).hypotheses[0]
    assert best.text == text == "".join(word.text for word in best.words)
    assert best.words[0].start == 0 and best.words[-1].end == len(kana) * STEP
    assert written(Heard(Hypothesis(kana, 0.5)), phrases=phrases).hypotheses[0].text == text


def test_kana_that_make_words_are_likelier() -> None:
    heard = ("きょうわいいてんきですね", "きょうはいいてんきですね", "きょあいいてんけですね", "")
    tokens = sorted(set("".join(heard)))
    hypotheses = [[tokens.index(kana) for kana in one] for one in heard]
    scores = WritingScores(tokens, 1.0).sentences(hypotheses)
    assert scores[:3].argmax() == 1 and scores[:3].argmin() == 2
    assert np.isfinite(scores).all() and (scores[:3] < 0).all()
    np.testing.assert_allclose(WritingScores(tokens, 0.3).sentences(hypotheses), 0.3 * scores)


def test_words_have_the_times_of_their_kana() -> None:
    best = written(Heard(spoken("きょうはあめ"))).hypotheses[0]
    assert best.text == "今日は雨" and best.confidence == 0.5
    assert [(w.text, w.start // STEP, w.end // STEP) for w in best.words] == [
        ("今日", 0, 3),
        ("は", 3, 4),
        ("雨", 4, 6),
    ]
    assert [w.confidence for w in best.words] == pytest.approx([0.5] * 3)


def test_without_words_only_the_text_changes() -> None:
    assert written(Heard(Hypothesis("あめ", 0.4))).hypotheses == (Hypothesis("雨", 0.4),)
    assert written(Heard()).hypotheses == ()


def test_hypotheses_that_are_written_alike_are_one_and_homophones_fill_the_list() -> None:
    found = written(Heard(spoken("はしをわたる", 0.8), spoken("はしおわたる", 0.2)), max_alternatives=4).hypotheses
    texts = [one.text for one in found]
    assert len(set(texts)) == len(texts) and {"橋を渡る", "箸をわたる"} <= set(texts)
    assert [one.confidence for one in found] == sorted((one.confidence for one in found), reverse=True)
    assert all(0 < one.confidence <= 1 for one in found)


def test_a_draft_that_continues_keeps_the_words_already_written() -> None:
    old = (Word("今日", 0, 3 * STEP, 0.5), Word("は", 3 * STEP, 4 * STEP, 0.5))
    known = Transcript((Hypothesis("今日は", 0.5, old),))
    heard = Hypothesis("今日はあめ", 0.5, (*old, *spoken("あめ", start=4).words))
    best = written(Heard(heard), final=False, known=known).hypotheses[0]
    assert best.text == "今日は雨" and best.words[:2] == old


def test_phrases_are_asked_for_by_their_reading() -> None:
    engine = Heard(spoken("あめ"))
    written(engine, phrases=(("東京駅", 3.0), ("…", 1.0)))
    assert engine.requests[0].options.phrases == (("とうきょうえき", 3.0),)
