"""How each kind of command is told, as a sentence and as lines of a sequence diagram. Data, no mechanism."""

from __future__ import annotations

from dataclasses import dataclass

from halfopen_generators.saga.protocol import log


@dataclass(frozen=True)
class Telling:
    """A sentence and lines, with places for the step's own words."""

    sentence: str
    drawn: tuple[str, ...] = ()


def _note(text: str) -> tuple[str, ...]:
    return (f"Note over {{at}}: {text}",)


def _back(text: str) -> tuple[str, ...]:
    return (f"{{at}}-->>{{lead}}: {text}",)


def _again(text: str) -> tuple[str, ...]:
    return (f"{{lead}}->>{{at}}: {text} (again)",)


# What a lost or doubled message is called, by the first part of its name.
MESSAGES = {
    "do": "the request {action}",
    "done": "the answer done to {action}",
    "refused": "the answer refused to {action}",
    "undo": "the request {compensation}",
    "compensated": "the answer to {compensation}",
}

# What follows in the same step when the run's phase changes.
AT_THE_END = {
    log.COMPENSATING: "The run turns to compensating.",
    log.COMMITTED: "The run ends committed.",
    log.CANCELLED: "The run ends cancelled.",
}

# What breaks a promise at a participant reads the same whoever leads.
_COMMON = {
    "apply-lost-update": Telling(
        "{service} applies {action} on what this run had read; another run's change since then is lost.",
        _note("{action} loses an update"),
    ),
    "apply-fuzzy-read": Telling(
        "{service} applies {action} and reads again what this run had read before; another run has changed it.",
        _note("{action} reads another value"),
    ),
    "compensate-lost-update": Telling(
        "{service} applies {compensation} over what another run has written since: that change is lost.",
        _note("{compensation} loses an update"),
    ),
    "compensate-dirty-read": Telling(
        "{service} applies {compensation}, and another run has already read what is now undone.",
        _note("{compensation} undoes what was read"),
    ),
}

