"""What the protocols are built with: variables, messages of the one or the other network, and commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from halfopen.checkers.commands import Command, Layout
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.promises import Breach

LOST, DUPLICATED, CRASHES = "lost", "duplicated", "crashes"


class Builder:
    """Collects the variables and commands of one run of a saga, over one kind of network.

    Without bounds a message is one bit, set for good once it was sent. In exact mode it is a number of copies,
    and what may happen to them is bounded by `faults`.
    """

    def __init__(self, *, exact: bool, design: SagaDesign) -> None:
        self.exact = exact
        self.design = design
        self.faults = faults = design.faults
        self.layout = Layout()
        self.commands: list[Command] = []
        self.breaches: dict[str, Breach] = {}
        self.start: dict[str, int] = {}
        if exact:
            budgets = {LOST: faults.lost_messages, DUPLICATED: faults.duplicated_messages, CRASHES: faults.crashes}
            for name, most in budgets.items():
                if most:
                    self.start[self.layout.add(name, most)] = most

    def variable(self, name: str, largest: int) -> str:
        """A new variable from 0 to `largest`."""
        return self.layout.add(name, largest)

    def message(self, name: str, *, copies: int) -> str:
        """A new message, of which there are never more than that many copies before faults multiply them."""
        faults = self.faults
        return self.layout.add(name, copies + faults.duplicated_messages + 2 * faults.crashes if self.exact else 1)

    def command(  # noqa: PLR0913 - a command has these parts
        self,
        kind: str,
        subject: str,
        *,
        when: Mapping[str, int] | None = None,
        then: Mapping[str, int] | None = None,
        takes: str | None = None,
        keeps: str | None = None,
        sends: Iterable[str] = (),
        spends: str | None = None,
        unless: tuple[str, int] | None = None,
        breach: Breach | None = None,
        note: object = None,
        adds: Mapping[str, int] | None = None,
        fault: bool = False,
    ) -> None:
        """One thing that may happen.

        It `takes` a message from the network (or `keeps` it there, having read it), `sends` messages, and
        `spends` one of a fault budget.
        """
        sends = tuple(sends)
        when, then, add, some = dict(when or {}), dict(then or {}), dict(adds or {}), []
        if breach is not None:
            self.breaches[breach.label] = breach
        if spends is not None:
            if not self.start.get(spends):
                return
            some.append(spends)
            add[spends] = -1
        if self.exact:
            some.extend(filter(None, (takes, keeps)))
            for message, change in [*((m, -1) for m in filter(None, [takes])), *((m, 1) for m in sends)]:
                if message not in then:
                    add[message] = add.get(message, 0) + change
        else:
            when.update(dict.fromkeys(filter(None, (takes, keeps)), 1))
            then.update({message: 1 for message in sends if message not in then})
        self.commands.append(
            Command(
                kind,
                subject,
                when=when,
                then=then,
                some=tuple(some),
                unless=unless,
                add={name: change for name, change in add.items() if change},
                fault=fault or spends is not None or (breach is not None and self.ruled_out(breach)),
                breaks=breach.label if breach else None,
                note=note,
            )
        )

    def ruled_out(self, breach: Breach) -> bool:
        """True for what a guarantee prevents: it is looked for to learn who needs it, but no run goes on by it."""
        return breach.want is not None and self.design.participants[self.design.by_name[breach.step].service].keeps(
            breach.want
        )

    def eager(
        self, kind: str, subject: str, *, when: Mapping[str, int], then: Mapping[str, int], sends: Iterable[str] = ()
    ) -> None:
        """What happens at once, in the same step as what made it possible. A message it sends is the first copy."""
        sent = dict.fromkeys(sends, 1)
        self.commands.append(Command(kind, subject, when=when, then={**then, **sent}, eager=True))

    def network_faults(self, subject: str, messages: Iterable[str]) -> None:
        """Exact mode: any copy may be lost or doubled while the budget lasts."""
        if not self.exact:
            return
        for message in messages:
            self.command(f"lose {message}", subject, takes=message, spends=LOST)
            self.command(f"duplicate {message}", subject, keeps=message, sends=[message], spends=DUPLICATED)
