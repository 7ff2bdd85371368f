"""What a spec's schema can't say: names that meet, are different to Protobuf, and types that can be built."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from halfopen.protobuf import OWN_NUMBERS, field_type, no_package, same_name, type_fault, upper_snake
from halfopen.source import BadInput, Location, Problem, Source, nearest
from halfopen_generators.grpc.field_rules import faults
from halfopen_generators.grpc.foreign import file_of
from halfopen_generators.grpc.released import Previous
from halfopen_generators.grpc.spec import FieldSpec, GrpcSpec, MessageSpec, MethodSpec
from halfopen_generators.grpc.types import LEGAL, WELL_KNOWN, WORDS

_LANGUAGES = "a reserved word of a language that stubs are generated in"
_ONEOF = "oneof"
_TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_VARIABLE = re.compile(r"\{([A-Za-z0-9_.]+)(?:=[^}]*)?\}")
_FIELD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_NAME = 64


def check_references(spec: GrpcSpec, base: Previous | None, source: Source) -> None:
    """Refuse a spec whose names don't meet or can't be told apart. What is released in `base` may be named as it is.

    Raises:
        BadInput: one problem for each place, the first in the spec first.
    """
    found = [
        *_package(spec, base, source),
        *_styled(spec, base, source),
        *(problem for location, body in bodies(spec) for problem in _message(spec, base, body, location, source)),
        *_methods(spec, base, source),
        *_elements(spec, base, source),
        *_enums(spec, base, source),
        *_comments(spec, source),
    ]
    # Types have to be sound before it makes sense to follow them.
    if found := found or list(_cycles(spec, base, source)):
        raise BadInput(found)


def methods(spec: GrpcSpec) -> Iterator[tuple[Location, MethodSpec]]:
    """Every rpc and its place."""
    for service, named in spec.services.items():
        for name, method in named.items():
            yield ("services", service, name), method


def bodies(spec: GrpcSpec) -> Iterator[tuple[Location, MessageSpec]]:
    """Every message whose fields the spec gives, and its place."""
    for location, method in methods(spec):
        for side, body in (("request", method.request), ("response", method.response)):
            if isinstance(body, MessageSpec):
                yield (*location, side), body
    yield from ((("messages", name), body) for name, body in spec.messages.items())


def fields(body: MessageSpec) -> Iterator[tuple[Location, str | None, FieldSpec]]:
    """Every field of a message: its place in it, whose last part is its name, and its oneof."""
    yield from (((name,), None, field) for name, field in body.fields.items())
    for group, members in body.oneof.items():
        yield from (((_ONEOF, group, name), group, field) for name, field in members.items())


def request_name(spec: GrpcSpec, service: str, method: str) -> str:
    """What request and response of an rpc are named after: the rpc, or the service too where several have it."""
    several = sum(method in named for named in spec.services.values()) > 1
    return f"{service_name(service)}{method}" if several else method


def service_name(asked: str) -> str:
    """The service's name with the ending that buf's SERVICE_SUFFIX asks for."""
    return asked if asked.endswith("Service") else f"{asked}Service"


def released_types(base: Previous | None, service: str, rpc: str) -> tuple[str, str] | None:
    """The full names of what a released rpc takes and gives; None if it isn't released.

    The service may be called as the spec has it, or with the ending that it was given.
    """
    known = base.requests if base else {}
    return known.get((service, rpc)) or known.get((service_name(service), rpc))


def _package(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    if base is not None:
        return
    for part in spec.package.split("."):
        if no_package(part):
            message = f"{part!r} is {_LANGUAGES}: give that part of the package another name."
            yield source.problem(("package",), message)
        elif "__" in part or part.endswith("_"):
            yield source.problem(("package",), f"{part!r} has an underscore too many.")


def _styled(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    """Names that aren't written as names of their kind are."""
    wanted: list[tuple[Location, str]] = [
        *((("services", name), name) for name in spec.services),
        *((location, str(location[-1])) for location, _ in methods(spec)),
        *(((key, name), part) for key in ("messages", "enums") for name in getattr(spec, key)
          for part in name.split(".")),
    ]  # fmt: skip
    for place, name in wanted:
        if not _TYPE.fullmatch(name) and not (base is not None and name in base.names):
            message = f"{name!r} can't name a service, rpc, message or enum: a name is PascalCase, such as PlaceOrder."
            yield source.problem(place, message)
    for key in ("messages", "enums"):
        for name in getattr(spec, key):
            outer = name.rpartition(".")[0]
            if outer and outer not in spec.messages:
                near = nearest(outer, spec.messages)
                hint = f" Did you mean {near}?" if near else ""
                yield source.problem((key, name), f"no message is called {outer!r} in which it could stand.{hint}")