ORCHESTRATED: dict[str, Telling] = {
    **_COMMON,
    "apply": Telling("{service} applies {action}.", _note("{action} applied")),
    "refuse": Telling("{service} refuses {action}.", _note("{action} refused")),
    "refuse-stale": Telling(
        "{service} reads again, finds what this run had read changed, and refuses {action}.",
        _note("{action} refused: stale"),
    ),
    "refuse-again": Telling(
        "A copy of {action} arrives; {service} knows its key and refuses it again.", _note("{action} refused again")
    ),
    "refuse-late": Telling(
        "{action} arrives at {service} after its compensation, and is refused.", _note("{action} refused: too late")
    ),
    "apply-again": Telling(
        "A copy of {action} arrives; {service} knows its key, changes nothing and answers done again.",
        _note("{action} known"),
    ),
    "ignore": Telling(
        "A copy of {action} arrives; {service} knows its key and does not answer.", _note("{action} known, no answer")
    ),
    "hear-done": Telling("The orchestrator hears that {action} is done.", _back("done")),
    "hear-refused": Telling("The orchestrator hears that {action} was refused.", _back("refused")),
    "hear-done-late": Telling(
        "A late answer to {action} arrives, and the orchestrator takes it up.", _back("done, late")
    ),
    "hear-done-again": Telling(
        "The answer to {action} arrives again, and the orchestrator takes it for the next step's.", _back("done, again")
    ),
    "give-up": Telling(
        "No answer to {action} comes in {tries}: the orchestrator gives up on it, not knowing whether it happened.",
        ("Note over {lead}: gives up on {action}",),
    ),
    "abandon": Telling(
        "No answer to {action} comes in {tries}: the orchestrator stops asking.",
        ("Note over {lead}: stops asking for {action}",),
    ),
    "send": Telling("The orchestrator sends {action} to {service}.", ("{lead}->>{at}: {action}",)),
    "crash-unsent": Telling(
        "The orchestrator crashes between saving and sending: {action} is never sent.",
        ("Note over {lead}: crashes before it sends {action}",),
    ),
    "send-again": Telling(
        "The timeout of {action} passes without an answer; the orchestrator sends it again.", _again("{action}")
    ),
    "crash": Telling(
        "The orchestrator crashes, recovers, and sends {action} again as its log says.",
        ("Note over {lead}: crashes and recovers", *_again("{action}")),
    ),
    "crash-undoing": Telling(
        "The orchestrator crashes, recovers, and sends {compensation} again as its log says.",
        ("Note over {lead}: crashes and recovers", *_again("{compensation}")),
    ),
    "crash-participant": Telling(
        "{service} applies {action} and crashes before it acknowledges, so the request will come again.",
        _note("{action} applied, then a crash"),
    ),
    "crash-participant-undoing": Telling(
        "{service} applies {compensation} and crashes before it acknowledges, so the request will come again.",
        _note("{compensation} applied, then a crash"),
    ),
    "lose": Telling("{message} is lost.", _note("{message} is lost")),
    "duplicate": Telling("{message} is doubled by the network.", _note("{message} is doubled")),
    "hear-undone": Telling("The orchestrator hears that {compensation} is done.", _back("undone")),
    "give-up-undo": Telling(
        "The orchestrator gives up on {compensation}.", ("Note over {lead}: gives up on {compensation}",)
    ),
    "undo-again": Telling(
        "The timeout of {compensation} passes without an answer; the orchestrator sends it again.",
        _again("{compensation}"),
    ),
    "compensate": Telling("{service} applies {compensation}.", _note("{compensation} applied")),
    "compensate-empty": Telling(
        "{compensation} arrives at {service}, where {action} never ran: it changes nothing and remembers that.",
        _note("{compensation}: nothing to undo"),
    ),
    "compensate-again": Telling(
        "A copy of {compensation} arrives; {service} knows its key and changes nothing.", _note("{compensation} known")
    ),
    "decline-undo": Telling("{service} refuses {compensation}.", _note("{compensation} refused")),
    "decline-undo-again": Telling("{service} refuses {compensation} again.", _note("{compensation} refused again")),
    "apply-twice": Telling(
        "A copy of {action} arrives at {service}, which does not know its key and applies it a second time.",
        ("{lead}->>{at}: {action} (a copy)", *_note("{action} applied twice")),
    ),
    "apply-declined": Telling(
        "A copy of {action}, which {service} had refused, arrives there again and is applied.",
        ("{lead}->>{at}: {action} (a copy)", *_note("{action} applied after all")),
    ),
    "apply-late": Telling(
        "{action} arrives at {service} after its compensation {compensation} and is applied: nothing will undo it.",
        ("{lead}->>{at}: {action} (late)", *_note("{action} applied after its compensation")),
    ),
    "compensate-nothing": Telling(
        "{compensation} arrives at {service}, where {action} never ran, and undoes what never was.",
        _note("{compensation} undoes nothing"),
    ),
    "compensate-twice": Telling(
        "A copy of {compensation} arrives at {service}, which does not know its key and applies it a second time.",
        ("{lead}->>{at}: {compensation} (a copy)", *_note("{compensation} applied twice")),
    ),
    "compensate-too-early": Telling(
        "{service} applies {compensation} while what came after {action} still stands.",
        _note("{compensation} out of order"),
    ),
    "left-standing": Telling(
        "The run has ended cancelled, but the effect of {action} at {service} stands and nothing will undo it.",
        _note("{action} stands"),
    ),
    "left-out": Telling("The run has ended committed, but {action} never happened.", _note("{action} missing")),
    "left-undone": Telling("The run has ended committed, but {action} was undone.", _note("{action} undone")),
}

