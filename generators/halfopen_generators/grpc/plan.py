"""The designed API: everything decided, nothing left to guess. All that comes after design reads this alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from halfopen.source import Location
from halfopen.vocabulary import Decision
from halfopen_generators.grpc.spec import Audience, HttpSpec, Idempotency, Kind, Status, Style

if TYPE_CHECKING:
    from halfopen_generators.grpc.imported import Imported
    from halfopen_generators.grpc.released import Previous

PROTO_ROOT = "proto"
# What buf's PACKAGE_VERSION_SUFFIX takes for a version.
VERSION = re.compile(r"v[1-9][0-9]*(test[a-z0-9_]*|(p[1-9][0-9]*)?(alpha|beta)([1-9][0-9]*)?)?")
# A number, or the first and the last of several.
Span = tuple[int, int]


@dataclass(frozen=True)
class FieldPlan:
    """One field of a message. `asked` is its type as a spec writes it, `type` as Protobuf does.

    Here and below, `options` are `name = value` as Protobuf spells them, the value perhaps over several lines.
    """

    name: str
    number: int
    asked: str
    type: str
    comment: tuple[str, ...]
    oneof: str | None = None
    hot: bool = False
    json_name: str | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class MessagePlan:
    """One message, its fields by number, and what was deleted from it. One within another is called Outer.Inner."""

    name: str
    comment: tuple[str, ...]
    location: Location
    fields: tuple[FieldPlan, ...]
    oneofs: Mapping[str, tuple[str, ...]]  # by name, with their comments
    reserved: tuple[Span, ...] = ()
    reserved_names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    oneof_options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, FieldPlan]:
        """The fields by their names."""
        return {field.name: field for field in self.fields}


@dataclass(frozen=True)
class ValuePlan:
    """One value of an enum. `asked` is its name in the spec; released as it is, a name may lack the enum's prefix."""

    name: str
    number: int
    asked: str
    comment: tuple[str, ...]
    released_as_is: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnumPlan:
    """One enum, its values by number, and what was deleted from it. One within a message is called Outer.Inner."""

    name: str
    comment: tuple[str, ...]
    values: tuple[ValuePlan, ...]
    reserved: tuple[Span, ...] = ()
    reserved_names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class RetryPlan:
    """What clients repeat by themselves: tries in all, and seconds between them."""

    attempts: int
    first_wait: float
    longest_wait: float
    factor: float
    codes: tuple[Status, ...]


@dataclass(frozen=True)
class HedgingPlan:
    """What clients send again before there is an answer: tries in all, and seconds between them."""

    attempts: int
    delay: float
    codes: tuple[Status, ...]  # those after which the other tries go on


@dataclass(frozen=True)
class MethodPlan:
    """One rpc. `request` and `response` are messages of the package, `empty`, or another package's by the full name.

    `takes` and `gives` are the same as Protobuf spells them. Of a long-running rpc, `finishes` is the message that its
    operation ends with, and `progress` the one that tells how far it is.
    """

    name: str
    service: str
    location: Location
    comment: tuple[str, ...]
    kind: Kind
    request: str
    response: str
    takes: str
    gives: str
    own_request: bool
    own_response: bool
    deadline: float
    deadline_given: bool
    idempotency: Idempotency | None
    errors: tuple[Status, ...]
    paginated: bool
    resumable: bool
    retry: RetryPlan | None
    retry_asked: bool
    codes_asked: tuple[Status, ...]
    http: HttpSpec | None = None
    finishes: str | None = None
    progress: str | None = None
    hedging: HedgingPlan | None = None
    hedging_asked: bool = False
    options: tuple[str, ...] = ()

    @property
    def streams(self) -> bool:
        """Whether either side sends more than one message."""
        return self.kind != "unary"


@dataclass(frozen=True)
class ServicePlan:
    """One service. `asked` is its name in the spec."""

    name: str
    asked: str
    comment: tuple[str, ...]
    methods: tuple[MethodPlan, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExtensionPlan:
    """What the package adds to a message of another one, such as custom options.

    `extended` is spelled as Protobuf has it; `types` are the full names that its file has to import.
    """

    extended: str
    fields: tuple[FieldPlan, ...]
    types: tuple[str, ...]


@dataclass(frozen=True)
class FilePlan:
    """One file of the package: its path below PROTO_ROOT, what it imports and passes on, and what stands in it."""

    path: str
    options: tuple[str, ...]
    imports: tuple[str, ...]
    public: tuple[str, ...]
    extensions: tuple[ExtensionPlan, ...]
    services: tuple[ServicePlan, ...]
    messages: tuple[MessagePlan, ...]
    enums: tuple[EnumPlan, ...]


@dataclass(frozen=True)
class Api:
    """All of it."""

    package: str
    audience: Audience
    style: Style
    files: tuple[FilePlan, ...]
    services: tuple[ServicePlan, ...]
    messages: tuple[MessagePlan, ...]
    enums: tuple[EnumPlan, ...]
    comments: dict[str, str]
    remove: tuple[str, ...]
    imported: Imported | None
    base: Previous | None  # whose names, numbers, files and options are kept
    previous: Previous | None  # what this is compared with
    decisions: tuple[Decision, ...]

    @cached_property
    def methods(self) -> tuple[MethodPlan, ...]:
        """The rpcs of all services."""
        return tuple(method for service in self.services for method in service.methods)

    @cached_property
    def by_name(self) -> dict[str, MessagePlan]:
        """The messages by their names."""
        return {message.name: message for message in self.messages}

    @property
    def name(self) -> str:
        """What files about the API are called: the last part of the package that is no version."""
        return base_name(self.package)


def base_name(package: str) -> str:
    """The last part of the package that is no version."""
    parts = package.split(".")
    return parts[-2] if len(parts) > 1 and VERSION.fullmatch(parts[-1]) else parts[-1]