def _message(
    spec: GrpcSpec, base: Previous | None, body: MessageSpec, location: Location, source: Source
) -> Iterator[Problem]:
    names: dict[str, str] = {}
    numbers: dict[int, str] = {}
    for oneof in body.oneof:
        yield from _name(oneof, names, (*location, _ONEOF, oneof), base, source)
    for path, group, field in fields(body):
        place, name = (*location, *path), str(path[-1])
        yield from _name(name, names, place, base, source)
        yield from _type(spec, base, field.type, place, source, in_oneof=group is not None)
        yield from _rules(spec, field, place, source)
        if field.number is None:
            continue
        other = numbers.setdefault(field.number, name)
        if other != name:
            message = f"the number {field.number} is that of {other} too; each field has one of its own."
            yield source.problem((*place, "number"), message)
        elif field.number in OWN_NUMBERS:
            message = f"{field.number} is a number that Protobuf keeps for itself (19000 to 19999)."
            yield source.problem((*place, "number"), message)


def _rules(spec: GrpcSpec, field: FieldSpec, place: Location, source: Source) -> Iterator[Problem]:
    if not field.rules:
        return
    kind = field_type(field.type)
    for fault in faults(field.rules, kind, is_enum=kind.name in spec.enums):
        where = (*place, "rules", *fault.place)
        yield source.problem(where, f"{fault.value!r}: {fault.message}.", fault.value, fault.legal)


def _name(
    name: str, names: dict[str, str], place: Location, base: Previous | None, source: Source
) -> Iterator[Problem]:
    key = same_name(name)
    if base is not None and name in base.names:
        names.setdefault(key, name)
        return
    if not _FIELD.fullmatch(name) or len(name) > MAX_NAME:
        message = f"{name!r} can't name a field: a name is lower_snake_case, such as order_id."
        yield source.problem(place, message)
    elif keyword.iskeyword(name):
        yield source.problem(place, f"{name!r} is {_LANGUAGES}: give the field another name, such as {name}_value.")
    elif key in names:
        what = "stands twice" if names[key] == name else f"and {names[key]!r} become one name in JSON and in code"
        yield source.problem(place, f"{name!r} {what}.")
    names.setdefault(key, name)


def _type(
    spec: GrpcSpec, base: Previous | None, asked: str, place: Location, source: Source, *, in_oneof: bool
) -> Iterator[Problem]:
    known = spec.types
    foreign = field_type(asked).name
    if "." in foreign and foreign not in known:
        if file_of(foreign, base) is None:
            yield source.problem(place, _unknown(foreign, spec))
            return
        known |= {foreign}
    if (fault := type_fault(asked, known, optional=True)) is not None:
        yield source.problem(place, f"{asked!r} {fault}.", asked, LEGAL)
        return
    kind = field_type(asked)
    if kind.name not in known:
        yield source.problem(place, _unknown(kind.name, spec))
    elif in_oneof and kind.label:
        message = f"{asked!r} can't stand in a oneof, whose members are one value each: put it into a message."
        yield source.problem(place, message)


def _unknown(name: str, spec: GrpcSpec) -> str:
    near = nearest(name, (*spec.messages, *spec.enums)) or nearest(name.lower(), WORDS)
    hint = f" Did you mean {near}?" if near else ""
    return f"no message and no enum is called {name!r}.{hint}"


