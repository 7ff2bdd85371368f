"""What people read: DESIGN.md, the API page and the evolution note, as values that the templates only lay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from halfopen.durations import spell_duration
from halfopen.markdown import Table, optional_table, table
from halfopen.registry import Judged
from halfopen.templates import environment
from halfopen.vocabulary import Artifact, Check, Finding
from halfopen_generators.grpc import stubs
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, HedgingPlan, MethodPlan, RetryPlan, ServicePlan, Span
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.proto_text import PROMISES

if TYPE_CHECKING:
    from jinja2 import Template

_DESIGN, API, _EVOLUTION = "DESIGN.md", "API.md", "EVOLUTION.md"
_MARKDOWN = "text/markdown"
_MOST_DRAWN = 40
_BREAKS = frozenset({"PRT01", "PRT02", "PRT10"})
# What every call may fail with, whatever the rpc.
_OF_EVERY_CALL = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def api_page(api: Api) -> Artifact:
    """What callers read."""
    return _page(API, _api(api))


def of_answers(api: Api, judged: Judged, files: Iterable[str]) -> Iterator[Artifact]:
    """The pages that tell what the checks found.

    Args:
        api: The design.
        judged: What they found.
        files: The paths of the other files of the answer, but for the page of `api_page`.
    """
    yield _page(_DESIGN, _design(api, judged, files))
    yield _page(_EVOLUTION, _evolution(api, judged))


def get_ready() -> None:
    """Read the templates of `of_answers`, which takes longer than to fill them in."""
    for name in (_DESIGN, _EVOLUTION):
        _template(name)


def _page(name: str, page: dict[str, object]) -> Artifact:
    return Artifact(path=name, media_type=_MARKDOWN, text=_template(name).render(page=page))


def _template(name: str) -> Template:
    return environment("halfopen_generators.grpc").get_template(f"pages/{name}.j2")


def _design(api: Api, judged: Judged, files: Iterable[str]) -> dict[str, object]:
    return {
        "name": api.package,
        "summary": judged.summary,
        "facts": _facts(api),
        "findings": [(found, ", ".join(each.path for each in found.evidence)) for found in judged.findings],
        "checks": _checks(judged.checks),
        "decisions": table(
            ("About", "Decided", "Instead of", "Because"),
            ((d.about, d.choice, "; ".join(d.instead_of) or "-", d.because) for d in api.decisions),
        ),
        "files": [(path, _what(path)) for path in sorted(set(map(_listed, files)))],
    }


def _facts(api: Api) -> Table:
    retried = [rpc.name for rpc in api.methods if rpc.retry]
    rows = [
        ("Package", f"`{api.package}` in {_where(api)}"),
        ("Audience", api.audience),
        ("Rules", "buf STANDARD and COMMENTS" + (", responses as AIP has them" if api.style == "aip" else "")),
        *([("Taken from", api.imported.given)] if api.imported else []),
        ("Released version", api.previous.given if api.previous else "none was named"),
        ("Retried by clients", ", ".join(retried) or "nothing"),
        ("Streams", ", ".join(rpc.name for rpc in api.methods if rpc.streams) or "none"),
    ]
    return table(("", ""), rows)


def _where(api: Api) -> str:
    return ", ".join(f"`{PROTO_ROOT}/{file.path}`" for file in api.files)


def _checks(checks: Iterable[Check]) -> Table:
    rows = ((check.name, f"{check.tool} {check.version}", check.status, check.detail) for check in checks)
    return table(("Check", "Tool", "Result", "What was looked at"), rows)


def _listed(path: str) -> str:
    """What the page lists: the file, or for all of a language's stubs the folder."""
    parts = path.split("/")
    return f"{parts[0]}/{parts[1]}/" if parts[0] == stubs.FOLDER else path


def _what(path: str) -> str:
    known = {
        "API.md": "what callers read",
        "EVOLUTION.md": "what may change, and how",
        "buf.yaml": "lints and compares the package: `buf lint`, `buf breaking`",
        "service-config.json": "what clients do by themselves: deadlines, retries, load balancing",
    }
    if path.startswith(f"{stubs.FOLDER}/"):
        return "a server to fill in and a client that keeps to the design; its README.md says how to run them"
    return known.get(path, "the package" if path.endswith(".proto") else "the spec as it was checked")


