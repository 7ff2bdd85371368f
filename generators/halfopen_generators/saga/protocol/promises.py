"""What must hold, and the ways in which it can be broken."""

from __future__ import annotations

from dataclasses import dataclass

from halfopen.checkers.explore import EVERY_RUN_ENDS
from halfopen_generators.saga.spec import Guarantee

ALL_OR_COMPENSATED = "all or compensated"
NO_EFFECT_TWICE = "no effect twice"
NO_HARMFUL_COMPENSATION = "no compensation of what never ran does harm"
NO_ACTION_AFTER_COMPENSATION = "no action after its compensation"
COMPENSATIONS_IN_ORDER = "compensations in order"
NO_WAY_BACK = "no way back behind the pivot"
NO_LOST_UPDATE = "no lost update"
NO_DIRTY_READ = "no dirty read"
NO_FUZZY_READ = "no fuzzy read"

# In the order of PROTOCOL.md.
PROMISES = (
    ALL_OR_COMPENSATED,
    NO_EFFECT_TWICE,
    NO_HARMFUL_COMPENSATION,
    NO_ACTION_AFTER_COMPENSATION,
    COMPENSATIONS_IN_ORDER,
    NO_WAY_BACK,
    EVERY_RUN_ENDS,
)
ISOLATION_PROMISES = (NO_LOST_UPDATE, NO_DIRTY_READ, NO_FUZZY_READ)


@dataclass(frozen=True)
class Breach:
    """One way to break one promise: at which step, and for want of which guarantee if of one."""

    promise: str
    code: str
    step: str
    want: Guarantee | None = None
    resource: str | None = None

    @property
    def label(self) -> str:
        """Its name among all breaches of a model."""
        return "/".join(filter(None, (self.promise, self.code, self.step, self.want, self.resource)))


@dataclass(frozen=True)
class Rules:
    """The rules of the protocol, each of which can be left out to show that it is needed.

    All are kept in every verdict that a user sees; tests break them one at a time.
    """

    # A run with nothing to undo ends at once. (Off: the first step's refusal hangs in compensating.)
    ends_with_nothing_to_undo: bool = True
    # A step whose outcome is unknown is undone too.
    undoes_unknown_outcomes: bool = True
    # An answer that comes once the run is compensating changes nothing.
    ignores_late_answers: bool = True
    # An answer that comes again changes nothing. (Off: it is taken for the next step's.)
    ignores_repeated_answers: bool = True
    # What came after a step is undone before it.
    undoes_in_reverse_order: bool = True
    # Saving and sending are one step. (Off: a crash in between loses the message for good.)
    saves_and_sends_at_once: bool = True
    # A compensation is sent until it is answered.
    repeats_compensations: bool = True
    # A step behind the pivot is sent until it succeeds.
    repeats_retriable_steps: bool = True
    # A pivot that nothing undoes is sent until it is answered.
    repeats_the_pivot: bool = True
    # A step is sent only once all that it comes after is done.
    waits_for_dependencies: bool = True
    # A request that was answered before is answered again. (Off: a lost answer is lost for good.)
    answers_again: bool = True