def _methods(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    for location, method in methods(spec):
        for side, body in (("request", method.request), ("response", method.response)):
            known = isinstance(body, str) and (body in spec.messages or body in WELL_KNOWN or _has(body, base))
            if isinstance(body, str) and not known:
                near = nearest(body, spec.messages)
                hint = f" Did you mean {near}?" if near else ""
                yield source.problem((*location, side), f"no message is called {body!r}.{hint}")
        yield from _long_running(spec, method, location, source)
        yield from _http(spec, method, location, source)
        if method.retry is not None and method.hedging is not None:
            message = "an rpc is retried or hedged, not both (gRFC A6): leave one of them out."
            yield source.problem((*location, "hedging"), message)
        if not method.paginated:
            continue
        place = (*location, "paginated")
        if method.kind != "unary":
            yield source.problem(place, "a stream has no pages: leave `paginated` out, or `kind`.")
        elif isinstance(method.request, str) or isinstance(method.response, str):
            yield source.problem(place, "an rpc with pages has fields of its own in `request` and `response`.")
        elif not any(field_type(field.type).label == "repeated" for field in method.response.fields.values()):
            yield source.problem(place, "the response holds no repeated field, so there is nothing to page through.")
        else:
            yield from _page_fields(method.request, method.response, location, source)


def _long_running(spec: GrpcSpec, method: MethodSpec, location: Location, source: Source) -> Iterator[Problem]:
    if method.long_running is None:
        return
    place = (*location, "long_running")
    if method.long_running not in spec.messages:
        yield source.problem(place, _unknown(method.long_running, spec))
    elif method.kind != "unary" or method.paginated:
        yield source.problem(
            place, "an operation is started by one request and answered once: leave kind and pages out."
        )


def _http(spec: GrpcSpec, method: MethodSpec, location: Location, source: Source) -> Iterator[Problem]:
    """Variables of a path, and the body, are fields of the request; what the answer holds is one of the response."""
    if (http := method.http) is None:
        return
    wanted = [("path", http.verb, "request", name) for name in _VARIABLE.findall(http.path)]
    wanted += [("body", "body", "request", http.body)] if http.body not in {None, "*"} else []
    wanted += [("answer", "response_body", "response", http.response_body)] if http.response_body else []
    for what, key, side, name in wanted:
        said = method.request if side == "request" else method.response
        body = spec.messages.get(said) if isinstance(said, str) else said
        # Of another package's message the spec doesn't know the fields.
        known = {str(path[-1]): part.type for path, _, part in fields(body)} if body is not None else None
        first = str(name).partition(".")[0]
        if known is not None and first not in known:
            message = f"the {what} names {first!r}, which is no field of the {side}."
            yield source.problem((*location, "http", key), message, first, tuple(known))


def _has(name: str, base: Previous | None) -> bool:
    return "." in name and file_of(name, base) is not None


def _page_fields(request: MessageSpec, response: MessageSpec, location: Location, source: Source) -> Iterator[Problem]:
    wanted = (("request", request, "page_size", "int32"), ("request", request, "page_token", "string"),
              ("response", response, "next_page_token", "string"))  # fmt: skip
    for side, body, name, kind in wanted:
        found = {str(path[-1]): field for path, _, field in fields(body)}.get(name)
        if found is not None and found.type.strip() != kind:
            message = f"{name} is {found.type}; of an rpc with pages it is {kind}."
            yield source.problem((*location, side, name), message)


def _elements(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    """Services, messages, enums and the messages that rpcs get share one scope; the rpcs of a service another."""
    wanted: list[tuple[Location, str, str]] = [
        (("services", name), service_name(name), f"the service {name}") for name in spec.services
    ]
    wanted += [(("messages", name), name, f"the message {name}") for name in spec.messages]
    wanted += [(("enums", name), name, f"the enum {name}") for name in spec.enums]
    for location, method in methods(spec):
        service, name = str(location[1]), str(location[2])
        for side, body in (("request", method.request), ("response", method.response)):
            if isinstance(body, MessageSpec):
                own = f"{request_name(spec, service, name)}{side.capitalize()}"
                wanted.append(((*location, side), own, f"the message {own} of {service}.{name}"))
    yield from _apart(wanted, base, source)
    for service, named in spec.services.items():
        yield from _apart([(("services", service, name), name, f"the rpc {name}") for name in named], base, source)


def _apart(wanted: Iterable[tuple[Location, str, str]], base: Previous | None, source: Source) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for place, name, what in wanted:
        if base is not None and name.rpartition(".")[2] in base.names:
            continue
        if keyword.iskeyword(name):
            yield source.problem(place, f"{name!r} is {_LANGUAGES}: give it another name.")
        elif (other := taken.setdefault(same_name(name), what)) != what:
            yield source.problem(place, f"{what} and {other} become one name in generated code: rename one of them.")


def _enums(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    # Values share the scope of what their enum stands in.
    scopes: dict[str, dict[str, str]] = {}
    for enum, asked in spec.enums.items():
        own: dict[str, str] = {}
        taken = scopes.setdefault(enum.rpartition(".")[0], {})
        old = base.enums.get(enum) if base else None
        for index, value in enumerate(asked):
            place: Location = ("enums", enum, index if isinstance(asked, tuple) else value)
            if old is not None and value in old.numbers:
                continue
            name = value_name(enum.rpartition(".")[2], value)
            if "__" in value or value.endswith("_"):
                yield source.problem(place, f"{value!r} has an underscore too many.")
            elif same_name(name) in own:
                yield source.problem(place, f"{value!r} and {own[same_name(name)]!r} are one value: both are {name}.")
            elif (other := taken.setdefault(name, enum)) != enum:
                message = f"{name} is a value of {other} too, and values share the scope of their package."
                yield source.problem(place, message)
            own[same_name(name)] = value
        if isinstance(asked, Mapping) and not (old is not None and old.aliases):
            yield from _numbers(enum, asked, source)


def _numbers(enum: str, asked: Mapping[str, int], source: Source) -> Iterator[Problem]:
    numbers: dict[int, str] = {}
    for value, number in asked.items():
        if (other := numbers.setdefault(number, value)) != value:
            message = f"the number {number} is that of {other} too; each value has one of its own."
            yield source.problem(("enums", enum, value), message)
        elif number and value_name(enum.rpartition(".")[2], value).endswith("_UNSPECIFIED"):
            message = "UNSPECIFIED is what a field holds that nobody set: its number is 0."
            yield source.problem(("enums", enum, value), message)


def value_name(enum: str, value: str) -> str:
    """The value's name with the prefix that buf's ENUM_VALUE_PREFIX asks for."""
    prefix, name = f"{upper_snake(enum)}_", value.upper()
    return name if name.startswith(prefix) else f"{prefix}{name}"


def _comments(spec: GrpcSpec, source: Source) -> Iterator[Problem]:
    known = {*spec.services, *spec.messages, *spec.enums}
    known |= {f"{service}.{name}" for service, named in spec.services.items() for name in named}
    known |= {f"{enum}.{value}" for enum, values in spec.enums.items() for value in values}
    for location, body in bodies(spec):
        of = ".".join(str(part) for part in location[1:])
        known |= {f"{of}.{path[-1]}" for path, _, _ in fields(body)} | {f"{of}.{group}" for group in body.oneof}
    for element in spec.comments:
        if element not in known:
            near = nearest(element, known)
            hint = f" Did you mean {near}?" if near else ""
            yield source.problem(("comments", element), f"the spec has no {element!r}.{hint}")


def _cycles(spec: GrpcSpec, base: Previous | None, source: Source) -> Iterator[Problem]:
    """A message that needs itself can never be built. Of a released field nothing says that it is needed."""
    old = base.messages if base else {}
    needs = {
        name: [
            kind.name
            for part, field in body.fields.items()
            if not (kind := field_type(field.type)).label and not (name in old and part in old[name].numbers)
        ]
        for name, body in spec.messages.items()
    }
    try:
        TopologicalSorter(
            {name: [other for other in others if other in spec.messages] for name, others in needs.items()}
        ).prepare()
    except CycleError as error:
        chain = [str(name) for name in error.args[1]][::-1]
        message = (
            f"{' needs '.join(chain)}: such a message never ends. Make one of these fields `optional`, `repeated` or "
            "part of a oneof."
        )
        yield source.problem(("messages", chain[0]), message)
