"""Symmetry among like parts of a model made of commands: states that differ only in which part is which are one.

A part is a run of neighbouring variables. That two parts are alike is not believed but looked up: exchanging them
has to turn the set of commands into itself, and the start too. Then it is an automorphism of the state graph, so a
state can be stood for by the one of its orbit whose parts are in order (Clarke, Grumberg and Peled, Model Checking,
chapter 14; with stubborn sets: Emerson, Jha and Peled 1997). A command that breaks a promise at one part has its
like at the others, so what is found of one is found of all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from halfopen.checkers.commands import Command, CommandModel, Variable

Part = Sequence[str]
# Which command is which when two parts change places, and which broken promise is which.
_Exchange = tuple[Mapping[Command, Command], Mapping[str, str]]


class Symmetry:
    """The parts of a model that are alike, by twos and more."""

    def __init__(self, model: CommandModel, candidates: Iterable[Sequence[Part]]) -> None:
        self._model = model
        self._touching: dict[str, list[Command]] = {}
        for command in model.commands:
            for name in _names(command):
                self._touching.setdefault(name, []).append(command)
        ended = {name for end in model.endings for name in end}
        self.classes: list[list[Part]] = []
        # For each exchange of a part with the first of its class: which command is which.
        self._exchanges: list[_Exchange] = []
        for parts in candidates:
            usable = [part for part in parts if self._neighbours(part) and not ended & set(part)]
            self._classify(usable)
        self._slots = tuple(
            (
                self._width(parts[0]),
                tuple(model.layout.variables[part[0]].shift for part in parts),
                ~model.layout.mask_of(name for part in parts for name in part),
            )
            for parts in self.classes
        )

        self._breaches = self._one_for_each_orbit()
        self._at = self._places()

    def __bool__(self) -> bool:
        return bool(self.classes)

    def canonical(self, state: int) -> int:
        """The state of the orbit whose like parts are in the order of their values."""
        if state in self._breaches:
            return self._breaches[state]
        for width, shifts, rest in self._slots:
            values = [state >> shift & width for shift in shifts]
            ordered = sorted(values)
            if ordered != values:
                state &= rest
                for shift, value in zip(shifts, ordered, strict=True):
                    state |= value << shift
        return state

    def without_repeats(self, state: int, moves: list[tuple[Command, int]]) -> list[tuple[Command, int]]:
        """The moves without those of a part whose twin, before it, has the same values: they lead to the same orbit."""
        repeated = set()
        for number, (width, shifts, _) in enumerate(self._slots):
            values = [state >> shift & width for shift in shifts]
            repeated |= {(number, place) for place in range(1, len(values)) if values[place] == values[place - 1]}
        if not repeated:
            return moves
        return [move for move in moves if self._at.get(move[0]) not in repeated]

    def likes_of(self, label: str, known: set[str]) -> dict[str, Mapping[Command, Command]]:
        """The broken promises that are broken if this one is, each with the exchange that leads there."""
        found: dict[str, Mapping[Command, Command]] = {}
        pending: list[tuple[str, Mapping[Command, Command]]] = [(label, {})]
        seen = {label}
        while pending:
            here, so_far = pending.pop()
            for exchange, labels in self._exchanges:
                there = labels.get(here)
                if there is None or there in seen:
                    continue
                seen.add(there)
                both = {c: exchange.get(d, d) for c in self._model.commands if (d := so_far.get(c, c)) is not None}
                pending.append((there, both))
                if there not in known:
                    found[there] = both
        return found

    def _places(self) -> dict[Command, tuple[int, int]]:
        """For each command of one part alone: the number of its class and its place there."""
        part_of = {
            name: (number, place)
            for number, parts in enumerate(self.classes)
            for place, part in enumerate(parts)
            for name in part
        }
        found = {}
        for command in self._model.commands:
            places = {part_of[name] for name in _names(command) if name in part_of}
            if len(places) == 1:
                found[command] = places.pop()
        return found

    def _one_for_each_orbit(self) -> dict[int, int]:
        """A broken promise leads to a state that says only which; of those that are alike one stands for all."""
        found: dict[int, int] = {}
        for label in self._model.promises:
            stands = self._model.breach(label)
            for like in (label, *self.likes_of(label, set())):
                found.setdefault(self._model.breach(like), stands)
        return found

    def _width(self, part: Part) -> int:
        variables = self._model.layout.variables
        first = variables[part[0]].shift
        mask = sum(variables[name].mask for name in part)
        return mask >> first

    def _neighbours(self, part: Part) -> bool:
        """True if the variables of the part lie side by side."""
        variables = [self._model.layout.variables[name] for name in part]
        return all(_after(one) == other.shift for one, other in itertools.pairwise(variables))

    def _classify(self, parts: Sequence[Part]) -> None:
        """Sort the parts into classes of those that can be exchanged with the first of the class."""
        left = list(parts)
        while left:
            first, *others = left
            alike, left = [first], []
            for part in others:
                exchange = self._exchange(first, part)
                if exchange is None:
                    left.append(part)
                else:
                    alike.append(part)
                    self._exchanges.append(exchange)
            if len(alike) > 1:
                self.classes.append(alike)

    def _exchange(self, one: Part, other: Part) -> _Exchange | None:
        """Which command is which when the two parts change places; None if the set of commands does not stay itself."""
        layout, start = self._model.layout, next(iter(self._model.initial()))
        if len(one) != len(other):
            return None
        renamed = {**dict(zip(one, other, strict=True)), **dict(zip(other, one, strict=True))}
        for a, b in zip(one, other, strict=True):
            x, y = layout.variables[a], layout.variables[b]
            if x.mask >> x.shift != y.mask >> y.shift or x.of(start) != y.of(start):
                return None
        touched = {command: None for name in renamed for command in self._touching.get(name, ())}
        known: dict[object, list[Command]] = {}
        for command in touched:
            known.setdefault(_signature(command, {}), []).append(command)
        found: dict[Command, Command] = {}
        labels: dict[str, str] = {}
        for command in touched:
            twins = known.get(_signature(command, renamed))
            if not twins:
                return None
            found[command] = twin = twins.pop(0)
            if command.breaks and twin.breaks and labels.setdefault(command.breaks, twin.breaks) != twin.breaks:
                return None
        return (found, labels) if len(set(labels.values())) == len(labels) else None


def _after(variable: Variable) -> int:
    return variable.mask.bit_length()


def _names(command: Command) -> set[str]:
    unless = [command.unless[0]] if command.unless else []
    return {*command.when, *command.then, *command.some, *command.add, *unless}


def _signature(command: Command, renamed: Mapping[str, str]) -> object:
    """All that a command is, but for its subject and the name of what it breaks, under other names."""

    def under(names: Mapping[str, int]) -> frozenset[tuple[str, int]]:
        return frozenset((renamed.get(name, name), value) for name, value in names.items())

    unless = (renamed.get(command.unless[0], command.unless[0]), command.unless[1]) if command.unless else None
    some = frozenset(renamed.get(name, name) for name in command.some)
    kind = command.kind.partition(" ")[0]
    marks = (kind, command.eager, command.fault, command.breaks is not None, command.note)
    return (*marks, under(command.when), under(command.then), under(command.add), some, unless)
