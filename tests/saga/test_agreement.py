"""Two independent opinions on one table of specs: the project's checker and spin, property by property.

Our checker explores nothing beyond a broken promise, so where one is broken it leaves others undecided. What it does
say has to be what spin says: what it calls violated is broken, what it says holds is not, and it finds something
exactly where there is something to find.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from _pytest.mark import ParameterSet
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.verify import verify

from halfopen.progress import Silent
from halfopen.vocabulary import Outcome
from tests.saga.promela.opinion import spin_says
from tests.saga.promela.promela import PROPERTIES
from tests.saga.promela.table import designed, table

# The checker's names of the properties, by their number in PROTOCOL.md.
NUMBER = {
    "all or compensated": 1,
    "no effect twice": 2,
    "no compensation of what never ran does harm": 3,
    "no action after its compensation": 4,
    "compensations in order": 5,
    "no way back behind the pivot": 6,
    "every fair run ends": 7,
}

# Where the two differ and PROTOCOL.md doesn't settle it, or the checker departs from its letter. Each is expected to
# fail, strictly: once page and checker meet, the test says so and the entry has to go.
EXACT = {
    "read-only-in-between": "rule 5 to the letter settles a step with nothing to undo at once; the checker waits",
    "retriable-gives-up": "rule 4 turns the run back, the page below the rules forbids it; the checker stops asking",
    "retriable-without-a-pivot": "the same without a pivot, where only rule 4 speaks; the checker stops asking",
    "retriable-refused-for-now": "refused, a retriable step is sent again and decided anew; the checker says broken",
    "pivot-beside-a-look": "6 asks that nothing be undone and all behind be done; the checker, that nobody turn back",
    "choreographed-join-without-dedupe": "two events, each heard once; the checker applies the action twice",
    "choreographed-failure-before-it-ran": "its action can't run any more; the checker calls the compensation empty",
    "choreographed-ended-by-nobody": "the same; here the checker ends a run by it that to the letter never ends",
    "choreographed-not-atomic-without-dedupe": "after a crash the request comes again; the checker takes it as gone",
}
UNBOUNDED = {name: EXACT[name] for name in ("read-only-in-between", "choreographed-ended-by-nobody")}


def rows(disputed: Mapping[str, str]) -> list[ParameterSet]:
    """Every spec of the table, those in dispute marked so."""
    return [
        pytest.param(name, marks=[pytest.mark.xfail(reason=disputed[name], strict=True)] if name in disputed else [])
        for name in sorted(table())
    ]


def our_checker_says(name: str, *, exact: bool) -> Mapping[int, Outcome]:
    """The checker's verdict on each property."""
    verdicts = verify(designed(name), SagaOptions(exact=exact), Silent()).verdicts
    return {NUMBER[verdict.property]: verdict.outcome for verdict in verdicts if verdict.property in NUMBER}


def those(said: Mapping[int, Outcome], outcome: Outcome) -> set[int]:
    """The properties with that outcome."""
    return {number for number, found in said.items() if found == outcome}


@pytest.mark.oracle
@pytest.mark.parametrize("name", rows(EXACT))
def test_exactly_bounded_both_say_the_same(name: str) -> None:
    run = spin_says(name)
    assert run.complete, run.why_incomplete
    broken = run.broken
    ours = our_checker_says(name, exact=True)
    assert set(ours) == set(PROPERTIES)
    assert those(ours, Outcome.VIOLATED) <= broken
    assert not those(ours, Outcome.HOLDS) & broken
    assert bool(those(ours, Outcome.VIOLATED)) == bool(broken)
    if not broken:
        assert those(ours, Outcome.HOLDS) == set(PROPERTIES)


@pytest.mark.oracle
@pytest.mark.parametrize("name", rows(UNBOUNDED))
def test_without_bounds_nothing_holds_that_spin_can_break(name: str) -> None:
    run = spin_says(name)
    assert run.complete, run.why_incomplete
    broken = run.broken
    ours = our_checker_says(name, exact=False)
    assert set(ours) == set(PROPERTIES)
    assert not those(ours, Outcome.HOLDS) & broken
    assert those(ours, Outcome.VIOLATED) or not broken
