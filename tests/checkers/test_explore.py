from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.checkers.explore import EVERY_RUN_ENDS, Budget, Model, explore
from halfopen.vocabulary import Outcome
from tests.checkers.published import PaxosCommit, TCommit, TwoPhase


def test_two_phase_commit_has_the_published_counts() -> None:
    # README of tlaplus/Examples: TCommit 34 distinct of 94 generated, TwoPhase 288 of 1,146.
    tcommit, twophase = explore(TCommit()), explore(TwoPhase())
    assert (tcommit.states, tcommit.generated) == (34, 94)
    assert (twophase.states, twophase.generated) == (288, 1146)
    assert tcommit.violations == twophase.violations == {}
    assert tcommit.outcome("TCConsistent") is Outcome.HOLDS


@pytest.mark.slow
def test_paxos_commit_has_the_published_count() -> None:
    # manifest.json of the same folder: 1,321,761 distinct states in 28 levels.
    result = explore(PaxosCommit(), budget=Budget(seconds=900))
    assert (result.states, result.depth + 1) == (1_321_761, 28)
    assert (result.violations, result.bound) == ({}, None)


class Graph(Model[int, str]):
    """A graph given as edges: the plainest model there is."""

    def __init__(
        self, edges: dict[int, list[tuple[str, int]]], *, bad: frozenset[int] = frozenset(), ends: frozenset[int] | None
    ) -> None:
        self.edges = edges
        self.always = {"not bad": lambda state: state not in bad}
        self.ended = None if ends is None else (lambda state: state in ends)

    def initial(self) -> list[int]:
        return [0]

    def steps(self, state: int) -> Iterator[tuple[str, int]]:
        yield from self.edges.get(state, [])

    def is_fault(self, action: str) -> bool:
        return action == "fault"


def test_a_path_is_a_shortest_one() -> None:
    graph = Graph({0: [("a", 1), ("b", 2)], 1: [("a", 3)], 2: [("b", 4)], 4: [("b", 3)]}, bad=frozenset({3}), ends=None)
    path = explore(graph).violations["not bad"]
    assert (path.states, path.actions) == ((0, 1, 3), ("a", "a"))


def test_a_run_that_counts_on_a_fault_does_not_end() -> None:
    graph = Graph({0: [("go", 1)], 1: [("fault", 2)]}, ends=frozenset({2}))
    result = explore(graph)
    assert result.outcome(EVERY_RUN_ENDS) is Outcome.VIOLATED
    # Already the start is without hope, so the path is empty.
    assert result.violations[EVERY_RUN_ENDS].actions == ()


def test_deadlock_and_livelock_are_both_found() -> None:
    deadlock = Graph({0: [("go", 1), ("stop", 2)]}, ends=frozenset({1}))
    livelock = Graph({0: [("go", 1), ("turn", 2)], 2: [("turn", 3)], 3: [("turn", 2)]}, ends=frozenset({1}))
    for graph in (deadlock, livelock):
        assert explore(graph).violations[EVERY_RUN_ENDS].states == (0, 2)


def test_a_cycle_with_a_way_out_ends_if_it_is_fair() -> None:
    graph = Graph({0: [("turn", 1), ("out", 2)], 1: [("turn", 0)]}, ends=frozenset({2}))
    assert explore(graph).outcome(EVERY_RUN_ENDS) is Outcome.HOLDS


@pytest.mark.parametrize(("budget", "bound"), [(Budget(states=10), "10 states"), (Budget(seconds=0), "0 s")])
def test_a_bound_makes_the_answer_incomplete_not_good(budget: Budget, bound: str) -> None:
    line = Graph({n: [("go", n + 1)] for n in range(10_000)}, ends=None)
    result = explore(line, budget=budget)
    assert (result.bound, result.outcome("not bad")) == (bound, Outcome.INCOMPLETE)


def test_an_interrupt_gives_what_is_known() -> None:
    class Interrupted(Graph):
        def steps(self, state: int) -> Iterator[tuple[str, int]]:
            if state == 5:
                raise KeyboardInterrupt
            return super().steps(state)

    model = Interrupted({n: [("go", n + 1)] for n in range(9)}, bad=frozenset({3}), ends=None)
    model.edges[0].append(("jump", 4))
    result = explore(model)
    assert (result.bound, sorted(result.violations), result.states) == ("interrupted", ["not bad"], 6)


edges = st.dictionaries(
    st.integers(0, 7),
    st.lists(st.tuples(st.sampled_from(["a", "b", "fault"]), st.integers(0, 7)), max_size=4),
    max_size=8,
)
some_states = st.frozensets(st.integers(1, 7), max_size=3)


def naive(graph: Graph, bad: frozenset[int], ends: frozenset[int]) -> tuple[int, int | None, bool]:
    """The same questions, answered by fixpoints over the whole relation instead of a search."""
    reached = {0}
    while more := {t for s in reached - bad for _, t in graph.steps(s)} - reached:
        reached |= more
    distance = {0: 0}
    for _ in range(8):
        for s in list(distance):
            for _, t in graph.steps(s) if s not in bad else []:
                distance[t] = min(distance.get(t, 99), distance[s] + 1)
    hopeful = (ends | bad) & reached
    while more := {s for s in reached - bad for a, t in graph.steps(s) if a != "fault" and t in hopeful} - hopeful:
        hopeful |= more
    shortest = min((distance[s] for s in reached & bad), default=None)
    return len(reached), shortest, hopeful != reached


@settings(max_examples=400)
@given(edges, some_states, some_states)
def test_it_agrees_with_a_naive_explorer(
    relation: dict[int, list[tuple[str, int]]], bad: frozenset[int], ends: frozenset[int]
) -> None:
    graph = Graph(relation, bad=bad, ends=ends)
    result = explore(graph)
    states, shortest, stuck = naive(graph, bad, ends)
    path = result.violations.get("not bad")
    assert result.states == states
    assert (len(path.actions) if path else None) == shortest
    assert (EVERY_RUN_ENDS in result.violations) == stuck
