"""The state machine of a saga in Amazon States Language.

Forward, each step is a Task that is retried and caught by itself. Branches of a Parallel state never fail: they
end with a step marked refused or unknown, and the join turns back. (Otherwise Step Functions would stop the
other branches in the middle of a request.) Turning back at the join is turning back a little later, as if the
refusal had been late; the protocol allows for that.

Backward, compensations run one after the other, in the opposite order of the steps. Where the machine can't
know from its own position whether a step was sent, a Choice looks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any, Literal

from halfopen.templates import snake
from halfopen_generators.saga.plan import RetryPlan, SagaDesign, StepPlan
from halfopen_generators.saga.targets import flow as flows
from halfopen_generators.saga.targets.flow import Beside, Flow, Series

State = dict[str, Any]
Failure = Literal["refused", "unknown"]
# Where a branch or the run goes when a step fails; None ends a branch.
Stop = Callable[[str, Failure], str | None]

# The error by which a participant says no: the name of the exception in the generated handlers.
REFUSED = "Refused"
COMMITTED, CANCELLED = "Run committed", "Run cancelled"
# An execution's history holds 25,000 events; one with 24,999 or more can't be redriven (Step Functions
# Developer Guide, "Service quotas" and "Redriving executions"). A try of a Lambda task writes three.
HISTORY = 24_000
EVENTS_A_TRY = 3
EVENTS_A_STATE = 10
MOST_ATTEMPTS = 99_999_999
# MaxDelaySeconds is less than 31,622,400 (Amazon States Language); no execution lasts longer than a year, either.
LONGEST = 31_622_399


@dataclass
class Machine:
    """Builds the states of one design."""

    design: SagaDesign
    key_field: str  # where the input has the correlation key
    functions: Mapping[str, str]  # by service: the variable that stands for its function
    releasing: Sequence[StepPlan] = ()  # by which participants are told that the run has ended
    states: dict[str, State] = field(default_factory=dict)

    @cached_property
    def flow(self) -> Flow:
        """The order of the steps, as this language can say it."""
        return flows.cut(self.design)[0]

    @cached_property
    def until_answered(self) -> int:
        """How often a request is sent that has to be answered: its share of what one execution can remember.

        Then the execution fails while it can still be redriven, which sends the request again.
        """
        steps = self.design.steps
        endless = sum((step.retry.attempts is None) + (step.compensation is not None) for step in steps)
        endless += len(self.releasing)
        left = HISTORY - EVENTS_A_STATE * 5 * len(steps)
        return max(10, min(MOST_ATTEMPTS, left // (EVENTS_A_TRY * max(1, endless))))

    def definition(self) -> State:
        """The whole state machine."""
        parts = flows.parts(self.flow)
        starts = [self._start(part) for part in parts]
        self.states["Begin run"] = self._begin(starts[0])
        for part, following in zip(parts, [*starts[1:], COMMITTED], strict=True):
            if isinstance(part, str):
                self._step(self.states, part, following, self._undo_after)
            else:
                self._guarded(part, following)
        releases = [f"Release {step.service}" for step in self.releasing]
        self.states[COMMITTED] = self._end("committed", releases[:1])
        for step in reversed(self.design.steps):
            self._undo(step)
        self.states[CANCELLED] = self._end("cancelled", releases[:1])
        for number, step in enumerate(self.releasing):
            self.states[releases[number]] = self._release(step, releases[number + 1 : number + 2])
        return {
            "Comment": f"The saga {self.design.name}: every step is done, or every step that was sent is undone.",
            "StartAt": "Begin run",
            "States": self.states,
        }

    def _begin(self, following: str) -> State:
        steps = {_key(step): {"step": step.name, "status": "not-sent"} for step in self.design.steps}
        return {
            "Type": "Pass",
            "Comment": f"Fails at once, before anything is sent, if the input has no {self.key_field}.",
            "Parameters": {"correlation_id.$": f"$.{self.key_field}", "input.$": "$", "steps": steps},
            "Next": following,
        }

    @staticmethod
    def _end(outcome: str, following: Sequence[str]) -> State:
        return {
            "Type": "Pass",
            "Comment": "An orderly end; an execution that fails is one that needs a person.",
            "Parameters": {"outcome": outcome, "correlation_id.$": "$.correlation_id", "steps.$": "$.steps"},
            **_next(next(iter(following), None)),
        }

    def _release(self, step: StepPlan, following: Sequence[str]) -> State:
        request = self._request(step, "release", "released")
        payload = request["Parameters"]["Payload"]
        return {
            "Type": "Task",
            "Comment": f"The run has ended: {step.service} frees what it has locked. Until it is answered.",
            "Resource": request["Resource"],
            # What the run was started with is no part of its outcome, and no part of a release.
            "Parameters": {**request["Parameters"], "Payload": {k: payload[k] for k in payload if k != "input.$"}},
            "TimeoutSeconds": request["TimeoutSeconds"],
            "ResultPath": None,
            "Retry": [{"ErrorEquals": ["States.ALL"], **waits(step.retry), "MaxAttempts": self.until_answered - 1}],
            **_next(next(iter(following), None)),
        }

    # ---- forward -------------------------------------------------------------------------------------------

    def _start(self, flow: Flow) -> str:
        """The name of the state it starts with."""
        if isinstance(flow, str):
            return flow
        return f"Beside {flow.number}" if isinstance(flow, Beside) else self._start(flow.parts[0])

    def _guarded(self, flow: Flow, following: str) -> None:
        """A part with branches: whichever of its steps fails, turn back from its last one."""
        last = max((self.design.by_name[name].index for name in flows.steps_of(flow)), default=0)
        self._part(self.states, flow, following, lambda _step, _failure: self._undo_from(last))

    def _part(self, states: dict[str, State], flow: Flow, following: str | None, stop: Stop) -> None:
        if isinstance(flow, str):
            self._step(states, flow, following, stop)
        elif isinstance(flow, Series):
            starts: list[str | None] = [self._start(part) for part in flow.parts]
            for part, after in zip(flow.parts, [*starts[1:], following], strict=True):
                self._part(states, part, after, stop)
        else:
            self._beside(states, flow, following, stop)

    def _beside(self, states: dict[str, State], flow: Beside, following: str | None, stop: Stop) -> None:
        name, join = f"Beside {flow.number}", f"Join {flow.number}"
        inside = {step: index for index, branch in enumerate(flow.branches) for step in flows.steps_of(branch)}
        # Each branch knows all steps; those outside are the same in every one.
        merged = {f"{_key(step)}.$": f"$[{inside.get(step.name, 0)}].steps.{_key(step)}" for step in self.design.steps}
        states[name] = {
            "Type": "Parallel",
            "Comment": "No branch fails; the join looks how they ended.",
            "Branches": [self._branch(branch) for branch in flow.branches],
            "ResultSelector": merged,
            "ResultPath": "$.steps",
            **_next(join if following else None),
        }
        if following is None:
            return
        failed = stop(next(iter(inside)), "unknown")
        if failed is None:
            failed = f"{join} stops"
        states[join] = {
            "Type": "Choice",
            "Choices": [{"And": [_status(self.design.by_name[step], "done") for step in inside], "Next": following}],
            "Default": failed,
        }
        if failed == f"{join} stops":
            states[failed] = {"Type": "Pass", "Comment": "The join around this one turns back.", "End": True}

    def _branch(self, flow: Flow) -> State:
        states: dict[str, State] = {}
        self._part(states, flow, None, lambda _step, _failure: None)
        return {"StartAt": self._start(flow), "States": states}

    def _step(self, states: dict[str, State], name: str, following: str | None, stop: Stop) -> None:
        step = self.design.by_name[name]
        failures = _failures(step)
        states[name] = {
            "Type": "Task",
            "Comment": f"{step.action} at {step.service}.",
            **self._request(step, "action", "done"),
            "Retry": list(self._retry(step)),
            **({"Catch": [_catch(step, failure) for failure in failures]} if failures else {}),
            **_next(following),
        }
        for failure in failures:
            if failure == "refused" and step.kind == "retriable":
                continue
            states[_failed(step, failure)] = {
                "Type": "Pass",
                "Comment": "It changed nothing."
                if failure == "refused"
                else "It may have happened, or may yet happen.",
                "Parameters": {"step": name, "status": failure, "why.$": "$.failure"},
                "ResultPath": f"$.steps.{_key(step)}",
                **_next(stop(name, failure)),
            }

    def _retry(self, step: StepPlan) -> Iterator[State]:
        attempts = step.retry.attempts or self.until_answered
        if step.kind != "retriable":
            yield {"ErrorEquals": [REFUSED], "MaxAttempts": 0}
        elif step.retry.attempts is not None:
            yield {"ErrorEquals": [REFUSED], **waits(step.retry), "MaxAttempts": self.until_answered - 1}
        if attempts > 1:
            yield {"ErrorEquals": ["States.ALL"], **waits(step.retry), "MaxAttempts": attempts - 1}

    def _request(self, step: StepPlan, request: str, status: str) -> State:
        return {
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {
                "FunctionName": f"${{{self.functions[step.service]}}}",
                "Payload": {
                    "run.$": "$$.Execution.Name",
                    "step": step.name,
                    "request": request,
                    "idempotency_key.$": f"States.Format('{{}}/{step.name}/{request}', $$.Execution.Name)",
                    "correlation_id.$": "$.correlation_id",
                    "input.$": "$.input",
                    "steps.$": "$.steps",
                },
            },
            "TimeoutSeconds": seconds(step.timeout),
            "ResultSelector": {"step": step.name, "status": status, "reply.$": "$.Payload"},
            "ResultPath": f"$.steps.{_key(step)}",
        }

    # ---- backward ------------------------------------------------------------------------------------------

    @cached_property
    def _undoable(self) -> tuple[StepPlan, ...]:
        return tuple(step for step in self.design.steps if step.compensation is not None)

    @cached_property
    def _in_line(self) -> frozenset[str]:
        """Steps of which the machine's position alone says whether they were sent."""
        return frozenset(part for part in flows.parts(self.flow) if isinstance(part, str))

    def _undo_after(self, name: str, failure: Failure) -> str:
        index = self.design.by_name[name].index
        return self._undo_from(index if failure == "unknown" else index - 1)

    def _undo_from(self, index: int) -> str:
        """Where undoing starts if the step at that place is the last that may stand."""
        step = next((step for step in reversed(self._undoable) if step.index <= index), None)
        if step is None:
            return CANCELLED
        return f"Undo {step.name}" if step.name in self._in_line else f"Was {step.name} sent"

    def _undo(self, step: StepPlan) -> None:
        if step.compensation is None:
            return
        following, name = self._undo_from(step.index - 1), f"Undo {step.name}"
        if step.name not in self._in_line:
            settled = [_status(step, status) for status in ("not-sent", "refused")]
            self.states[f"Was {step.name} sent"] = {
                "Type": "Choice",
                "Choices": [{"Or": settled, "Next": following}],
                "Default": name,
            }
        self.states[name] = {
            "Type": "Task",
            "Comment": f"{step.compensation.action} at {step.service}, until it is answered.",
            **self._request(step, "compensation", "undone"),
            "Retry": [{"ErrorEquals": ["States.ALL"], **waits(step.retry), "MaxAttempts": self.until_answered - 1}],
            "Next": following,
        }


