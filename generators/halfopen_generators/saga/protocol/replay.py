"""Whether a run found over the growing network can also happen within the bounds of `faults`.

The run is followed event by event in exact mode. Between two of its events the network and the timers may do
what the growing network never shows: send again, lose, double, crash. What comes out is an exact run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from halfopen.checkers.commands import Command
from halfopen.checkers.explore import Budget, Model, Path, explore
from halfopen_generators.saga.protocol.instances import Instances

_BUDGET = Budget(states=100_000, seconds=10)

# An exact command that does what the other does, and a crash besides.
_SAME = {"crash-participant": "apply", "crash-participant-undoing": "compensate"}
# What may happen unseen between two events of the run.
_UNSEEN = {
    "send-again", "crash", "lose", "duplicate", "undo-again", "crash-undoing", "hear", "refuse-again", "apply-again",
    "refuse-late", "compensate-again", "decline-undo-again",
}  # fmt: skip


class _Follow(Model[tuple[Any, int], Any]):
    """The exact model, held to a run: a state is an exact state and how much of the run is behind it."""

    FOUND = "the run can't happen"

    def __init__(self, exact: Model[Any, Any], wanted: Sequence[tuple[int, str, str]]) -> None:
        self.exact = exact
        self.wanted = tuple(wanted)
        self.always = {self.FOUND: lambda state: state[1] < len(self.wanted)}

    def initial(self) -> Iterable[tuple[Any, int]]:
        return [(state, 0) for state in self.exact.initial()]

    def steps(self, state: tuple[Any, int]) -> Iterator[tuple[Any, tuple[Any, int]]]:
        here, behind = state
        for action, successor in self.exact.steps(here):
            run, command = action if isinstance(action, tuple) else (0, action)
            if _key(run, command) == self.wanted[behind]:
                yield action, (successor, behind + 1)
            if not command.breaks and command.kind.partition(" ")[0] in _UNSEEN:
                yield action, (successor, behind)


def _key(run: int, command: Command) -> tuple[int, str, str]:
    kind = command.kind.removeprefix("crash-after-")
    return run, _SAME.get(kind, kind), command.subject


def replay(path: Path[Any, Any], exact: Model[Any, Any]) -> Path[Any, Any] | None:
    """The shortest exact run with the same events in the same order; None if none was found within bounds."""
    wanted = [_key(*(action if isinstance(action, tuple) else (0, action))) for action in path.actions]
    if not wanted:
        return Path(tuple(exact.initial())[:1], ())
    if isinstance(exact, Instances) and exact.partial_order:
        raise ValueError("partial order would forbid the very order of events that is asked for")
    result = explore(_Follow(exact, wanted), budget=_BUDGET, first_violation_ends=True)
    found = result.violations.get(_Follow.FOUND)
    if found is None:
        return None
    return Path(tuple(state[0] for state in found.states), found.actions)
