"""What the new version breaks for those who run the released one: found by buf, told by us."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from halfopen.checkers import programs
from halfopen.findings import at
from halfopen.source import Location
from halfopen.vocabulary import Check, Evidence, Finding, Severity, Status
from halfopen.wording import count
from halfopen_generators.grpc.codes import finding
from halfopen_generators.grpc.layout import HTTP_OPTION
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.policy import Break, policy
from halfopen_generators.grpc.released import Previous

NAME = "what is released still works"
CATEGORIES = ("FILE", "WIRE_JSON")
_FOUND = 100  # buf's exit status where it found breaks
_NEW, _OLD = "new.binpb", "released.binpb"
_SUBJECT = re.compile(r'(field|enum value|oneof|RPC|message|enum|service|file) "([^"]*)"', re.IGNORECASE)
_HOLDER = re.compile(r'on (message|enum|service) "([^"]*)"')
_REFERENCE = re.compile(r" See https://\S+ for .*$")


@dataclass(frozen=True)
class Told:
    """One break as buf told it, and what the policy knows of its rule; where it stands, unless it is gone."""

    rule: str
    text: str
    known: Break
    file: str | None = None
    line: int | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """What was broken: several rules may tell of the same thing."""
        subject, holder = _SUBJECT.search(self.text), _HOLDER.search(self.text)
        if subject is None:
            return (self.known.code, self.text)
        return (self.known.code, subject[1].lower(), subject[2], holder[2] if holder else "")


def compare(api: Api, image: bytes, previous: Previous) -> tuple[Check, tuple[Finding, ...]]:
    """The check against the released version, and a finding for each break."""
    names = {file.path for file in api.files} | {file.name for file in previous.files}
    found, told = breaks(image, previous.image, previous.given, names)
    if any(option.startswith(HTTP_OPTION) for rpc in api.methods for option in rpc.options):
        told = tuple(map(_in_json, told))
    return found, tuple(explained(each, at(*_place(api, each))) for each in told)


def _in_json(told: Told) -> Told:
    """The break of an API that is called over HTTP and JSON too: there a name is on the wire."""
    known = told.known.model_copy(update={"code": "PRT10"}) if told.rule in policy().in_json else told.known
    return replace(told, known=known)


def breaks(image: bytes, released: bytes, given: str, names: Collection[str]) -> tuple[Check, tuple[Told, ...]]:
    """What buf calls breaking, the gravest for each thing that is broken.

    Args:
        image: The new FileDescriptorSet; empty if it doesn't compile.
        released: The other one.
        given: What the user calls the released one.
        names: The files that are looked at, of both.
    """
    tool, known = programs.BUF.name, programs.version_of(programs.BUF)
    executable = programs.find(programs.BUF)
    if executable is None or not image:
        why = "the package doesn't compile." if executable else f"buf is not installed: {programs.BUF.how_to_get}."
        return Check(name=NAME, tool=tool, version=known, status=Status.SKIPPED, detail=why), ()
    config = json.dumps({"version": "v2", "breaking": {"use": CATEGORIES}})
    arguments = ("breaking", _NEW, "--against", _OLD, "--config", config, "--error-format", "json")
    with programs.written({_NEW: image, _OLD: released}) as folder:
        ran = programs.run(executable, arguments, folder=folder)
    if ran.status not in {0, _FOUND}:
        # A temporary path would differ from run to run.
        detail = ran.stderr.strip().replace(f"{folder}{os.sep}", "") or f"exit status {ran.status}"
        return Check(name=NAME, tool=tool, version=known, status=Status.FAILED, detail=detail[:1_000]), ()
    told = _gravest(_told(ran.stdout, names))
    grave = sum(each.known.severity is Severity.ERROR for each in told)
    broken = f"{count(len(told), 'change')} that buf calls breaking, of which {grave} break calls"
    detail = f"rules {' and '.join(CATEGORIES)} against {given}: {broken if told else 'nothing breaks'}"
    status = Status.FAILED if grave else Status.PASSED
    return Check(name=NAME, tool=tool, version=known, status=status, detail=detail), told


def _told(output: str, names: Collection[str]) -> Iterable[Told]:
    for line in output.splitlines():
        found: Mapping[str, Any] = json.loads(line)
        rule, text = str(found["type"]), _REFERENCE.sub("", str(found["message"]))
        path = found.get("path")
        # The images hold other packages, too, of which this isn't about. A file that is gone has no path.
        if not any(f'"{name}"' in text for name in names) if rule == "FILE_NO_DELETE" else path not in {*names, None}:
            continue
        known = policy().breaks.get(rule, policy().breaks["OTHER"])
        if rule == "RPC_SAME_IDEMPOTENCY_LEVEL" and 'from "IDEMPOTENCY_UNKNOWN"' in text:
            # Who was promised nothing loses nothing.
            known = known.model_copy(update={"severity": Severity.INFO})
        yield Told(rule, text, known, path, found.get("start_line"))


def _gravest(told: Iterable[Told]) -> tuple[Told, ...]:
    """One for each thing that is broken."""
    kept: dict[tuple[str, ...], Told] = {}
    for each in told:
        other = kept.get(each.about)
        if other is None or each.known.severity.rank >= other.known.severity.rank:
            kept[each.about] = each
    return tuple(kept.values())


def explained(told: Told, where: Evidence) -> Finding:
    """The break as a finding: who is hurt, and the way around."""
    return finding(
        told.known.code,
        f"{told.text} ({told.rule}) Who is hurt: {told.known.hurt}",
        told.known.instead,
        where,
        severity=told.known.severity,
    )


def _place(api: Api, told: Told) -> Location:
    """Where in the spec the broken thing stands; where it is gone, what holds it, or the key `previous`."""
    subject, holder = _SUBJECT.search(told.text), _HOLDER.search(told.text)
    name, on = (subject[2] if subject else ""), (holder[2] if holder else "")
    if (message := api.by_name.get(on) or api.by_name.get(name)) is not None:
        part = next((part for part in message.fields if str(part.number) == name), None)
        return message.location if part is None else (*message.location, part.name)
    for enum in api.enums:
        if enum.name in {on, name}:
            return ("enums", enum.name)
    for service in api.services:
        if service.name in {on, name}:
            rpc = next((rpc for rpc in service.methods if rpc.name == name), None)
            return rpc.location if rpc else ("services", service.asked)
    return ("previous",)
