"""What one run can do to another, now and later: what partial order between runs and forgetting rest on.

Runs meet nowhere but in the bits that they keep of shared resources (`isolation.py`). A run's command *gives*: a write
makes another run's `seen` to `stale` and its `dirty` to `over`, a read makes its `dirty` to `exposed`, and a lock is
one that others can't take. And it *cares*: for the bits that its guard asks for, for those that its assignments don't
leave in either order what they would be, and for the lock that it asks for. Two commands of two runs commute if
neither gives what the other cares for. All of this is read off the commands.

What a run can still do is read off the *control graph*: the states of one run alone, blind to the bits, so that every
path that other runs may force it to take is in it. Of each of its states are known

- what the commands that are possible there give and care for,
- what all commands give and care for that can come from there on; also under the condition that another run holds
  some locks all the while,
- the bits that are *live*: that some guard may yet ask for, before they are written anew.

A bit that can never be 1, or that nobody asks for, counts for nothing here (cone of influence; Clarke, Grumberg and
Peled, Model Checking, section 13.1). A bit that is not live may be forgotten: states that differ only in it are
bisimilar (the same holds of dead variables in any program; Bozga, Fernandez and Ghirvu, 1999).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from halfopen.checkers.commands import Command, CommandModel
from halfopen_generators.saga.protocol.isolation import BITS, Resource, Touch, bit_of

# So many states of one run are looked at; beyond that every command counts as one that can still come.
MOST_CONTROL_STATES = 100_000
# For so many sets of locks that are held it is known what they keep from happening; for others none is taken as held.
_MOST_SETS_OF_LOCKS = 64


@dataclass(frozen=True)
class _Doing:
    """What commands do to the bits: of others (`gives`), and of their own run."""

    gives: int = 0
    cares: int = 0
    # Bits that become 1, so that what another run does moves them on.
    sets: int = 0

    def __or__(self, other: _Doing) -> _Doing:
        return _Doing(self.gives | other.gives, self.cares | other.cares, self.sets | other.sets)


def touch_of(command: Command) -> Touch:
    """What the command does to resources that other runs share.

    Raises:
        TypeError: its note is something else.
    """
    if command.note is None:
        return Touch()
    if not isinstance(command.note, Touch):
        raise TypeError(f"{command.note!r} is no Touch")
    return command.note


class Bits:
    """Where the bits of all resources lie in a run's state, and which of them count."""

    def __init__(self, run: CommandModel) -> None:
        touches = [touch_of(command) for command in run.commands]
        resources = sorted({resource for touch in touches for resource in touch.reads | touch.writes | touch.locks})
        self.names = [bit_of(bit, resource) for resource in resources for bit in BITS]
        self._layout = run.layout
        self._of = {bit: self.mask(bit, resources) for bit in BITS}
        self.all = sum(self._of.values())
        self.locks = self._of["lock"]
        self.relevant = self._relevant(run.commands) | self.locks

    def mask(self, bit: str, resources: Iterable[Resource]) -> int:
        """That bit of these resources."""
        return self._layout.mask_of(bit_of(bit, resource) for resource in resources)

    def moved(self, chunk: int) -> int:
        """What any touch of another run could make of these bits: their neighbours."""
        seen, dirty = chunk & self._of["seen"], chunk & self._of["dirty"]
        return seen << 1 | dirty << 1 | dirty << 2

    def with_causes(self, wanted: int) -> int:
        """These bits and those that they come from."""
        stale, over, exposed = (wanted & self._of[bit] for bit in ("stale", "over", "exposed"))
        return wanted | stale >> 1 | over >> 1 | exposed >> 2

    def asked_by(self, command: Command) -> int:
        """The bits in the command's guard."""
        unless = [command.unless[0]] if command.unless else []
        return self._layout.mask_of((*command.when, *command.some, *unless)) & self.all

    def written_by(self, command: Command) -> int:
        """The bits that the command assigns."""
        return self._layout.mask_of((*command.then, *command.add)) & self.all

    def set_by(self, command: Command) -> int:
        """The bits that the command makes 1."""
        ones = [name for name, value in command.then.items() if value]
        return self._layout.mask_of((*ones, *command.add)) & self.all

    def done_by(self, command: Command) -> _Doing:
        """What the command gives, cares for and sets."""
        asked = self.asked_by(command)
        if command.breaks:  # It leads nowhere, and waits for no lock.
            return _Doing(cares=asked & self.relevant)
        touch = touch_of(command)
        locks = self.mask("lock", touch.locks)
        gives = self._given_by(touch) | locks
        written = self.with_causes(self.written_by(command))
        cares = asked | written | self.moved(written) | locks
        return _Doing(gives & self.relevant, cares & self.relevant, self.set_by(command) & self.relevant)

    def _given_by(self, touch: Touch) -> int:
        return self.mask("stale", touch.writes) | self.mask("over", touch.writes) | self.mask("exposed", touch.reads)

    def _relevant(self, commands: Sequence[Command]) -> int:
        """The bits that can be 1 and that some guard asks for, and those that they come from."""
        possible = given = asked = 0
        for command in commands:
            asked |= self.asked_by(command)
            if not command.breaks:
                possible |= self.set_by(command)
                given |= self._given_by(touch_of(command))
        possible |= self.moved(possible) & given
        return self.with_causes(asked & possible)