def _api(api: Api) -> dict[str, object]:
    return {
        "package": api.package,
        "where": _where(api),
        "services": [_service(service) for service in api.services],
        "errors": _errors(api),
        "messages": [
            (
                message.name,
                " ".join(message.comment),
                optional_table(
                    ("Field", "Number", "Type", "What"),
                    (
                        (part.name, part.number, f"`{part.type}`", _of_oneof(part.oneof) + " ".join(part.comment))
                        for part in message.fields
                    ),
                ),
            )
            for message in api.messages
        ],
        "enums": [
            (
                enum.name,
                " ".join(enum.comment),
                table(
                    ("Value", "Number", "What"),
                    ((value.name, value.number, " ".join(value.comment)) for value in enum.values),
                ),
            )
            for enum in api.enums
        ],
    }


def _of_oneof(name: str | None) -> str:
    return f"One of `{name}`. " if name else ""


def _service(service: ServicePlan) -> dict[str, object]:
    return {
        "name": service.name,
        "comment": " ".join(service.comment),
        "diagram": _diagram(service),
        "more": max(len(service.methods) - _MOST_DRAWN, 0),
        "rpcs": table(
            ("Rpc", "What", "Takes", "Answers", "Deadline", "A second call", "Retried by clients", "Errors"),
            (_rpc(rpc) for rpc in service.methods),
        ),
    }


def _rpc(rpc: MethodPlan) -> tuple[str, ...]:
    takes = "stream " if rpc.kind in {"client-stream", "bidi"} else ""
    gives = "stream " if rpc.kind in {"server-stream", "bidi"} else ""
    return (
        rpc.name,
        " ".join(rpc.comment),
        f"{takes}{rpc.takes}",
        f"{gives}{rpc.gives}" + (f", in the end {rpc.finishes}; meanwhile {rpc.progress}" if rpc.finishes else ""),
        spell_duration(rpc.deadline),
        PROMISES[rpc.idempotency],
        _hedged(rpc.hedging) if rpc.hedging else _tries(rpc.retry),
        ", ".join(rpc.errors) or "-",
    )


def _hedged(hedging: HedgingPlan) -> str:
    return f"{hedging.attempts} tries at once, the next each {spell_duration(round(hedging.delay, 3))}"


def _tries(retry: RetryPlan | None) -> str:
    if retry is None:
        return "no"
    first, longest = spell_duration(round(retry.first_wait, 9)), spell_duration(retry.longest_wait)
    codes = ", ".join(retry.codes)
    return f"{retry.attempts} tries on {codes}; waits {first}, times {retry.factor:g}, at most {longest}"


def _diagram(service: ServicePlan) -> str:
    """Every rpc of the service once, as a Mermaid sequence diagram. Its names are Protobuf's, so nothing is escaped."""
    lines = ["sequenceDiagram", "    participant c as caller", f"    participant s as {service.name}"]
    for rpc in service.methods[:_MOST_DRAWN]:
        asks = f"    c->>s: {rpc.name}({rpc.takes})"
        answers = f"    s-->>c: {rpc.gives}"
        streams_in, streams_out = rpc.kind in {"client-stream", "bidi"}, rpc.kind in {"server-stream", "bidi"}
        for line, streams in ((asks, streams_in), (answers, streams_out)):
            lines += ["    loop stream", f"    {line}", "    end"] if streams else [line]
    return "\n".join(lines)


def _errors(api: Api) -> Table:
    used = dict.fromkeys((*(code for rpc in api.methods for code in rpc.errors), *_OF_EVERY_CALL))
    rows = (
        (code, known.meaning, f"`google.rpc.{known.detail}`", known.caller)
        for code, known in policy().statuses.items()
        if code in used
    )
    return table(("Status", "What it means", "Detail", "What the caller does"), rows)


def _evolution(api: Api, judged: Judged) -> dict[str, object]:
    breaks: list[Finding] = [found for found in judged.findings if found.code in _BREAKS]
    return {
        "package": api.package,
        "previous": api.previous.given if api.previous else None,
        "breaks": breaks,
        "numbers": optional_table(
            ("Message or enum", "Next number", "Reserved"),
            (
                *((each.name, _next([f.number for f in each.fields], each.reserved),
                   _reserved(each.reserved, each.reserved_names)) for each in api.messages),
                *((each.name, _next([v.number for v in each.values], each.reserved),
                   _reserved(each.reserved, each.reserved_names)) for each in api.enums),
            ),
        ),
    }  # fmt: skip


def _next(numbers: Iterable[int], reserved: tuple[Span, ...]) -> int:
    """The lowest number above all that are in use and not reserved."""
    number = max(numbers, default=0) + 1
    for first, last in sorted(reserved):
        if first <= number <= last:
            number = last + 1
    return number


def _reserved(spans: tuple[Span, ...], names: tuple[str, ...]) -> str:
    numbers = (str(first) if first == last else f"{first} to {last}" for first, last in spans)
    return ", ".join((*numbers, *names)) or "-"
