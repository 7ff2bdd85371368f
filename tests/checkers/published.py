"""Models from the TLA+ examples, whose state counts are published, written for our explorer.

Source: tlaplus/Examples, specifications/transaction_commit (Lamport), each with the constants of its .cfg.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfopen.checkers.explore import Model

WORKING, PREPARED, COMMITTED, ABORTED = range(4)


class TCommit(Model[tuple[int, ...], str]):
    """TCommit.tla: what a transaction commit is, for three resource managers."""

    def __init__(self, managers: int = 3) -> None:
        self.managers = managers

    always = {"TCConsistent": lambda s: not (COMMITTED in s and ABORTED in s)}  # noqa: RUF012

    def initial(self) -> Iterable[tuple[int, ...]]:
        return [(WORKING,) * self.managers]

    def steps(self, state: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        can_commit = all(rm in {PREPARED, COMMITTED} for rm in state)
        not_committed = COMMITTED not in state
        for i, rm in enumerate(state):
            if rm == WORKING:
                yield f"prepare {i}", (*state[:i], PREPARED, *state[i + 1 :])
            if rm == PREPARED and can_commit:
                yield f"commit {i}", (*state[:i], COMMITTED, *state[i + 1 :])
            if rm in {WORKING, PREPARED} and not_committed:
                yield f"abort {i}", (*state[:i], ABORTED, *state[i + 1 :])


TwoPhaseState = tuple[tuple[int, ...], str, frozenset[int], frozenset[object]]


class TwoPhase(Model[TwoPhaseState, str]):
    """TwoPhase.tla: two-phase commit with a transaction manager and messages as a growing set."""

    always = {  # noqa: RUF012
        "TCConsistent": lambda s: not (COMMITTED in s[0] and ABORTED in s[0]),
    }

    def __init__(self, managers: int = 3) -> None:
        self.managers = managers

    def initial(self) -> Iterable[TwoPhaseState]:
        return [((WORKING,) * self.managers, "init", frozenset(), frozenset())]

    def steps(self, state: TwoPhaseState) -> Iterator[tuple[str, TwoPhaseState]]:
        rms, tm, prepared, msgs = state
        if tm == "init" and len(prepared) == self.managers:
            yield "TMCommit", (rms, "committed", prepared, msgs | {"Commit"})
        if tm == "init":
            yield "TMAbort", (rms, "aborted", prepared, msgs | {"Abort"})
        for i, rm in enumerate(rms):

            def become(value: int, index: int = i) -> tuple[int, ...]:
                return (*rms[:index], value, *rms[index + 1 :])

            if tm == "init" and i in msgs:
                yield f"TMRcvPrepared {i}", (rms, tm, prepared | {i}, msgs)
            if rm == WORKING:
                yield f"RMPrepare {i}", (become(PREPARED), tm, prepared, msgs | {i})
                yield f"RMChooseToAbort {i}", (become(ABORTED), tm, prepared, msgs)
            if "Commit" in msgs:
                yield f"RMRcvCommitMsg {i}", (become(COMMITTED), tm, prepared, msgs)
            if "Abort" in msgs:
                yield f"RMRcvAbortMsg {i}", (become(ABORTED), tm, prepared, msgs)


# One instance of Paxos per resource manager. Its part of a state: the manager's state, each acceptor's
# (mbal, bal, val), and the messages of the instance.
Acceptors = tuple[tuple[int, int, str], ...]
Instance = tuple[int, Acceptors, frozenset[tuple[object, ...]]]
MAJORITIES = ((0, 1), (0, 2), (1, 2))


def _paxos_moves(instance: Instance) -> Iterator[tuple[str, Instance]]:
    """What happens within one instance whatever the others do: all actions but those that hear of the decision."""
    manager, acceptors, msgs = instance
    if manager == WORKING:
        yield "RMPrepare", (PREPARED, acceptors, msgs | {("2a", 0, "prepared")})
        yield "RMChooseToAbort", (ABORTED, acceptors, msgs | {("2a", 0, "aborted")})
    yield "Phase1a", (manager, acceptors, msgs | {("1a", 1)})
    if not any(m[0] == "2a" and m[1] == 1 for m in msgs):
        for majority in MAJORITIES:
            heard = [m for m in msgs if m[0] == "1b" and m[4] in majority]
            if {m[4] for m in heard} == set(majority):
                bal, val = max((m[2], m[3]) for m in heard)
                value = "aborted" if bal == -1 else val
                yield "Phase2a", (manager, acceptors, msgs | {("2a", 1, value)})
    for i, (mbal, bal, val) in enumerate(acceptors):
        for m in msgs:
            if m[0] == "1a" and mbal < m[1]:
                changed = (*acceptors[:i], (m[1], bal, val), *acceptors[i + 1 :])
                yield "Phase1b", (manager, changed, msgs | {("1b", m[1], bal, val, i)})
            if m[0] == "2a" and mbal <= m[1]:
                changed = (*acceptors[:i], (m[1], m[1], m[2]), *acceptors[i + 1 :])
                yield "Phase2b", (manager, changed, msgs | {("2b", m[1], m[2], i)})


def _chosen(instance: Instance, value: str) -> bool:
    msgs = instance[2]
    return any(all(("2b", b, value, a) in msgs for a in majority) for b in (0, 1) for majority in MAJORITIES)


class PaxosCommit(Model[tuple[int, int, bool, bool], str]):
    """PaxosCommit.tla with two managers, three acceptors and two ballots.

    The instances meet only in the decision, so each instance's states are numbered and its moves looked up. A
    state is the numbers of both, and whether Commit and Abort were sent.
    """

    def __init__(self) -> None:
        self.numbers: dict[Instance, int] = {}
        self.instances: list[Instance] = []
        self.moves: list[list[tuple[str, int]] | None] = []
        self.chosen: list[tuple[bool, bool]] = []

    def _number(self, instance: Instance) -> int:
        if instance not in self.numbers:
            self.numbers[instance] = len(self.instances)
            self.instances.append(instance)
            self.moves.append(None)
            self.chosen.append((_chosen(instance, "prepared"), _chosen(instance, "aborted")))
        return self.numbers[instance]

    def _told(self, number: int, outcome: int) -> int:
        return self._number((outcome, *self.instances[number][1:]))

    def _moves(self, number: int) -> list[tuple[str, int]]:
        known = self.moves[number]
        if known is None:
            found = [(name, self._number(other)) for name, other in _paxos_moves(self.instances[number])]
            known = self.moves[number] = [move for move in found if move[1] != number]
        return known

    def initial(self) -> Iterable[tuple[int, int, bool, bool]]:
        start = self._number((WORKING, ((0, -1, "none"),) * 3, frozenset()))
        return [(start, start, False, False)]

    def steps(self, state: tuple[int, int, bool, bool]) -> Iterator[tuple[str, tuple[int, int, bool, bool]]]:
        one, other, commit, abort = state
        for name, changed in self._moves(one):
            yield name, (changed, other, commit, abort)
        for name, changed in self._moves(other):
            yield name, (one, changed, commit, abort)
        if self.chosen[one][0] and self.chosen[other][0]:
            yield "Decide", (one, other, True, abort)
        if self.chosen[one][1] or self.chosen[other][1]:
            yield "Decide", (one, other, commit, True)
        for told, outcome in ((commit, COMMITTED), (abort, ABORTED)):
            if told:
                yield "RMRcv", (self._told(one, outcome), other, commit, abort)
                yield "RMRcv", (one, self._told(other, outcome), commit, abort)

    def broken(self, state: tuple[int, int, bool, bool]) -> tuple[str, ...]:
        ends = {self.instances[number][0] for number in state[:2]}
        return ("TCConsistent",) if {COMMITTED, ABORTED} <= ends else ()