class Interference:
    """What the runs of a saga can do to each other, for any states that they are in.

    `usable` is false where the model is not one that this is made for: where the control graph has a cycle, where an
    eager command minds the bits, or where a command with a touch could leave the control graph's state as it is.
    """

    def __init__(self, run: CommandModel, *, most: int = MOST_CONTROL_STATES) -> None:
        self.bits = bits = Bits(run)
        self._blind = run.without(bits.names)
        both = tuple(zip(self._blind.commands, run.commands, strict=True))
        self._doing = {blind: bits.done_by(command) for blind, command in both}
        self._asked = {blind: bits.asked_by(command) for blind, command in both}
        self._written = {blind: bits.written_by(command) for blind, command in both}
        self._locks = {blind: bits.mask("lock", touch_of(command).locks) for blind, command in both}
        self._anything = _any_of(self._doing.values())
        self._moves: dict[int, tuple[tuple[Command, int], ...]] = {}
        order = self._control_graph(most)
        # None where it was too large.
        self._order = None if order is None else tuple(order)
        self.usable = all(map(self._is_made_for, run.commands)) and (order is None or len(order) == len(self._moves))
        self._now: dict[int, _Doing] = {}
        self._later: dict[int, Mapping[int, _Doing]] = {}
        self._live = self._live_bits() if self._order is not None else {}
        self._over = {control for control in self._live if run.ended and run.ended(control) and self._is_over(control)}
        self._any_end = min(self._over, default=0)

    def live(self, chunk: int) -> int:
        """The run's state without what can't matter any more: bits, and how a run came to its end that is over."""
        control = chunk & ~self.bits.all
        if control in self._over and not chunk & self.bits.locks:
            return self._any_end
        return chunk & ~(self.bits.all & ~self._live.get(control, self.bits.relevant))

    def apart(self, state: Sequence[int], index: int) -> bool:
        """True if nothing that the others can do before that run takes a step touches what it can do now."""
        mine = state[index]
        now = self._doing_now(mine)
        if not (now.gives or now.cares):
            return True
        held, moved = mine & self.bits.locks, self.bits.moved(mine | now.sets)
        for number, other in enumerate(state):
            if number == index:
                continue
            if other & now.cares & self.bits.locks:
                return False
            later = self._doing_later(other, held)
            locks = later.cares & now.gives & self.bits.locks
            if locks or later.gives & now.cares & (moved | self.bits.locks):
                return False
            if now.gives & later.cares & self.bits.moved(other | later.sets):
                return False
        return True

    def _is_over(self, control: int) -> bool:
        return not self._moves[control]

    def _is_made_for(self, command: Command) -> bool:
        bits = self.bits
        if command.eager:
            # What a run's end does: all bits to 0, which is the same before and after what another run does.
            return not bits.asked_by(command) and bits.written_by(command) in (0, bits.all) and not bits.set_by(command)
        if command.breaks or not (command.note or bits.written_by(command)):
            return True
        changed = {name for name, value in command.then.items() if command.when.get(name, value) != value}
        return bool(changed - set(bits.names))

    def _control_graph(self, most: int) -> list[int] | None:
        """Its states, each before those that it leads to; fewer than all if it has a cycle, None if it is too large."""
        pending = list(self._blind.initial())
        entered: dict[int, int] = dict.fromkeys(pending, 0)
        while pending:
            state = pending.pop()
            self._moves[state] = tuple(self._blind.steps(state))
            for command, successor in self._moves[state]:
                if command.breaks:
                    continue
                if successor not in entered:
                    entered[successor] = 0
                    pending.append(successor)
                entered[successor] += 1
            if len(entered) > most:
                return None
        order = [state for state, times in entered.items() if not times]
        for state in order:  # It grows on the way.
            for command, successor in self._moves[state]:
                if not command.breaks:
                    entered[successor] -= 1
                    if not entered[successor]:
                        order.append(successor)
        return order

    def _doing_now(self, chunk: int) -> _Doing:
        control = chunk & ~self.bits.all
        known = self._now.get(control)
        if known is None:
            known = self._now[control] = _any_of(self._doing[command] for command, _ in self._blind.steps(control))
        return known

    def _doing_later(self, chunk: int, held: int) -> _Doing:
        """What can come of that run as long as another one holds these locks."""
        if self._order is None:
            return self._anything
        later = self._later.get(held)
        if later is None:
            if len(self._later) >= _MOST_SETS_OF_LOCKS and held:
                return self._doing_later(chunk, 0)
            later = self._later[held] = self._all_later(self._order, held)
        return later[chunk & ~self.bits.all]

    def _all_later(self, order: Sequence[int], held: int) -> Mapping[int, _Doing]:
        found: dict[int, _Doing] = {}
        for state in reversed(order):
            gives = cares = sets = 0
            for command, successor in self._moves[state]:
                parts = [self._doing[command]]
                if not command.breaks:
                    if self._locks[command] & held:
                        continue
                    parts.append(found[successor])
                for part in parts:
                    gives, cares, sets = gives | part.gives, cares | part.cares, sets | part.sets
            found[state] = _Doing(gives, cares, sets)
        return found

    def _live_bits(self) -> dict[int, int]:
        bits, found = self.bits, dict[int, int]()
        for state in reversed(self._order or ()):
            live = bits.locks
            for command, successor in self._moves[state]:
                live |= self._asked[command]
                if not command.breaks:
                    live |= found[successor] & ~self._written[command]
            found[state] = bits.with_causes(live & bits.relevant)
        return found


def _any_of(parts: Iterable[_Doing]) -> _Doing:
    found = _Doing()
    for part in parts:
        found |= part
    return found
