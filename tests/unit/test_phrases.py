"""The automaton of expected phrases against the plain definition of its bonus."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.decoding.phrases import build

SPACE = 9
TOKENS = st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple)


@given(st.lists(st.tuples(TOKENS, st.floats(0, 10)), max_size=5), st.lists(st.integers(1, 4), max_size=12))
def test_one_phrase_is_worth_its_boost_each_time_it_is_complete(
    phrases: list[tuple[tuple[int, ...], float]], said: list[int]
) -> None:
    graph = build(phrases[:1])
    count = 0
    if phrases:
        wanted, _ = phrases[0]
        count = sum(tuple(said[at : at + len(wanted)]) == wanted for at in range(len(said)))
    assert graph.score(said) == pytest.approx(count * (phrases[0][1] if phrases else 0.0), abs=1e-9)


@given(
    st.lists(st.tuples(TOKENS, st.floats(0, 10)), max_size=5),
    st.lists(st.integers(1, 4), max_size=12),
    st.sets(st.integers(1, 4)),
)
def test_nothing_is_ever_taken_away(
    phrases: list[tuple[tuple[int, ...], float]], said: list[int], inside: set[int]
) -> None:
    assert build(phrases, inside=np.isin(np.arange(5), sorted(inside))).score(said) >= -1e-9


def test_a_part_of_a_phrase_is_worth_nothing_in_the_end() -> None:
    graph = build([((1, 2, 3), 6.0)])
    assert graph.score((1, 2)) == 0.0 and graph.score((1, 2, 1, 2, 3)) == 6.0


@pytest.mark.parametrize(
    "said, bonus",
    [
        ((1, 2), 5.0),
        ((3, SPACE, 1, 2, SPACE, 3), 5.0),
        ((1, 2, 3), 0.0),  # another word that begins like it
        ((3, 1, 2), 0.0),  # another word that ends like it
        ((1, 2, SPACE, 1, 2), 10.0),
    ],
)
def test_where_words_are_separated_whole_words_count(said: tuple[int, ...], bonus: float) -> None:
    assert build([((1, 2), 5.0)], word_end=SPACE).score(said) == bonus


@pytest.mark.parametrize(
    "said, bonus",
    [
        ((1, 2), 5.0),
        ((3, 1, 2, 3), 5.0),
        ((1, 2, 4), 0.0),  # another word that begins like it
        ((1, 2, 4, 1, 2), 5.0),
        ((1, 2, 1, 2), 10.0),
    ],
)
def test_where_pieces_go_on_with_a_word_whole_words_count(said: tuple[int, ...], bonus: float) -> None:
    inside = np.isin(np.arange(5), [2, 4])
    assert build([((1, 2), 5.0)], inside=inside).score(said) == bonus


def test_a_longer_word_that_is_a_phrase_too() -> None:
    graph = build([((1, 2), 5.0), ((1, 2, 4), 3.0)], inside=np.isin(np.arange(5), [2, 4]))
    assert graph.score((1, 2)) == 5.0 and graph.score((1, 2, 4)) == 3.0 and graph.score((1, 2, 4, 2)) == 0.0


def test_after_a_phrase_nothing_is_taken_back_where_no_token_tells() -> None:
    graph = build([((1, 2), 5.0)])
    assert graph.bonuses(graph.after(graph.after(graph.start, 1), 2), 4).tolist() == [0.0, 2.5, 0.0, 0.0]


def test_without_phrases_nothing_is_known_that_would_widen_a_beam() -> None:
    graph = build([], word_end=SPACE)
    assert not len(graph.labels)
    assert graph.score([SPACE, 1, 2, SPACE]) == 0.0


def test_a_phrase_inside_another() -> None:
    graph = build([((1, 2), 1.0), ((1, 2, 3), 4.0)])
    assert graph.score((1, 2)) == 1.0 and graph.score((1, 2, 3)) == 5.0


@given(
    st.lists(st.tuples(TOKENS, st.floats(0, 10)), max_size=5),
    st.lists(st.integers(1, 4), max_size=8),
    st.sets(st.integers(1, 4)),
)
def test_the_bonuses_of_a_state_are_those_of_each_step(
    phrases: list[tuple[tuple[int, ...], float]], said: list[int], inside: set[int]
) -> None:
    graph = build(phrases, inside=np.isin(np.arange(5), sorted(inside)))
    state, total = graph.start, 0.0
    for token in said:
        total += graph.bonuses(state, 5)[token]
        state = graph.after(state, token)
    assert total + graph.at_end(state) == pytest.approx(graph.score(said), abs=1e-9)
