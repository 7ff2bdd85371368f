"""Several runs of one saga side by side: what they do to each other's bits, and which of their orders are looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from halfopen.checkers.commands import Command, CommandModel
from halfopen.checkers.explore import Model
from halfopen_generators.saga.protocol.interference import Bits, Interference, touch_of
from halfopen_generators.saga.protocol.isolation import Touch

Chunks = tuple[int, ...]
Action = tuple[int, Command]


@dataclass(frozen=True)
class _Effect:
    """A touch as masks over a chunk: who must not hold a lock, and which bits move to which neighbour."""

    locked: int
    seen: int
    dirty_by_write: int
    dirty_by_read: int

    @classmethod
    def of(cls, touch: Touch, bits: Bits) -> _Effect:
        return cls(
            locked=bits.mask("lock", touch.locks),
            seen=bits.mask("seen", touch.writes),
            dirty_by_write=bits.mask("dirty", touch.writes),
            dirty_by_read=bits.mask("dirty", touch.reads),
        )

    def on(self, chunk: int) -> int:
        """Another run's chunk after the touch."""
        return (
            chunk
            | (chunk & self.seen) << 1  # seen -> stale
            | (chunk & self.dirty_by_write) << 1  # dirty -> over
            | (chunk & self.dirty_by_read) << 2  # dirty -> exposed
        )


class _Cleaned(dict[int, int]):
    """A chunk without what can't matter any more, remembered."""

    def __init__(self, interference: Interference) -> None:
        super().__init__()
        self._live = interference.live

    def __missing__(self, chunk: int) -> int:
        cleaned = self[chunk] = self._live(chunk)
        return cleaned


class Instances(Model[Chunks, Action]):
    """Several runs of one saga side by side. A state is a tuple of the runs' states.

    Three reductions, all sound here and each to be switched off.

    *Symmetry*: runs are alike and every property speaks of each run in the same way, so states that are permutations
    of each other are one.

    *Forgetting* (`forget`): of a run's bits those that no guard will ask for are 0, and all runs that are over are the
    same: whatever has ended, holds no lock and can do nothing more (`interference.py`).

    *Partial order*: let all that run r may do next commute with all that the others may do before r takes a step, and
    let one of its steps break nothing. Then the steps of r are enough to go on with: they are a persistent set. Take
    any path from here. If r takes a step in it, the first one can go first. If not, any step of r that breaks nothing
    leaves the path possible, its last step included. So whatever breaks a promise, and whatever is a place to stand
    still, is reached from behind a step of r too, and by fewer steps than are left or further on; and a run over the
    growing network goes round in no circle (looked up, else this is not used), so nothing is put off for ever
    (ample sets: Clarke, Grumberg and Peled, Model Checking, chapter 10; persistent sets: Godefroid 1996, chapter 4).
    """

    def __init__(
        self,
        run: CommandModel,
        count: int,
        *,
        symmetry: bool = True,
        partial_order: bool = True,
        forget: bool = True,
    ) -> None:
        self.run = run
        self.count = count
        self.symmetry = symmetry
        self._bits = Bits(run)
        self.interference = Interference(run) if partial_order or forget else None
        usable = self.interference is not None and self.interference.usable
        self.partial_order = partial_order and usable
        self.forget = forget and usable
        self._moves: dict[int, tuple[tuple[Command, int], ...]] = {}
        self._going: dict[int, bool] = {}
        self._effects: dict[Touch, _Effect] = {}
        self._cleaned = _Cleaned(self.interference) if self.interference is not None else {}
        one_ended = run.ended
        if one_ended is not None:
            self.ended = lambda state: all(one_ended(chunk) for chunk in state)

    def initial(self) -> Iterable[Chunks]:
        """All runs at their start."""
        return [tuple(itertools.chain.from_iterable(self.run.initial() for _ in range(self.count)))]

    def steps(self, state: Chunks) -> Iterator[tuple[Action, Chunks]]:
        """What any run can do, or only what one can whose moves don't touch what others may do before."""
        chosen = self.apart(state) if self.partial_order else None
        if chosen is not None:
            return self._steps_of(state, chosen)
        return self.every_step(state)

    def every_step(self, state: Chunks) -> Iterator[tuple[Action, Chunks]]:
        """What any run can do."""
        return itertools.chain.from_iterable(self._steps_of(state, index) for index in range(self.count))

    def apart(self, state: Chunks) -> int | None:
        """A run whose steps are enough to go on with: the last, so that one tends to end before another starts."""
        for index in range(self.count - 1, -1, -1):
            chunk = state[index]
            if self._goes_on(chunk) and self.interference is not None and self.interference.apart(state, index):
                return index
        return None

    def _steps_of(self, state: Chunks, index: int) -> Iterator[tuple[Action, Chunks]]:
        for command, successor in self._of(state[index]):
            if command.breaks:
                # Nothing is explored beyond, so what the other runs are at does not matter.
                yield (index, command), tuple(successor if i == index else 0 for i in range(self.count))
                continue
            if command.note is None:
                yield (index, command), (*state[:index], successor, *state[index + 1 :])
                continue
            effect = self._effect(command)
            before, after = state[:index], state[index + 1 :]
            if any(chunk & effect.locked for chunk in (*before, *after)):
                continue
            others_before, others_after = map(effect.on, before), map(effect.on, after)
            yield (index, command), (*others_before, successor, *others_after)

    def canonical(self, state: Chunks) -> Chunks:
        """The runs without what can't matter any more, in the order of their states."""
        if self.forget:
            cleaned = map(self._cleaned.__getitem__, state)
            return tuple(sorted(cleaned) if self.symmetry else cleaned)
        return tuple(sorted(state)) if self.symmetry else state

    def broken(self, state: Chunks) -> tuple[str, ...]:
        """What any run has broken."""
        return tuple(name for chunk in state for name in self.run.broken(chunk))

    def is_fault(self, action: Action) -> bool:
        """What the command says of itself."""
        return action[1].fault

    def _of(self, chunk: int) -> tuple[tuple[Command, int], ...]:
        known = self._moves.get(chunk)
        if known is None:
            known = self._moves[chunk] = tuple(self.run.steps(chunk))
        return known

    def _goes_on(self, chunk: int) -> bool:
        """True if the run may do something that breaks nothing and that is no fault."""
        known = self._going.get(chunk)
        if known is None:
            known = self._going[chunk] = any(
                not command.fault and not self.run.broken(successor) for command, successor in self._of(chunk)
            )
        return known

    def _effect(self, command: Command) -> _Effect:
        touch = touch_of(command)
        known = self._effects.get(touch)
        if known is None:
            known = self._effects[touch] = _Effect.of(touch, self._bits)
        return known
