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
