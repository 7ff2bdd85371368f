"""The figures and words that gRPC design decides with and its rules judge by, from `knowledge/grpc.yaml`, typed."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from halfopen import data
from halfopen.durations import Duration
from halfopen.figures import Figure
from halfopen.source import parse_source, validate
from halfopen.templates import words
from halfopen.vocabulary import Severity
from halfopen_generators.grpc.spec import Status

Verb = Literal["read_one", "list", "watch", "create", "change", "partial"]


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Deadlines(_Policy):
    """How long a call may take where the spec is silent."""

    unary: Figure[Duration]
    stream: Figure[Duration]


class Retries(_Policy):
    """What clients repeat by themselves."""

    attempts: Figure[int]
    first_wait: Figure[Duration]
    factor: Figure[float]
    longest_wait: Figure[Duration]
    share: Figure[float]
    max_tokens: Figure[int]
    token_ratio: Figure[float]
    codes: tuple[Status, ...]
    allowed: tuple[Status, ...]


class Server(_Policy):
    """What a server and a channel do that no rpc has for itself."""

    notice: Figure[Duration]
    kept_for: Figure[Duration]
    most_kept: Figure[int]
    ping_every: Figure[Duration]
    ping_answer: Figure[Duration]


class Hedging(_Policy):
    """What clients send again before there is an answer."""

    attempts: Figure[int]
    share: Figure[float]
    codes: tuple[Status, ...]


class Numbers(_Policy):
    """What a field's number costs."""

    one_byte: Figure[int]


class StatusPolicy(_Policy):
    """What a status means."""

    detail: str
    meaning: str
    caller: str


class Errors(_Policy):
    """The errors of an rpc that names none."""

    any: tuple[Status, ...]
    read_one: tuple[Status, ...]
    create: tuple[Status, ...]
    change: tuple[Status, ...]


class FieldWords(_Policy):
    """Names of fields that mean something to a rule."""

    request_id: tuple[str, ...]
    resume: tuple[str, ...]
    mask: str
    money: tuple[str, ...]
    time: tuple[str, ...]


class Break(_Policy):
    """What a break means to those who are on the other version."""

    code: str
    severity: Severity
    hurt: str
    instead: str


class GrpcPolicy(_Policy):
    """All of `knowledge/grpc.yaml`."""

    deadlines: Deadlines
    retry: Retries
    server: Server
    hedging: Hedging
    numbers: Numbers
    statuses: dict[Status, StatusPolicy]
    errors: Errors
    verbs: dict[Verb, tuple[str, ...]]
    fields: FieldWords
    breaks: dict[str, Break]
    in_json: tuple[str, ...]
    in_protos: dict[str, str]

    def is_(self, verb: Verb, method: str) -> bool:
        """Whether the rpc's name begins with a word of that kind."""
        return words(method)[0].capitalize() in self.verbs[verb]

    def reads(self, method: str) -> bool:
        """Whether the rpc's name says that it changes nothing."""
        return any(self.is_(verb, method) for verb in ("read_one", "list", "watch"))


@cache
def policy() -> GrpcPolicy:
    """The policy that ships with this version."""
    return validate(GrpcPolicy, parse_source(data.read_text("knowledge/grpc.yaml"), "knowledge/grpc.yaml"))