def seconds(duration: float) -> int:
    """The duration as this language has it: whole seconds, rounded up, from one to just short of a year."""
    return max(1, min(LONGEST, ceil(round(duration, 6))))


def waits(retry: RetryPlan) -> State:
    """How long to wait between tries."""
    first, longest = seconds(retry.backoff), seconds(retry.max_backoff)
    found: State = {"IntervalSeconds": first, "BackoffRate": retry.factor if longest > first else 1.0}
    if longest > first:
        # The language wants it greater than the interval.
        found["MaxDelaySeconds"] = longest
    return {**found, "JitterStrategy": "FULL" if retry.jitter == "full" else "NONE"}


def _failures(step: StepPlan) -> tuple[Failure, ...]:
    if step.retry.attempts is not None:
        return ("refused", "unknown")
    # It is asked until it answers, and behind the pivot until it says yes.
    return () if step.kind == "retriable" else ("refused",)


def _failed(step: StepPlan, failure: Failure) -> str:
    return f"{step.name} was refused" if failure == "refused" else f"{step.name} is unknown"


def _catch(step: StepPlan, failure: Failure) -> State:
    error = REFUSED if failure == "refused" else "States.ALL"
    # Behind the pivot a refusal turns nothing back: the step is asked anew.
    again = failure == "refused" and step.kind == "retriable"
    return {
        "ErrorEquals": [error],
        "ResultPath": "$.failure",
        "Next": step.name if again else _failed(step, failure),
    }


def _status(step: StepPlan, status: str) -> State:
    return {"Variable": f"$.steps.{_key(step)}.status", "StringEquals": status}


def _key(step: StepPlan) -> str:
    return snake(step.name)


def _next(name: str | None) -> State:
    return {"Next": name} if name else {"End": True}
