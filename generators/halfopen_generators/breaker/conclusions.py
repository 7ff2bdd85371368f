"""What a simulation's figures are as words, and what may be concluded of them: only what their intervals bear.

Of two policies one is said to be better where their 95 % intervals don't overlap, so that a reader can see in the table
what a sentence rests on. One run of each has no interval, and nothing is concluded of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from halfopen_generators.breaker.plots import NAMES
from halfopen_generators.breaker.simulation.measures import Outcome
from halfopen_generators.breaker.simulation.scenarios import Scenario
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Mean, Played, Study

NOT_ANSWERED = "not answered"
_FEWEST_RUNS = 2
_MOST_DIGITS = 3


def goodput(outcome: Outcome) -> float:
    """The share of calls answered well within the deadline."""
    return outcome.goodput


def patience(outcome: Outcome) -> float:
    """Seconds until 99 of 100 callers knew."""
    return outcome.p99


def load(outcome: Outcome) -> float:
    """Tries that reached the dependency, for one call."""
    return outcome.amplification


def spelled(mean: Mean, *, scale: float = 1.0, unit: str = "") -> str:
    """The mean with as many digits as its interval leaves sense: 63.6 ± 0.6%; `not answered` where it is infinite."""
    if not math.isfinite(mean.value):
        return NOT_ANSWERED
    value, half = mean.value * scale, mean.half * scale
    digits = max(0, min(_MOST_DIGITS, 2 - (math.floor(math.log10(abs(value))) if value else 0)))
    bears = -math.floor(math.log10(half)) if half else math.inf
    if bears > _MOST_DIGITS:
        # An interval too narrow to be seen is none that a reader needs.
        return f"{value:.{digits}f}{unit}"
    return f"{value:.{max(0, bears)}f} ± {half:.{max(0, bears)}f}{unit}"


def opened(cell: Cell) -> str:
    """When a breaker first opened after the trouble began."""
    seen = cell.seen(lambda outcome: outcome.opened)
    return f"{fmean(seen):.3g} s{_of(len(seen), cell)}" if seen else "never"


def recovered(cell: Cell) -> str:
    """When all was well again after the trouble's cause was gone; else how long that was waited for."""
    seen = cell.seen(lambda outcome: outcome.recovered)
    if not seen:
        return f"not within {cell.outcomes[0].watched:g} s"
    after = fmean(seen)
    return f"{f'{after:.2g} s' if after else 'at once'}{_of(len(seen), cell)}"


def _of(seen: int, cell: Cell) -> str:
    return "" if seen == len(cell.outcomes) else f" in {seen} of {len(cell.outcomes)} runs"


def false_opens(cell: Cell) -> int:
    """How often a breaker opened before the trouble began, in all runs together."""
    return sum(outcome.false_opens for outcome in cell.outcomes)


def above(one: Cell, other: Cell, of: Callable[[Outcome], float]) -> bool:
    """Whether one's mean lies above the other's with no overlap of the intervals."""
    if min(len(one.outcomes), len(other.outcomes)) < _FEWEST_RUNS:
        return False
    high, low = one.mean(of), other.mean(of)
    if not math.isfinite(high.value):
        # In every run: where one run of several ends in time, the mean says nothing.
        return math.isfinite(low.value) and all(math.isinf(of(outcome)) for outcome in one.outcomes)
    return high.value - high.half > low.value + low.half


def conclusion(study: Study, name: Scenario) -> str:
    """What a reader should take from one trouble, in a sentence or two."""
    if (name, DESIGN) not in study.cells:
        return "The simulation was cancelled before the design's turn."
    ours = study.cells[name, DESIGN]
    others = {played: study.cells[name, played] for played in study.played if played != DESIGN
              and (name, played) in study.cells}  # fmt: skip
    if len(ours.outcomes) < _FEWEST_RUNS or not others:
        return "Too few runs for an interval: nothing is concluded."
    return " ".join((_goodput(ours, others), *_recovery(ours, others)))


def _goodput(ours: Cell, others: dict[Played, Cell]) -> str:
    worse = [played for played, cell in others.items() if above(ours, cell, goodput)]
    better = [played for played, cell in others.items() if above(cell, ours, goodput)]
    alike = [played for played in others if played not in (*worse, *better)]
    parts = []
    if worse:
        parts.append(f"more calls well than {_listed(worse)}")
    if better:
        parts.append(f"{'fewer' if worse else 'fewer calls well'} than {_listed(better)}")
    said = f"The design answers {' and '.join(parts)}" if parts else ""
    if alike:
        unclear = f"gainst {_listed(alike)} the runs show no clear difference in calls answered well"
        said = f"{said}; a{unclear}" if said else f"A{unclear}"
    return f"{said}{_price(ours, {played: others[played] for played in (*better, *alike)})}."


def _price(ours: Cell, others: dict[Played, Cell]) -> str:
    """What those cost that answer as many calls or more."""
    slow = [played for played, cell in others.items() if above(cell, ours, patience)]
    heavy = [played for played, cell in others.items() if above(cell, ours, load)]
    if slow == heavy and slow:
        return f", but with {_listed(slow)} callers wait longer and more tries reach the dependency"
    found = [
        *([f"with {_listed(slow)} callers wait longer"] if slow else []),
        *([f"with {_listed(heavy)} more tries reach the dependency"] if heavy else []),
    ]
    return f", but {' and '.join(found)}" if found else ""


def _recovery(ours: Cell, others: dict[Played, Cell]) -> list[str]:
    """Who isn't well again in any run."""
    if not ours.recovers:
        return [f"With the design no run was well again within {ours.outcomes[0].watched:g} s."]
    never = [played for played, cell in others.items() if not cell.recovers and len(cell.outcomes) >= _FEWEST_RUNS]
    if not never or ours.recovers < len(ours.outcomes):
        return []
    return [f"With {_listed(never)} no run was well again within {ours.outcomes[0].watched:g} s; with the design all."]


def losses(study: Study) -> list[str]:
    """Where another policy is clearly better than the design, a sentence each: what the design costs."""
    found = []
    for name, trouble in study.troubles.items():
        cells = {played: study.cells.get((name, played)) for played in study.played}
        ours = cells.pop(DESIGN, None)
        for played, cell in cells.items():
            if ours is None or cell is None or not above(cell, ours, goodput):
                continue
            theirs, mine = (spelled(each.mean(goodput), scale=100, unit="%") for each in (cell, ours))
            said = f"{theirs} of the calls are answered well with {NAMES[played]}, {mine} with the design"
            waits = f"; with {NAMES[played]} callers wait longer" if above(cell, ours, patience) else ""
            found.append(f"{trouble.title.capitalize()}: {said}{waits}.")
    return found


def _listed(played: Sequence[Played]) -> str:
    names = [NAMES[name] for name in played]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
