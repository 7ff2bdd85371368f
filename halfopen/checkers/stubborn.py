"""Partial order over guarded commands: at each state a set of commands that is enough to go on with.

Independence is read off the guards and the assignments; nothing is known of what a model is about. `T(s)` is a
strong stubborn set (Valmari, "Stubborn sets for reduced state space generation", 1989, and "The state explosion
problem", 1998, section 7; Godefroid's persistent sets, 1996, and the ample sets of Clarke, Grumberg and Peled,
Model Checking, chapter 10, are its relatives). It is the smallest set found that holds a command that may happen
and is closed under this:

1. Of a command in it that may happen: all commands that it does not commute with, and all that an eager command
   does not commute with which it may wake.
2. Of a command in it that may not happen: for one of the conditions of its guard that are false, all commands that
   can make it true. Eager commands count as commands here, and are themselves "may not happen": a state is settled.
3. Of a command in it that breaks a promise and may happen: nothing. The breach is found here and now.

Two commands *commute* if their guards exclude each other, or if neither writes what the other writes, or makes a
condition of the other's guard false. That is decided by values, not by names: a guard `log = sent` and a write
`log := sent` don't disturb each other.

Why it is enough. Take a settled state s, a run `u1 ... un` from it without a command of T, and t in T.

*A command of T that may not happen can't be made to happen without T*, and no eager command of T fires: the first
of them in the run would need a condition that only T makes true (rule 2). Hence if t happens after `u1 ... un`, it
may happen at s; and by rule 1 it commutes with every `ui` and every eager command that they wake, so it can go
first. The eager commands that it wakes then fire earlier than before: they commute with what is left (rule 1), and
eager commands commute with each other (looked up when the model is built; else nothing is reduced), so by Newman's
lemma what is settled in the end is the same. So `t u1 ... un` leads where `u1 ... un t` led: Valmari's D1. And what
may happen at s in T may still happen after `u1 ... un`: his D2.

*Terminal states* are all found (D1 and D2; Valmari 1998, theorem 7.2), and where the full graph has an endless run
the reduced one has (the same, 7.3). So if the reduced graph has no cycle, and the explorer looks that this is so,
neither has the full one, and nothing is put off for ever: that is the cycle proviso.

*Breaches.* A command that breaks a promise leads nowhere; all of them are tried at every state that is seen, in T
or not. Let b be possible at z, reached by `u1 ... un` from s. If some of them is in T, the first of these can go
first, and z is one step nearer. If none is, let t in T happen at s: either it leaves b's guard true, and then b is
possible after `t u1 ... un`, from a state that is further on in a graph without cycles; or it (or an eager command
that it wakes) may make it false, then b is in T by rule 1, and is possible at s or never without T (rule 2). So by
induction every breach that can be reached is found, if perhaps by a detour.

*Every fair run ends*: without cycles, and without faults other than breaches, an end can be reached from every
state if and only if every terminal state is an end or has a breach that is no fault; and these are all found.

A model with other faults is not reduced, since what no run may count on would have to be kept apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfopen.checkers.commands import Command, CommandModel, Variable

# Of the values of a variable those for which a guard is true, as bits.
_Allowed = int


class _Shape:
    """A command as what it asks of each variable and what it makes of it."""

    def __init__(self, command: Command, number: int, variables: dict[str, Variable]) -> None:
        self.number = number
        self.bit = 1 << number
        self.eager = command.eager
        self.breaks = command.breaks is not None
        self.guard: dict[str, _Allowed] = {}
        for name, value in command.when.items():
            self._ask(variables[name], 1 << value)
        for name in command.some:
            self._ask(variables[name], ~1)
        if command.unless:
            self._ask(variables[command.unless[0]], ~(1 << command.unless[1]))
        # What a variable is afterwards; None if that depends on what it was. A breach is a remark, it changes nothing.
        self.writes: dict[str, int | None] = {}
        if not self.breaks:
            self.writes = {**command.then, **dict.fromkeys(command.add)}
        self.conditions = tuple(
            (variables[name].mask, variables[name].shift, allowed, name) for name, allowed in self.guard.items()
        )

    def _ask(self, variable: Variable, allowed: _Allowed) -> None:
        every = (1 << (variable.mask >> variable.shift) + 1) - 1
        self.guard[variable.name] = self.guard.get(variable.name, every) & allowed

    def may_happen(self, state: int) -> bool:
        return all(allowed >> ((state & mask) >> shift) & 1 for mask, shift, allowed, _ in self.conditions)

    def leaves(self, other: _Shape) -> bool:
        """True if it makes no condition of the other's guard false, and writes nothing that the other writes."""
        for name, value in self.writes.items():
            if name in other.writes:
                return False
            allowed = other.guard.get(name)
            if allowed is not None and (value is None or not allowed >> value & 1):
                return False
        return True

    def excludes(self, other: _Shape) -> bool:
        """True if the two guards can't be true at once."""
        return any(not allowed & other.guard.get(name, allowed) for name, allowed in self.guard.items())

    def can_make(self, name: str, allowed: _Allowed) -> bool:
        """True if it may make that condition true."""
        if name not in self.writes:
            return False
        value = self.writes[name]
        return value is None or bool(allowed >> value & 1)


