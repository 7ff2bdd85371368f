"""Every decision about a gRPC API, each with its reason: from the spec, the policy, and the version that is released.

Nothing else is read. The released version is a file that the spec names, so it is a part of what is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.protobuf import field_type
from halfopen.registry import Options
from halfopen.source import Location, Source
from halfopen.vocabulary import Decision
from halfopen_generators.grpc import methods, service_config
from halfopen_generators.grpc.elements import PAGE_REQUEST, PAGE_RESPONSE, Elements, phrase
from halfopen_generators.grpc.imported import Imported, read_imported
from halfopen_generators.grpc.layout import HTTP_OPTION, OPERATION_OPTION, Layout
from halfopen_generators.grpc.option_text import block, quoted
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, MessagePlan, MethodPlan, ServicePlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.previous import read_previous
from halfopen_generators.grpc.references import check_references, fields, released_types, request_name, service_name
from halfopen_generators.grpc.references import methods as rpcs
from halfopen_generators.grpc.released import Previous
from halfopen_generators.grpc.spec import GrpcSpec, HttpSpec, MessageSpec, MethodSpec
from halfopen_generators.grpc.types import GOOGLEAPIS

LAW_OF_FALLACIES = 1
LAW_OF_BOUNDARIES = 3
LAW_OF_RESILIENCE = 5


def design(spec: GrpcSpec, source: Source, options: Options) -> Api:
    """The API with everything decided.

    Raises:
        BadInput: names in the spec don't meet, or the released version can't be used.
    """
    del options  # there are none
    imported = read_imported(spec, source)
    if imported is not None:
        spec = imported.under(spec, source)
    previous = read_previous(("previous",), spec.previous, spec.package, source) if spec.previous else None
    return designed(spec, imported, previous, source)


def designed(spec: GrpcSpec, imported: Imported | None, previous: Previous | None, source: Source) -> Api:
    """The API of a whole spec, with everything decided.

    Args:
        spec: The spec with what was imported.
        imported: What was.
        previous: The released version, if there is one beside what was imported.
        source: Where the spec stands.

    Raises:
        BadInput: names in the spec don't meet.
    """
    base = (imported.base if imported else None) or previous
    check_references(spec, base, source)
    made = Elements(spec, base)
    layout = Layout(spec.package, base)
    made.decided.extend(_of_the_package(spec, base, layout.main))
    services: list[ServicePlan] = []
    messages: list[MessagePlan] = []
    of_services: dict[str, str] = {}
    for asked, named in spec.services.items():
        own_rpcs = []
        for name, method in named.items():
            rpc, own = _method(made, asked, name, method)
            own_rpcs.append(rpc)
            messages.extend(own)
        name = _released_name(made, asked)
        comment = made.comment(asked, f"{phrase(asked)}.")
        services.append(ServicePlan(name, asked, comment, tuple(own_rpcs), made.options(name)))
        of_services |= {message.name: name for message in messages if message.location[1] == asked}
    messages += [
        made.message(name, body, ("messages", name), f"{phrase(name)}.") for name, body in spec.messages.items()
    ]
    enums = tuple(made.enum(name) for name in spec.enums)
    made.decided.extend((*_of_money(messages), *_of_the_channel(spec, services)))
    return Api(
        package=spec.package,
        audience=spec.audience,
        style=spec.style,
        files=layout.files(services, of_services, messages, enums),
        services=tuple(services),
        messages=tuple(messages),
        enums=enums,
        comments=spec.comments,
        remove=spec.remove,
        imported=imported,
        base=base,
        previous=previous or base,
        decisions=tuple(_merged(made.decided)),
    )


def _merged(decided: list[Decision]) -> Iterator[Decision]:
    """The decisions, those that are the same for several elements told once."""
    alike: dict[Decision, list[str]] = {}
    for decision in decided:
        element, _, aspect = decision.about.rpartition(".")
        alike.setdefault(decision.model_copy(update={"about": aspect if element else ""}), []).append(decision.about)
    for decision, about in alike.items():
        names = [each.removesuffix(f".{decision.about}").partition(".")[2] for each in about]
        one = about[0] if len(about) == 1 else f"{decision.about} of {', '.join(names)}"
        yield decision.model_copy(update={"about": one})


def _all(services: list[ServicePlan]) -> Iterator[MethodPlan]:
    return (rpc for service in services for rpc in service.methods)


def _of_the_package(spec: GrpcSpec, base: Previous | None, main: str) -> Iterator[Decision]:
    if base is not None and len(base.files) > 1:
        yield Decision(
            about="package",
            choice=f"{len(base.files)} files, as it is released; what is new goes into {PROTO_ROOT}/{main}",
            because="Whoever includes one of them finds in it what was there before.",
            instead_of=("one file",),
            law=LAW_OF_BOUNDARIES,
        )
    else:
        yield Decision(
            about="package",
            choice=f"one file, {PROTO_ROOT}/{main}",
            because="It is released so."
            if base
            else "Its folders are those of the package, as buf and every generator expect. One file can't import in a "
            "circle, and stays easy to compare with what is released; what outgrows it is a package of its own.",
            instead_of=("one file per service", "one file per message"),
            law=LAW_OF_BOUNDARIES,
        )
    if all(isinstance(side, MessageSpec) for _, rpc in rpcs(spec) for side in (rpc.request, rpc.response)):
        yield Decision(
            about="services",
            choice="a request and a response message of its own for each rpc",
            because="A message that two rpcs share can't grow for one of them alone.",
            instead_of=("shared messages", "the resource itself as the response, as Google's AIPs have it"),
            law=LAW_OF_BOUNDARIES,
        )
    yield Decision(
        about="style",
        choice="buf's STANDARD rules; AIP's responses allowed" if spec.style == "aip" else "buf's STANDARD rules",
        because="Where buf and Google's AIPs contradict each other a package has to follow one of them everywhere. "
        + (
            "The spec asks for AIP: standard methods may answer with the resource, or with nothing."
            if spec.style == "aip"
            else "buf's are those that the lint run enforces, and a response of its own can grow."
        ),
        instead_of=("buf alone",) if spec.style == "aip" else ("aip: GetOrder answers with Order itself",),
        law=LAW_OF_BOUNDARIES,
    )
    if base is not None:
        yield Decision(
            about="previous",
            choice=f"numbers, names and options as released in {base.given}; what is deleted is reserved",
            because="Whoever runs the released version reads by number: a number that means something else is read as "
            "what it meant.",
            instead_of=("numbers in the order of the spec",),
            law=LAW_OF_BOUNDARIES,
        )
    if spec.audience == "public":
        yield Decision(
            about="audience",
            choice="gRPC, as the spec asks; REST is recommended",
            because="A public API is called by clients that you don't choose, and REST needs nothing but HTTP and "
            "JSON: any language, a browser, curl.",
            instead_of=("REST with an OpenAPI document", "both, by transcoding (google.api.http)"),
            law=LAW_OF_FALLACIES,
        )


def _of_the_channel(spec: GrpcSpec, services: list[ServicePlan]) -> Iterator[Decision]:
    retry, health = policy().retry, service_config.health_name(spec.package, services)
    yield Decision(
        about="service config: loadBalancingConfig",
        choice="round_robin",
        because="The default, pick_first, sends all calls over one connection to one server for as long as it lasts.",
        instead_of=("pick_first", "a proxy or mesh that balances each call"),
        law=LAW_OF_RESILIENCE,
    )
    if any(rpc.retry or rpc.hedging for rpc in _all(services)):
        yield Decision(
            about="service config: retryThrottling",
            choice=f"maxTokens {retry.max_tokens.value}, tokenRatio {retry.token_ratio.value:g}",
            because="Once half of the tokens are gone, clients stop retrying: a server in trouble is not kept there by "
            f"retries. {retry.max_tokens.source}",
            instead_of=("no throttling",),
            law=LAW_OF_RESILIENCE,
        )
    yield Decision(
        about="service config: healthCheckConfig",
        choice=f"serviceName {health}" if health else "serviceName empty: the server as a whole",
        because="Clients that support it ask grpc.health.v1 and leave out a server that says it isn't serving; one "
        "that doesn't offer the service counts as healthy.",
        instead_of=("no health checking: a server that is up and broken gets its share of calls",),
        law=LAW_OF_RESILIENCE,
    )
    if not any(rpc.hedging for rpc in _all(services)):
        yield Decision(
            about="service config: hedging",
            choice="none",
            because="It multiplies load whenever servers are slow, which is when they can bear it least.",
            instead_of=("hedgingPolicy for reads, once the tail of their latency was measured",),
            law=LAW_OF_RESILIENCE,
        )


def _of_money(messages: list[MessagePlan]) -> Iterator[Decision]:
    if any(field_type(part.asked).name == "money" for message in messages for part in message.fields):
        yield Decision(
            about="messages",
            choice="google.type.Money",
            because="It is exact, and what others use. It is not part of the Protobuf compiler: buf.yaml names "
            f"{GOOGLEAPIS}, which `buf dep update` fetches.",
            instead_of=("a message of the package", "double, which can't hold a cent"),
            law=LAW_OF_FALLACIES,
        )


def _method(made: Elements, service: str, name: str, asked: MethodSpec) -> tuple[MethodPlan, list[MessagePlan]]:
    location: Location = ("services", service, name)
    base = request_name(made.spec, service, name)
    paginated = methods.paginated(name, asked, location, made.decided)
    own: list[MessagePlan] = []
    names: dict[str, str] = {}
    for side, body in (("request", asked.request), ("response", asked.response)):
        names[side] = body if isinstance(body, str) else _own_name(made, service, name, base, side)
        if isinstance(body, MessageSpec):
            more = (PAGE_REQUEST if side == "request" else PAGE_RESPONSE) if paginated else ()
            if side == "request" and _wants_mask(made, service, name, names[side], body):
                more = (*more, (policy().fields.mask, "field_mask"))
            what = {"request": f"What {name} takes.", "response": f"What {name} answers with."}[side]
            partial = side == "request" and policy().is_("partial", name)
            place = (*location, side)
            own.append(made.message(names[side], body, place, what, more=more, partial=partial))
    finishes = names["response"] if asked.long_running is not None else None
    if finishes is not None:
        names["response"] = methods.OPERATION
        methods.decide_operation(location, finishes, made.decided)
    deadline = methods.deadline(asked, location, made.decided)
    errors = methods.errors(name, asked, location, made.decided)
    retry = methods.retry(asked, deadline, location, made.decided)
    hedging = methods.hedging(asked, deadline, location, made.decided)
    resumable = methods.resumable(made.spec, asked)
    methods.decide_stream(asked, location, made.decided, resumable=resumable)
    methods.decide_idempotency(asked, location, made.decided)
    return (
        MethodPlan(
            name=name,
            service=service,
            location=location,
            comment=made.comment(f"{service}.{name}", f"{phrase(name)}."),
            kind=asked.kind,
            request=names["request"],
            response=names["response"],
            takes=made.spelled(names["request"]),
            gives=made.spelled(names["response"]),
            own_request=names["request"] in {f"{name}Request", f"{service_name(service)}{name}Request"},
            own_response=names["response"] in {f"{name}Response", f"{service_name(service)}{name}Response"},
            deadline=deadline,
            deadline_given=asked.deadline is not None,
            idempotency=asked.idempotency,
            errors=errors,
            paginated=paginated,
            resumable=resumable,
            retry=retry,
            retry_asked=asked.retry is not None,
            codes_asked=asked.retry.codes if asked.retry else (),
            http=asked.http,
            finishes=finishes,
            progress=asked.long_running,
            hedging=hedging,
            hedging_asked=asked.hedging is not None,
            options=made.options(
                f"{_released_name(made, service)}.{name}", *_http(asked.http), *_operation(finishes, asked.long_running)
            ),
        ),
        own,
    )


def _wants_mask(made: Elements, service: str, name: str, message: str, body: MessageSpec) -> bool:
    """Whether the rpc changes a resource that it is sent, and nothing else says which fields of it.

    One that is released without a mask stays so, and one that is released with it keeps it.
    """
    mask = policy().fields.mask
    released = released_types(made.base, service, name) is not None
    old = made.base.messages.get(message) if made.base else None
    kept = old is not None and mask in old.numbers
    types = [field_type(part.type).name for _, _, part in fields(body)]
    resources = [kind for kind in types if kind in made.spec.messages]
    if not policy().is_("partial", name) or not resources or "field_mask" in types or (released and not kept):
        return False
    made.decided.append(
        Decision(
            about=f"services.{service}.{name}.update_mask",
            choice=f"{mask}: field_mask in the request",
            because=f"It is sent a whole {resources[0]} and may mean a part of it: without a mask a caller that "
            "doesn't know a new field sets it back to nothing. Left empty it means all fields that are set (AIP-134).",
            instead_of=("the whole resource each time", "a field for each thing that may change"),
            law=LAW_OF_FALLACIES,
        )
    )
    return True


def _released_name(made: Elements, service: str) -> str:
    """What the service is called in the package."""
    return service if made.base and service in made.base.services else service_name(service)


def _operation(finishes: str | None, progress: str | None) -> tuple[str, ...]:
    if finishes is None or progress is None:
        return ()
    entries = (f"response_type: {quoted(finishes)}", f"metadata_type: {quoted(progress)}")
    return (f"{OPERATION_OPTION} = {block(entries)}",)


def _http(asked: HttpSpec | None) -> tuple[str, ...]:
    if asked is None:
        return ()
    bodies = (("body", asked.body), ("response_body", asked.response_body))
    entries = [f"{asked.verb}: {quoted(asked.path)}", *(f"{key}: {quoted(held)}" for key, held in bodies if held)]
    return (f"{HTTP_OPTION} = {block(entries)}",)


def _own_name(made: Elements, service: str, name: str, base: str, side: str) -> str:
    """The message's name: as it is released, if that is one of the two that buf allows."""
    end = side.capitalize()
    released = released_types(made.base, service, name)
    if released is not None:
        known = released[0 if side == "request" else 1].rsplit(".", 1)[-1]
        if known in {f"{name}{end}", f"{service_name(service)}{name}{end}"}:
            return known
    return f"{base}{end}"
