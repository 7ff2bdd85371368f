"""What is asked: the saga spec, as the user writes it.

Nothing is decided here. A key that was left out stays None (or empty) and `design` decides it, with a
reason. Durations are written `200ms`, `2s`, `5m`, `1h` and held as seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from halfopen.durations import Duration


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _compensation(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


# What becomes a name in generated code: letters, digits, - and _; a letter first.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
# An operation or an event: PascalCase words, such as ReserveStock.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Names = Annotated[tuple[Word, ...], BeforeValidator(_one_or_many)]
Fields = dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")], str]

Style = Literal["orchestration", "choreography", "event-sourced"]
Kind = Literal["compensatable", "pivot", "retriable"]
Countermeasure = Literal[
    "semantic-lock", "commutative-update", "pessimistic-view", "reread-value", "version-file", "by-value"
]
Guarantee = Literal["deduplicates", "refuses_late_actions", "accepts_empty_compensation", "publishes_atomically"]
Ending = Literal["committed", "cancelled"]
Visibility = Literal["required", "optional"]


# Told where the steps are missing.
_STEPS = [
    {"name": "reserve-stock", "service": "inventory", "action": "ReserveStock", "compensation": "ReleaseStock"},
    {"name": "charge-card", "service": "payment", "action": "ChargeCard", "can_be_refused": True},
]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Participant(_Spec):
    """A service that takes part, and what it can already guarantee.

    Each guarantee is true (has it), false (can't have it) or left out: generated code will provide it. For
    an external participant, for which no code can be generated, left out counts as false.
    """

    external: bool = Field(default=False, description="A third party: no code is generated for it.")
    team: Name | None = Field(default=None, description="Who owns it; weighs in the choice of style.")
    deduplicates: bool | None = Field(
        default=None,
        description="A request with a key it has seen changes nothing and gets the first answer.",
    )
    refuses_late_actions: bool | None = Field(
        default=None, description="An action that arrives after its own compensation changes nothing."
    )
    accepts_empty_compensation: bool | None = Field(
        default=None, description="Compensating what never ran changes nothing and is answered."
    )
    publishes_atomically: bool | None = Field(
        default=None,
        description="Its events leave with the change that caused them (an outbox), or not at all.",
    )


class Retry(_Spec):
    """How often and how fast a request is sent again when no answer came."""

    attempts: int | None = Field(default=None, ge=1, le=100, description="Tries in all, the first included.")
    backoff: Duration | None = Field(default=None, description="Wait before the second try.")
    factor: float | None = Field(default=None, ge=1, le=10, description="Each wait over the one before.")
    max_backoff: Duration | None = Field(default=None, description="The longest wait.")
    jitter: Literal["full", "none"] | None = None


class Compensation(_Spec):
    """What undoes a step."""

    action: Word
    consumes: Names = Field(default=(), description="Choreography: any one of these events starts it.")
    emits: Word | None = Field(default=None, description="Choreography: the event that says it is undone.")
    can_be_refused: bool = Field(default=False, description="A business rule may say no to undoing.")
    idempotent: bool = Field(
        default=False, description="Running it twice does no harm even where requests are not deduplicated."
    )


class Step(_Spec):
    """One local transaction at one participant."""

    name: Name
    service: Name
    action: Word
    compensation: Annotated[
        Compensation | None, BeforeValidator(_compensation, json_schema_input_type=str | Compensation | None)
    ] = None
    kind: Kind | None = Field(default=None, description="Left out: inferred from position and compensation.")
    after: Annotated[tuple[Name, ...] | None, BeforeValidator(_one_or_many)] = Field(
        default=None, description="Steps that come first; left out: the step before it in the list."
    )
    can_be_refused: bool = Field(default=False, description="A business refusal, as opposed to a fault.")
    read_only: bool = Field(default=False, description="Changes nothing, so there is nothing to undo.")
    idempotent: bool = Field(
        default=False, description="Applying it twice is as applying it once, even where nothing is deduplicated."
    )
    irreversible: bool = Field(default=False, description="Its effect leaves the system: a mail, a payout, a launch.")
    timeout: Duration | None = None
    retry: Retry | None = None
    reads: Names = Field(default=(), description="Resources at its participant that the transaction reads.")
    writes: Names = Field(default=(), description="Resources at its participant that the transaction changes.")
    countermeasures: dict[Word, Countermeasure] = Field(
        default_factory=dict, description="By resource: what keeps two runs apart on it."
    )
    request: Fields = Field(default_factory=dict, description="Field name to type: string, int64, repeated OrderLine.")
    reply: Fields = Field(default_factory=dict)
    consumes: Names = Field(default=(), description="Choreography: it runs once all of these events are in.")
    emits: Word | None = Field(default=None, description="Choreography: the event that says it succeeded.")
    emits_on_refusal: Word | None = Field(default=None, description="Choreography: the event that says it was refused.")


class Faults(_Spec):
    """What the checker may do to a run. The default is everything, as at-least-once delivery allows."""

    refusals: bool = True
    lost_messages: int = Field(default=1, ge=0, le=5, description="How many per run, in exact mode.")
    duplicated_messages: int = Field(default=1, ge=0, le=5, description="How many per run, in exact mode.")
    late_messages: bool = Field(default=True, description="A message may arrive after its sender gave up on it.")
    crashes: int = Field(default=1, ge=0, le=5, description="Of the orchestrator or a participant, with recovery.")


class SagaSpec(_Spec):
    """A saga: a business transaction over several services, each step of which can be undone or repeated."""

    saga: Name
    description: str = ""
    trigger: Word | None = Field(default=None, description="The command or event that starts a run.")
    style: Style | None = Field(default=None, description="Left out: recommended, with reasons.")
    visibility: Visibility | None = Field(
        default=None, description="Whether somebody must be able to ask where a run stands."
    )
    correlation_key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    deadline: Duration | None = None
    services: dict[Name, Participant] = Field(default_factory=dict)
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=200, examples=[_STEPS])]
    ends: dict[Word, Ending] = Field(
        default_factory=dict, description="Choreography: the events that end a run, and how."
    )
    faults: Faults = Faults()
    instances: Literal[1, 2, 3] = Field(default=1, description="Runs at once over the same resources.")

    @model_validator(mode="before")
    @classmethod
    def _services_may_be_bare(cls, data: Any) -> Any:
        # `shipping:` with nothing behind it means the same as `shipping: {}`.
        if isinstance(data, dict) and isinstance(data.get("services"), dict):
            services = {name: {} if value is None else value for name, value in data["services"].items()}
            return {**data, "services": services}
        return data
