"""What is asked: a gRPC API, as the user writes it.

Nothing is decided here. A key that was left out stays None (or empty) and `design` decides it, with a reason.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType

from halfopen.durations import Duration
from halfopen_generators.grpc.types import WORDS

MAX_FIELDS = 1_000
MAX_NUMBER = 536_870_911

FilePath = Annotated[str, Field(max_length=1_000)]
Package = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,9}$", max_length=120)]
# A service or method: PascalCase, such as PlaceOrder, but for what is released otherwise.
TypeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
# The same, or one within a message: Order.Line.
NestedName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,199}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
# A message, what is nothing to say, or the full name of another package's message.
BodyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,199}$")]
ValueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]

# A template of google.api.http: segments, with variables in braces.
HttpPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~:/{}=*%-]{0,500}$")]
HTTP_VERBS = ("get", "put", "post", "delete", "patch")

Audience = Literal["internal", "public"]
Style = Literal["buf", "aip"]
Kind = Literal["unary", "server-stream", "client-stream", "bidi"]
Idempotency = Literal["no-side-effects", "idempotent", "non-idempotent"]
_StatusName = Literal[
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
]  # fmt: skip
# By name, so that a schema spells the sixteen out once.
Status = TypeAliasType("Status", _StatusName)


def _typed(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("a field is its type, such as string, or a mapping with the key type")  # noqa: TRY004
    return {"type": value} if isinstance(value, str) else value


def _form(value: Any) -> str:
    return "name" if isinstance(value, str) else "fields"


def _listed(value: Any) -> str:
    return "numbered" if isinstance(value, dict) else "listed"


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Spec):
    """A field: its type alone, or with what else is known of it."""

    type: Annotated[str, Field(max_length=200)] = Field(
        description="string, repeated Order, optional int32, map<string,string>, timestamp, money ..."
    )
    number: int | None = Field(default=None, ge=1, le=MAX_NUMBER, description="Left out: decided, or kept.")
    hot: bool = Field(default=False, description="Set in almost every message.")
    json_name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\"\\\\]{1,100}$")] | None = Field(
        default=None, description="Its name in JSON, if not lowerCamelCase of its name."
    )
    rules: dict[Annotated[str, Field(max_length=64)], Any] = Field(
        default={}, description="protovalidate rules of its type: {min_len: 1, pattern: ...}."
    )


AskedField = Annotated[FieldSpec, BeforeValidator(_typed, json_schema_input_type=str | FieldSpec)]


class MessageSpec(BaseModel):
    """A message: field name to type."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, AskedField]

    oneof: dict[FieldName, dict[FieldName, AskedField]] = Field(
        default_factory=dict, description="Groups of fields of which at most one is set."
    )

    @model_validator(mode="before")
    @classmethod
    def _not_too_many(cls, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise ValueError(f"a message has at most {MAX_FIELDS} fields, this one {len(data)}: split it")
        return data

    @property
    def fields(self) -> dict[str, FieldSpec]:
        """The fields outside of any oneof."""
        return dict(self.__pydantic_extra__)


Body = Annotated[
    Annotated[BodyName, Tag("name")] | Annotated[MessageSpec, Tag("fields")],
    Discriminator(_form),
    Field(description="Fields, or the name of a message, or empty."),
]


class RetrySpec(_Spec):
    """What clients may repeat by themselves."""

    attempts: int | None = Field(default=None, ge=2, le=5, description="Tries in all.")
    codes: tuple[Status, ...] = ()


class HedgingSpec(_Spec):
    """A read that is sent again before the first try has answered; the first answer counts."""

    attempts: int | None = Field(default=None, ge=2, le=5, description="Tries in all.")
    delay: Duration | None = Field(default=None, description="Before the next try: the p95 of its latency.")


class HttpSpec(_Spec):
    """How an rpc is called over HTTP and JSON, as google.api.http has it: one of the verbs with its path."""

    get: HttpPath | None = None
    put: HttpPath | None = None
    post: HttpPath | None = None
    delete: HttpPath | None = None
    patch: HttpPath | None = None
    body: Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_]{0,63})$")] | None = Field(
        default=None, description="The field that the body holds; * for all that the path doesn't."
    )
    response_body: FieldName | None = Field(default=None, description="The field that the answer holds alone.")

    @model_validator(mode="after")
    def _one_verb(self) -> HttpSpec:
        if len([verb for verb in HTTP_VERBS if getattr(self, verb) is not None]) != 1:
            raise ValueError(f"takes one of {', '.join(HTTP_VERBS)}, with the path")
        return self

    @property
    def verb(self) -> str:
        """The verb, in lower case."""
        return next(verb for verb in HTTP_VERBS if getattr(self, verb) is not None)

    @property
    def path(self) -> str:
        """The path with its variables in braces."""
        return str(getattr(self, self.verb))


