"""Whether a run found over the growing network can also happen within the bounds of `faults`.

The run is followed event by event in exact mode. Between two of its events the network and the timers may do
what the growing network never shows: send again, lose, double, crash. What comes out is an exact run, with as few of
these as can be: those with none are tried first, then those with one, and so on, as far as a number of states goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from halfopen.checkers.commands import Command
from halfopen.checkers.explore import Model, Path
from halfopen.progress import Progress, Silent
from halfopen_generators.saga.protocol.instances import Instances

# So many states of two runs take two seconds.
MOST_STATES = 100_000

# An exact command that does what the other does, and a crash besides.
_SAME = {"crash-participant": "apply", "crash-participant-undoing": "compensate"}
# What may happen unseen between two events of the run.
_UNSEEN = {
    "send-again", "crash", "lose", "duplicate", "undo-again", "crash-undoing", "hear", "refuse-again", "apply-again",
    "refuse-late", "compensate-again", "decline-undo-again",
}  # fmt: skip

# An exact state, and how many events of the run are behind it.
_Place = tuple[Any, int]
_CameBy = tuple[_Place, Any] | None


def replay(
    path: Path[Any, Any], exact: Model[Any, Any], progress: Progress | None = None, *, most_states: int = MOST_STATES
) -> Path[Any, Any] | None:
    """The shortest exact run with the same events in the same order.

    None if that number of states shows none, or if it is cancelled before.
    """
    progress = progress or Silent()
    if isinstance(exact, Instances) and exact.partial_order:
        raise ValueError("partial order would forbid the very order of events that is asked for")
    wanted = [_key(*(action if isinstance(action, tuple) else (0, action))) for action in path.actions]
    came_by: dict[_Place, _CameBy] = {}
    following: dict[_Place, _CameBy] = {(state, 0): None for state in exact.initial()}
    while following:
        # All places that this many unseen events lead to: those known, and what the run's own events lead on to.
        level = [place for place in following if place not in came_by]
        came_by |= {place: following[place] for place in level}
        following = {}
        for place in level:  # It grows on the way.
            if place[1] == len(wanted):
                return _path(place, came_by)
            if len(came_by) > most_states or progress.cancelled():
                return None
            for action, after, seen in _moves(place, exact, wanted):
                if after in came_by:
                    continue
                if seen:
                    came_by[after] = (place, action)
                    level.append(after)
                else:
                    following.setdefault(after, (place, action))
    return None


def _moves(
    place: _Place, exact: Model[Any, Any], wanted: Sequence[tuple[int, str, str]]
) -> Iterator[tuple[Any, _Place, bool]]:
    """What may happen there, where it leads, and whether it is the run's next event."""
    here, behind = place
    for action, successor in exact.steps(here):
        run, command = action if isinstance(action, tuple) else (0, action)
        if _key(run, command) == wanted[behind]:
            yield action, (successor, behind + 1), True
        if not command.breaks and command.kind.partition(" ")[0] in _UNSEEN:
            yield action, (successor, behind), False


def _key(run: int, command: Command) -> tuple[int, str, str]:
    kind = command.kind.removeprefix("crash-after-")
    return run, _SAME.get(kind, kind), command.subject


def _path(place: _Place, came_by: dict[_Place, _CameBy]) -> Path[Any, Any]:
    states, actions = [place[0]], []
    while (before := came_by[place]) is not None:
        place, action = before
        states.append(place[0])
        actions.append(action)
    return Path(tuple(reversed(states)), tuple(reversed(actions)))