class StubbornSets:
    """What is enough to go on with, at each state of a model made of commands."""

    def __init__(self, model: CommandModel) -> None:
        variables = model.layout.variables
        self._shapes = [_Shape(command, n, variables) for n, command in enumerate(model.commands)]
        self._number = {command: n for n, command in enumerate(model.commands)}
        self._readers: dict[str, list[_Shape]] = {}
        self._writers: dict[str, list[_Shape]] = {}
        for shape in self._shapes:
            for name in shape.guard:
                self._readers.setdefault(name, []).append(shape)
            for name in shape.writes:
                self._writers.setdefault(name, []).append(shape)
        self._eager = [shape for shape in self._shapes if shape.eager]
        self._against: dict[int, int] = {}
        self._closed_under: dict[int, int] = {}
        self._makers: dict[tuple[str, int], int] = {}
        eager = sum(shape.bit for shape in self._eager)
        self.confluent = all(not self._not_commuting(shape) & eager & ~shape.bit for shape in self._eager)
        faulty = any(command.fault and not command.breaks for command in model.commands)
        # A state that is broken by itself, not by a command, is a dead end where a breach could go unseen.
        plain = type(model).broken is CommandModel.broken
        self.usable = self.confluent and plain and not faulty

    def enough(self, state: int, possible: Iterable[Command]) -> frozenset[Command] | None:
        """A stubborn set's share of the commands that may happen and change something; None if it takes them all."""
        by_number = {self._number[command]: command for command in possible if not command.breaks}
        if len(by_number) < 2:  # noqa: PLR2004 - one is the least that there can be
            return None
        everything = sum(1 << number for number in by_number)
        for number in by_number:
            closed = self._closure(state, number, everything)
            if closed != everything:
                return frozenset(command for number, command in by_number.items() if closed >> number & 1)
        return None

    def _closure(self, state: int, seed: int, everything: int) -> int:
        """The possible commands in the smallest stubborn set that holds the seed."""
        chosen = pending = 1 << seed
        while pending:
            lowest = pending & -pending
            pending ^= lowest
            shape = self._shapes[lowest.bit_length() - 1]
            if shape.may_happen(state):
                if shape.eager:
                    return everything
                more = 0 if shape.breaks else self._disturbed_by(shape)
            else:
                more = self._needed_for(shape, state, chosen)
            pending |= more & ~chosen
            chosen |= more
            if chosen & everything == everything:
                return everything
        return chosen & everything

    def _needed_for(self, shape: _Shape, state: int, chosen: int) -> int:
        """All that can make one false condition of the guard true: of the condition that adds the fewest."""
        best, fewest = 0, -1
        for mask, shift, allowed, name in shape.conditions:
            if allowed >> ((state & mask) >> shift) & 1:
                continue
            makers = self._makers_of(name, allowed)
            added = (makers & ~chosen).bit_count()
            if fewest < 0 or added < fewest:
                best, fewest = makers, added
                if not added:
                    break
        return best

    def _makers_of(self, name: str, allowed: _Allowed) -> int:
        known = self._makers.get((name, allowed))
        if known is None:
            writers = self._writers.get(name, ())
            known = sum(shape.bit for shape in writers if shape.can_make(name, allowed))
            self._makers[name, allowed] = known
        return known

    def _not_commuting(self, shape: _Shape) -> int:
        known = self._against.get(shape.number)
        if known is None:
            known = 0
            for other in self._near(shape):
                disturbed = not (shape.leaves(other) and other.leaves(shape))
                if disturbed and other is not shape and not known & other.bit and not shape.excludes(other):
                    known |= other.bit
            self._against[shape.number] = known
        return known

    def _near(self, shape: _Shape) -> Iterator[_Shape]:
        """The commands with which it has a variable in common that either of them writes."""
        for name in shape.writes:
            yield from self._readers.get(name, ())
        for name in {*shape.writes, *shape.guard}:
            yield from self._writers.get(name, ())

    def _disturbed_by(self, shape: _Shape) -> int:
        """Rule 1: what does not commute with the command or with an eager one that it may wake."""
        known = self._closed_under.get(shape.number)
        if known is None:
            known = self._not_commuting(shape)
            for eager in self._woken_by(shape):
                known |= self._not_commuting(eager)
            self._closed_under[shape.number] = known
        return known

    def _woken_by(self, shape: _Shape) -> list[_Shape]:
        """The eager commands that may fire once the command has happened, now or after others.

        What the guard says of variables that it does not write stays true while others happen that commute with
        it, and so does what it wrote; so an eager command that asks for something else is not woken.
        """
        facts = dict(shape.guard)
        changed: dict[str, int] = {}
        for name, value in shape.writes.items():
            facts[name] = changed[name] = -1 if value is None else 1 << value
        woken: list[_Shape] = []
        again = True
        while again:
            again = False
            for eager in self._eager:
                if eager in woken or not any(changed.get(name, 0) & allowed for name, allowed in eager.guard.items()):
                    continue
                if any(not facts.get(name, allowed) & allowed for name, allowed in eager.guard.items()):
                    continue
                woken.append(eager)
                again = True
                for name, value in eager.writes.items():
                    put = -1 if value is None else 1 << value
                    changed[name] = changed.get(name, 0) | put
                    if name in facts:
                        facts[name] |= put
        return woken