class MethodSpec(_Spec):
    """One rpc."""

    kind: Kind = "unary"
    request: Body = MessageSpec()
    response: Body = MessageSpec()
    deadline: Duration | None = None
    idempotency: Idempotency | None = Field(default=None, description="Left out: unknown, and never retried.")
    errors: tuple[Status, ...] | None = None
    paginated: bool | None = None
    retry: RetrySpec | None = Field(default=None, description="Left out: decided by idempotency.")
    long_running: TypeName | None = Field(
        default=None, description="Message of its progress: it answers with google.longrunning.Operation."
    )
    hedging: HedgingSpec | None = Field(default=None, description="For reads whose slowest calls matter.")
    http: HttpSpec | None = Field(default=None, description="For transcoding: {post: /v1/orders, body: '*'}.")


Values = Annotated[tuple[ValueName, ...], Field(min_length=1, max_length=MAX_FIELDS)]
Numbered = Annotated[
    dict[ValueName, Annotated[int, Field(ge=-2_147_483_648, le=2_147_483_647)]],
    Field(min_length=1, max_length=MAX_FIELDS),
]
EnumSpec = Annotated[
    Annotated[Values, Tag("listed")] | Annotated[Numbered, Tag("numbered")],
    Discriminator(_listed),
]


class GrpcSpec(_Spec):
    """A gRPC API: services, what they take and give, and how they are called."""

    package: Package = Field(description="Ends in a version, such as acme.orders.v1.")
    audience: Audience = "internal"
    style: Style = Field(
        default="buf",
        description="aip: GetOrder may return Order, DeleteOrder empty.",
    )
    from_openapi: FilePath | None = Field(
        default=None, description="OpenAPI 3 document to take services and messages from; what stands here wins."
    )
    from_proto: FilePath | None = Field(
        default=None, description="The same, from a folder of .proto files, descriptor set or git ref."
    )
    remove: tuple[Annotated[str, Field(max_length=200)], ...] = Field(
        default=(), description="What of the imported is left out: Order.total, OrderService.GetOrder."
    )
    services: Annotated[dict[TypeName, dict[TypeName, MethodSpec]], Field(max_length=200)]
    messages: Annotated[dict[NestedName, MessageSpec], Field(max_length=5_000)] = {}
    enums: dict[NestedName, EnumSpec] = Field(
        default={}, description="Values without prefix and zero; or value to number."
    )
    comments: dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=20_000)]] = Field(
        default={}, description="By element: OrderService.GetOrder, Order, Order.total."
    )
    previous: FilePath | None = Field(
        default=None,
        description="Folder of .proto files, or descriptor set, that is released: numbers are kept, breaks told.",
    )

    @cached_property
    def types(self) -> frozenset[str]:
        """What a field may be: the words that are types, and the messages and enums."""
        return frozenset({*WORDS, *self.messages, *self.enums})

    @field_validator("services")
    @classmethod
    def _some(cls, services: Any, known: ValidationInfo) -> Any:
        if not services and not any(known.data.get(key) for key in ("from_openapi", "from_proto")):
            raise ValueError("is empty: a package has at least one service, or takes them from_openapi or from_proto")
        return services

    @model_validator(mode="before")
    @classmethod
    def _methods_may_be_bare(cls, data: Any) -> Any:
        # `Ping:` with nothing behind it means the same as `Ping: {}`; so does a message.
        if not isinstance(data, dict):
            return data
        found = dict(data)
        if data.get("from_openapi") is not None or data.get("from_proto") is not None:
            found.setdefault("services", {})
        if isinstance(data.get("messages"), dict):
            found["messages"] = _bare(data["messages"])
        if isinstance(data.get("services"), dict):
            found["services"] = {
                name: _bare(methods) if isinstance(methods, dict) else methods
                for name, methods in data["services"].items()
            }
        return found


def _bare(named: dict[str, Any]) -> dict[str, Any]:
    return {name: {} if value is None else value for name, value in named.items()}
