"""Models written as guarded commands over small integer variables, packed into one int per state.

A command says when it may happen and what it changes; that is all there is to a protocol written this way, so
it can be read as a table. Packed, a guard is one `&` and one `==`, which is what makes a plain-Python
explorer fast enough. Knows no saga.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from halfopen.checkers.explore import Model


@dataclass(frozen=True)
class Variable:
    """Where a variable lies in the packed state."""

    name: str
    shift: int
    mask: int  # in place, that is, shifted

    def of(self, state: int) -> int:
        """Its value in that state."""
        return (state & self.mask) >> self.shift


class Layout:
    """The variables of a model. Bit 0 of every state is set, so that no state is 0."""

    ALIVE = 1

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.bits = 1

    def add(self, name: str, largest: int) -> str:
        """Make room for a variable that runs from 0 to `largest`, and give back its name."""
        width = max(1, largest.bit_length())
        if name in self.variables:
            raise ValueError(f"variable {name!r} is there already")
        self.variables[name] = Variable(name, self.bits, ((1 << width) - 1) << self.bits)
        self.bits += width
        return name

    def pack(self, values: Mapping[str, int]) -> int:
        """The state in which these variables have these values, and all others 0."""
        return self.ALIVE | self.bits_of(values)

    def bits_of(self, values: Mapping[str, int]) -> int:
        """These values in place, without the bit that every state has.

        Raises:
            ValueError: a value does not fit its variable.
        """
        found = 0
        for name, value in values.items():
            variable = self.variables[name]
            if value < 0 or (value << variable.shift) & ~variable.mask:
                raise ValueError(f"{name} can't be {value}")
            found |= value << variable.shift
        return found

    def mask_of(self, names: Iterable[str]) -> int:
        """All bits of these variables."""
        found = 0
        for name in names:
            found |= self.variables[name].mask
        return found

    def unpack(self, state: int) -> dict[str, int]:
        """The values by name, zeros left out: for people and tests."""
        return {name: value for name, variable in self.variables.items() if (value := variable.of(state))}


@dataclass(frozen=True, eq=False)
class Command:
    """One thing that may happen.

    It may happen where every variable of `when` has that value, every one of `some` is not 0, and `unless`
    has not that value. Then `then` sets variables and `add` adds to them. An `eager` command belongs to the
    event before it: it happens at once, in the same atomic step. `breaks` names the promise that is broken
    when it happens; nothing is explored beyond.
    """

    kind: str
    subject: str = ""
    when: Mapping[str, int] = field(default_factory=dict)
    then: Mapping[str, int] = field(default_factory=dict)
    some: tuple[str, ...] = ()
    unless: tuple[str, int] | None = None
    add: Mapping[str, int] = field(default_factory=dict)
    eager: bool = False
    fault: bool = False
    breaks: str | None = None
    # What a composition of several models may need to know of it; opaque here.
    note: object = None

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".rstrip()


# What a command does to a state: bits to keep, bits to put, number to add, whether eager commands may follow.
_Move = tuple[int, int, int, bool, Command]


@dataclass(frozen=True)
class _Compiled:
    """A command as masks."""

    command: Command
    mask: int
    wanted: int
    some: tuple[int, ...]
    bar: int
    barred: int
    keep: int
    put: int
    delta: int
    settles: bool

    def may_happen(self, state: int) -> bool:
        return (
            state & self.mask == self.wanted
            and state & self.bar != self.barred
            and all(state & some for some in self.some)
        )

    @property
    def reads(self) -> int:
        found = self.mask | self.bar
        for some in self.some:
            found |= some
        return found


class _Group:
    """Commands on one subject. What may happen depends only on the variables they read, so it is remembered."""

    def __init__(self, commands: list[_Compiled]) -> None:
        self.commands = commands
        self.reads = 0
        for command in commands:
            self.reads |= command.reads
        self.known: dict[int, tuple[_Move, ...]] = {}
        # A command's guard as plain numbers, the quickest to test first, and what it does.
        self._rows = tuple(
            (c.mask, c.wanted, c.bar, c.barred, c.some, (c.keep, c.put, c.delta, c.settles, c.command))
            for c in commands
        )

    def look_up(self, key: int) -> tuple[_Move, ...]:
        moves = self.known[key] = tuple(
            move
            for mask, wanted, bar, barred, some, move in self._rows
            if key & mask == wanted and key & bar != barred and (not some or all(key & one for one in some))
        )
        return moves


class CommandModel(Model[int, Command]):
    """A model made of commands. States are packed ints; `layout` unpacks them."""

    BROKEN = "(broken)"

    def __init__(
        self,
        layout: Layout,
        commands: Iterable[Command],
        *,
        start: Mapping[str, int],
        ended: Iterable[Mapping[str, int]] = (),
    ) -> None:
        self.layout = layout
        self.commands = tuple(commands)
        self.start = dict(start)
        self.promises = tuple(dict.fromkeys(c.breaks for c in self.commands if c.breaks))
        layout.add(self.BROKEN, len(self.promises))
        self._broken = layout.variables[self.BROKEN]
        self._woken_by = layout.mask_of(name for c in self.commands if c.eager for name in _read(c))
        self._eager = tuple(self._compile(c) for c in self.commands if c.eager)
        self._settled: dict[int, tuple[int, int]] = {}
        grouped: dict[str, list[_Compiled]] = {}
        for command in self.commands:
            # What changes nothing and breaks nothing is no step.
            if not command.eager and (command.then or command.add or command.breaks):
                grouped.setdefault(command.subject, []).append(self._compile(command))
        self._groups = tuple(_Group(commands) for commands in grouped.values())
        self._lookups = tuple((group.reads, group.known, group.look_up) for group in self._groups)
        self._start = self._settle(layout.pack(start))
        self.endings = tuple(ended)
        endings = tuple((layout.mask_of(end), layout.bits_of(end)) for end in self.endings)
        if endings:

            def at_an_end(state: int) -> bool:
                for mask, wanted in endings:  # noqa: SIM110 - any() takes twice as long, of every state
                    if state & mask == wanted:
                        return True
                return False

            self.ended = at_an_end

    def initial(self) -> Iterable[int]:
        """The one start."""
        return (self._start,)

    def steps(self, state: int) -> Iterator[tuple[Command, int]]:
        """Every command that may happen and changes something."""
        for reads, known, look_up in self._lookups:
            key = state & reads
            moves = known.get(key)
            if moves is None:
                moves = look_up(key)
            for keep, put, delta, settles, command in moves:
                successor = (state & keep | put) + delta
                if settles:
                    successor = self._settle(successor)
                if successor != state:
                    yield command, successor

    def broken(self, state: int) -> tuple[str, ...]:
        """The promise that was broken on the way here."""
        number = (state & self._broken.mask) >> self._broken.shift
        return (self.promises[number - 1],) if number else ()

    def breach(self, label: str) -> int:
        """The state in which that promise is broken: nothing is explored beyond, so there is one for each."""
        return self.layout.pack({self.BROKEN: self.promises.index(label) + 1})

    def is_fault(self, action: Command) -> bool:
        """What the command says of itself."""
        return action.fault

    def without(self, names: Collection[str]) -> CommandModel:
        """The same commands, in the same order, blind to these variables: no guard asks for them, nobody sets them.

        Whatever the model can do it can do too, and perhaps more. States are those of this model with these bits 0.
        """

        def left(values: Mapping[str, int]) -> dict[str, int]:
            return {name: value for name, value in values.items() if name not in names}

        layout = Layout()
        layout.variables = {name: v for name, v in self.layout.variables.items() if name != self.BROKEN}
        layout.bits = self._broken.shift
        commands = [
            replace(
                command,
                when=left(command.when),
                then=left(command.then),
                some=tuple(name for name in command.some if name not in names),
                unless=None if command.unless and command.unless[0] in names else command.unless,
                add=left(command.add),
            )
            for command in self.commands
        ]
        return CommandModel(layout, commands, start=left(self.start), ended=self.endings)

    def _compile(self, command: Command) -> _Compiled:
        layout = self.layout
        if command.eager and (command.some or command.add or not command.then.keys() & set(_read(command))):
            raise ValueError(f"{command}: an eager command has `when`, `unless` and `then`, and changes what it reads")
        for name in (*command.when, *command.then, *command.some, *command.add):
            if name not in layout.variables:
                raise ValueError(f"{command}: no variable {name!r}")
        unless = {command.unless[0]: command.unless[1]} if command.unless else {}
        keep, put = ~layout.mask_of(command.then), layout.bits_of(command.then)
        delta = sum(value << layout.variables[name].shift for name, value in command.add.items())
        settles = bool(layout.mask_of((*command.then, *command.add)) & self._woken_by)
        if command.breaks:
            # Nothing is explored beyond a broken promise, so all states in which it is broken are one.
            keep, put, delta, settles = 0, self.breach(command.breaks), 0, False
        return _Compiled(
            command,
            mask=layout.mask_of(command.when),
            wanted=layout.bits_of(command.when),
            some=tuple(layout.variables[name].mask for name in command.some),
            bar=layout.mask_of(unless),
            barred=layout.bits_of(unless) if unless else -1,
            keep=keep,
            put=put,
            delta=delta,
            settles=settles,
        )

    def _settle(self, state: int) -> int:
        """The state once all eager commands have happened: part of the step before them."""
        key = state & self._woken_by
        known = self._settled.get(key)
        if known is None:
            known = self._settled[key] = self._settle_slowly(key)
        keep, put = known
        return state & keep | put

    def _settle_slowly(self, key: int) -> tuple[int, int]:
        # Whatever an eager command reads is in the key, and each changes something that it reads. So what they do
        # together depends on the key alone, as a set of bits to clear and a set of bits to put.
        state, keep, put = key | Layout.ALIVE, -1, 0
        happened = True
        while happened:
            happened = False
            for eager in self._eager:
                after = state & eager.keep | eager.put
                if eager.may_happen(state) and after != state:
                    state, keep, put = after, keep & eager.keep, put & eager.keep | eager.put
                    happened = True
        return keep, put


def _read(command: Command) -> Iterator[str]:
    yield from command.when
    if command.unless:
        yield command.unless[0]