CHOREOGRAPHED: dict[str, Telling] = {
    **_COMMON,
    "release": Telling(
        "{service} hears that the run has ended, and frees its locks.", _note("the run has ended, locks are free")
    ),
    "apply": Telling("{service} hears {consumes}, applies {action}{emits}.", _note("{action}{emits}")),
    "refuse": Telling(
        "{service} hears {consumes}, refuses {action}{emits_on_refusal}.", _note("{action} refused{emits_on_refusal}")
    ),
    "refuse-stale": Telling(
        "{service} reads again, finds what this run had read changed, refuses {action}{emits_on_refusal}.",
        _note("{action} refused: stale"),
    ),
    "hear": Telling("{service} hears {message} and waits for the rest.", _note("hears {message}")),
    "duplicate": Telling("{message} will reach {service} twice.", _note("{message} is doubled")),
    "crash-after-apply": Telling(
        "{service} hears {consumes}, applies {action}{emits}, and crashes before it acknowledges: {consumes} will come "
        "again.",
        _note("{action}{emits}, then a crash"),
    ),
    "crash-after-refuse": Telling(
        "{service} hears {consumes}, refuses {action}{emits_on_refusal}, and crashes before it acknowledges: "
        "{consumes} will come again.",
        _note("{action} refused, then a crash"),
    ),
    "crash-after-refuse-stale": Telling(
        "{service} finds what this run had read changed, refuses {action}{emits_on_refusal}, and crashes before it "
        "acknowledges.",
        _note("{action} refused: stale, then a crash"),
    ),
    "crash-after-compensate": Telling(
        "{service} hears {heard_undo}, applies {compensation}{emits_undone}, and crashes before it acknowledges: it "
        "will come again.",
        _note("{compensation}, then a crash"),
    ),
    "crash-after-compensate-empty": Telling(
        "{service} hears {heard_undo} before {action} ever ran, changes nothing{emits_undone}, and crashes before it "
        "acknowledges.",
        _note("{compensation}: nothing to undo, then a crash"),
    ),
    "crash-after-decline-undo": Telling(
        "{service} refuses {compensation} and crashes before it acknowledges.", _note("{compensation} refused")
    ),
    "crash-unpublished": Telling(
        "{service} applies {action} and crashes before it publishes: nobody will ever hear of it.",
        _note("{action} applied, its event lost"),
    ),
    "compensate": Telling(
        "{service} hears {heard_undo}, applies {compensation}{emits_undone}.", _note("{compensation}{emits_undone}")
    ),
    "compensate-empty": Telling(
        "{service} hears {heard_undo}, where {action} never ran: it changes nothing, remembers that{emits_undone}.",
        _note("{compensation}: nothing to undo"),
    ),
    "decline-undo": Telling("{service} refuses {compensation}.", _note("{compensation} refused")),
    "apply-twice": Telling(
        "{consumes} reaches {service} again, which does not know it and applies {action} a second time.",
        _note("{action} applied twice"),
    ),
    "apply-declined": Telling(
        "{consumes} reaches {service} again, which had refused {action} and now applies it.",
        _note("{action} applied after all"),
    ),
    "apply-late": Telling(
        "{consumes} reaches {service} after {compensation} was handled, and {action} is applied: nothing will undo it.",
        _note("{action} applied after its compensation"),
    ),
    "compensate-nothing": Telling(
        "{service} hears {heard_undo}, where {action} never ran, and {compensation} undoes what never was.",
        _note("{compensation} undoes nothing"),
    ),
    "compensate-twice": Telling(
        "{heard_undo} reaches {service} again, which does not know it and applies {compensation} a second time.",
        _note("{compensation} applied twice"),
    ),
    "compensate-too-early": Telling(
        "{service} hears {heard_undo} and applies {compensation} while what came after {action} still stands.",
        _note("{compensation} out of order"),
    ),
    "compensate-behind-pivot": Telling(
        "{service} hears {heard_undo} and applies {compensation}, although the pivot is through.",
        _note("{compensation} behind the pivot"),
    ),
}
