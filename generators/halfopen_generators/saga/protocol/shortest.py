"""The shortest run within the bounds of `faults` that breaks a promise; of those equally short, the plainest.

What is found over the growing network is retold within bounds by `replay`, event by event: its order is not the
shortest there, since a step that is given up costs one event over the growing network and one for every try
within bounds. Here the bounded protocol itself is searched, level by level, as far as a number of states goes; or
the growing network, with each event counted as often as it takes within bounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any

from halfopen.checkers.explore import EVERY_RUN_ENDS, Model, Path
from halfopen.progress import Progress, Silent

# So many states of one run take a third of a second.
MOST_STATES = 30_000

# What nobody plans for. A refusal is an answer; a run that shows the same fault by answers alone reads better.
_MISHAPS = {"send-again", "give-up", "abandon", "undo-again", "give-up-undo", "lose", "duplicate"}


def shortest_runs(
    model: Model[Any, Any],
    wanted: Collection[str],
    *,
    most_states: int = MOST_STATES,
    events: Callable[[Any], int] = lambda _: 1,
    progress: Progress | None = None,
) -> dict[str, Path[Any, Any]]:
    """By name of what is broken, the run with the fewest events and among those with the fewest mishaps.

    What is not found within that number of states, or before it is cancelled, is left out. That runs end
    (`EVERY_RUN_ENDS`) is known only once every state was seen.

    Args:
        model: What is searched.
        wanted: The names of what is looked for.
        most_states: How many states are looked at.
        events: How many events an action counts for, at least one.
        progress: Asked whether to go on.
    """
    return _Levels(model, wanted, events, progress or Silent()).run(most_states)


class _Levels:
    """States by how many events lead to them. Within a level a state keeps the way with the fewest mishaps."""

    def __init__(
        self, model: Model[Any, Any], wanted: Collection[str], events: Callable[[Any], int], progress: Progress
    ) -> None:
        self.model = model
        self.wanted = set(wanted)
        self.events = events
        self.progress = progress
        # By the number of events, the states to come, each with its mishaps and what it came by.
        self.levels: dict[int, dict[Hashable, Any]] = defaultdict(dict)
        self.came_by: dict[Hashable, tuple[Hashable, Any] | None] = {}
        self.costs: dict[Hashable, tuple[int, int]] = {}  # events and mishaps on the way there
        self.dead_ends: set[Hashable] = set()
        self.leads_to: list[tuple[Hashable, Hashable]] = []

    def run(self, most_states: int) -> dict[str, Path[Any, Any]]:
        found: dict[str, Hashable] = {}
        self.levels[0] = dict.fromkeys(self.model.initial(), (0, None))
        while self.levels and not self.wanted <= found.keys():
            events = min(self.levels)
            level = {state: how for state, how in self.levels[events].items() if state not in self.came_by}
            if len(self.came_by) + len(level) > most_states:
                break
            del self.levels[events]
            for state, (mishaps, came_by) in level.items():
                self.costs[state], self.came_by[state] = (events, mishaps), came_by
            for name, state in self._broken(level):
                found.setdefault(name, state)
            self._expand(level)
            if self.progress.cancelled():
                # What can't be reached is known only once all was seen: the level may have been left halfway.
                self.wanted.discard(EVERY_RUN_ENDS)
                break
        if not self.levels and EVERY_RUN_ENDS in self.wanted and (stuck := self._stuck()) is not None:
            found[EVERY_RUN_ENDS] = stuck
        return {name: self._path(state) for name, state in found.items() if name in self.wanted}

    def _broken(self, level: Collection[Hashable]) -> Iterator[tuple[str, Hashable]]:
        """What the states of a level break, the plainest run first."""
        for state in sorted(level, key=self.costs.__getitem__):
            names = tuple(self.model.broken(state))
            if names:
                self.dead_ends.add(state)
            for name in names:
                yield name, state

    def _expand(self, level: Collection[Hashable]) -> None:
        """Puts all that follows a level where it belongs, by its number of events."""
        for state in level:
            if self.progress.cancelled():
                return
            if state in self.dead_ends:
                continue
            events, mishaps = self.costs[state]
            for action, successor in self.model.steps(state):
                if EVERY_RUN_ENDS in self.wanted and not self.model.is_fault(action):
                    self.leads_to.append((state, successor))
                if successor in self.came_by:
                    continue
                following = self.levels[events + self.events(action)]
                so_far = mishaps + _is_mishap(action)
                if successor not in following or so_far < following[successor][0]:
                    following[successor] = (so_far, (state, action))

    def _stuck(self) -> Hashable | None:
        """The nearest state from where no end can be reached without a fault, of the nearest the plainest."""
        ended = self.model.ended
        if ended is None:
            return None
        can_end = {state for state in self.came_by if state in self.dead_ends or ended(state)}
        before = -1
        while before != len(can_end):
            before = len(can_end)
            can_end.update(source for source, target in reversed(self.leads_to) if target in can_end)
        return min((state for state in self.came_by if state not in can_end), key=self.costs.__getitem__, default=None)

    def _path(self, state: Hashable) -> Path[Any, Any]:
        states, actions = [state], []
        while (came_by := self.came_by[state]) is not None:
            state, action = came_by
            states.append(state)
            actions.append(action)
        return Path(tuple(reversed(states)), tuple(reversed(actions)))


def _is_mishap(action: Any) -> bool:
    command = action[1] if isinstance(action, tuple) else action
    kind = command.kind.partition(" ")[0]
    return kind in _MISHAPS or kind.startswith("crash")
