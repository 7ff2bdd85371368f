"""A model made of commands, explored by fewer states.

Like parts are one (symmetry), and what can wait waits (stubborn sets). Each can be switched off; neither loses a
verdict, and `explore_reduced` sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from halfopen.checkers.commands import Command, CommandModel
from halfopen.checkers.explore import Budget, Model, Path, Result, explore
from halfopen.checkers.stubborn import StubbornSets
from halfopen.checkers.symmetry import Part, Symmetry
from halfopen.progress import Progress


class Reduced(Model[int, Command]):
    """The same runs as the model's, up to the order of what is independent and to which of like parts is which."""

    def __init__(
        self, model: CommandModel, *, alike: Iterable[Sequence[Part]] = (), partial_order: bool = True
    ) -> None:
        self.model = model
        self.stubborn = StubbornSets(model)
        # Where eager commands depend on their order, exchanging parts could exchange what they lead to.
        self.symmetry = Symmetry(model, alike if self.stubborn.confluent else ())
        self.partial_order = partial_order and self.stubborn.usable
        self.needs_no_cycle = self.partial_order
        self.ended = model.ended

    def initial(self) -> Iterable[int]:
        """As the model says."""
        return self.model.initial()

    def steps(self, state: int) -> Iterable[tuple[Command, int]]:
        """What is enough to go on with, and every breach that is possible."""
        moves = list(self.model.steps(state))
        enough = self.stubborn.enough(state, [command for command, _ in moves]) if self.partial_order else None
        if enough is None:
            return self.symmetry.without_repeats(state, moves)
        chosen = [move for move in moves if move[0] in enough]
        return [*chosen, *self.symmetry.without_repeats(state, [move for move in moves if move[0].breaks])]

    def every_step(self, state: int) -> Iterable[tuple[Command, int]]:
        """All that is possible."""
        return self.model.steps(state)

    def broken(self, state: int) -> Iterable[str]:
        """As the model says."""
        return self.model.broken(state)

    def is_fault(self, action: Command) -> bool:
        """As the command says."""
        return action.fault

    def canonical(self, state: int) -> int:
        """Like parts in order."""
        return self.symmetry.canonical(state)


def explore_reduced(
    model: CommandModel,
    *,
    alike: Iterable[Sequence[Part]] = (),
    partial_order: bool = True,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Result[int, Command]:
    """The verdicts of the whole model, by fewer states. Paths are real runs, though not always the shortest.

    Without a cycle in the reduced graph there is none in the whole one, and partial order is sound. Should there
    be one, the model is explored again without partial order.
    """
    alike = tuple(alike)
    reduced = Reduced(model, alike=alike, partial_order=partial_order)
    result = explore(reduced, budget=budget, progress=progress)
    if result.cyclic:
        reduced = Reduced(model, alike=alike, partial_order=False)
        result = explore(reduced, budget=budget, progress=progress)
    return result.with_violations(dict(_of_all_likes(reduced, result.violations)))


def _of_all_likes(
    reduced: Reduced, violations: Mapping[str, Path[int, Command]]
) -> Iterator[tuple[str, Path[int, Command]]]:
    """What is broken at one part is broken at every part like it."""
    # One state stands for the like breaches; which of them a path leads to, its last command says.
    found = {(path.actions[-1].breaks if path.actions else None) or name: path for name, path in violations.items()}
    yield from found.items()
    known = set(found)
    for label, path in found.items():
        for like, exchanged in reduced.symmetry.likes_of(label, known).items():
            known.add(like)
            yield like, _retold(reduced.model, path, exchanged)


def _retold(model: CommandModel, path: Path[int, Command], exchanged: Mapping[Command, Command]) -> Path[int, Command]:
    """The same run with parts exchanged."""
    states, actions = [path.states[0]], [exchanged.get(action, action) for action in path.actions]
    for action in actions:
        states.append(next(after for command, after in model.steps(states[-1]) if command is action))
    return Path(tuple(states), tuple(actions))
