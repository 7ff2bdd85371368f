"""What is wrong with .proto files that no spec of ours made, and what they break for those who run another version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from halfopen.checkers import programs
from halfopen.progress import Progress
from halfopen.registry import Judged
from halfopen.source import BadInput, Source, read_source
from halfopen.vocabulary import Check, Evidence, Finding, Severity, Status
from halfopen.wording import count
from halfopen_generators.grpc.breaking import Told, breaks, explained
from halfopen_generators.grpc.design import designed
from halfopen_generators.grpc.imported import placed
from halfopen_generators.grpc.lint import lint
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.previous import Protos, read_protos
from halfopen_generators.grpc.proto_import import imported
from halfopen_generators.grpc.released import Previous
from halfopen_generators.grpc.rules import static_findings
from halfopen_generators.grpc.spec import GrpcSpec

_FOLDER, _OTHER = ("--check",), ("--against",)
_COMPILES, _LINT, _RULES = "the files compile", "the files keep the lint rules", "the rules of gRPC design"
_CONFIGS = ("buf.yaml", "buf.yml")
# What a configuration may name that would be fetched or run.
_FROM_ELSEWHERE = ("plugins", "policies")


def judge(folder: str, other: str | None, source: Source, progress: Progress) -> Judged:
    """What is wrong with the .proto files of that folder.

    Args:
        folder: The folder, a descriptor set, or a commit with the folder in it.
        other: The released version in one of the same forms; a commit alone means the same folder there.
        source: Knows the caller's folders.
        progress: Told how far it is.

    Raises:
        BadInput: either can't be read, doesn't compile, or lies elsewhere.
    """
    protos = read_protos(_FOLDER, folder, source)
    released = read_protos(_OTHER, other, source, within=folder) if other is not None else None
    own = protos.own
    compiled = f"{count(len(own), 'file')}, {', '.join(protos.packages)}"
    checks = [_check(_COMPILES, programs.PROTOC, programs.protoc_version() or "none", Status.PASSED, compiled)]
    progress.report(1, "checks done")
    checks.append(_linted(folder, protos, source))
    progress.report(2, "checks done")
    findings: list[Finding] = []
    for package in protos.packages:
        if progress.cancelled():
            checks.append(_check(_RULES, "halfopen", "none", Status.SKIPPED, f"{package}: interrupted."))
            continue
        older = released.package(package) if released is not None and package in released.packages else None
        found, told = _ruled(protos.package(package), older)
        checks.append(found)
        findings += told
    if released is not None:
        found, breaking = breaks(protos.image, released.image, released.given, {*own, *released.own})
        checks.append(found)
        findings += (explained(each, _place(protos, each)) for each in breaking)
    return Judged(
        summary=_summary(protos.packages, findings, checks, released),
        findings=tuple(sorted(findings, key=_gravest_first)),
        checks=tuple(checks),
    )


def _check(name: str, tool: str, version: str, status: Status, detail: str) -> Check:
    return Check(name=name, tool=tool, version=version, status=status, detail=detail)


def _place(protos: Protos, told: Told) -> Evidence:
    if told.file is None:
        return Evidence(path="a file that is gone")
    return Evidence(path=told.file, file=f"{protos.start}{told.file}", line=told.line)


def _gravest_first(found: Finding) -> tuple[int, str, str, int]:
    first = found.evidence[0]
    return -found.severity.rank, found.code, first.file or "", first.line or 0


def _ruled(base: Previous, older: Previous | None) -> tuple[Check, list[Finding]]:
    """What our own rules say of a package, each finding at the line of the file; `older` is the released version."""
    from halfopen import __version__  # noqa: PLC0415 - the package imports what registers this

    package = base.descriptors[0].package
    name = f"{_RULES}: {package}"
    if (old := next((file for file in base.descriptors if file.syntax != "proto3"), None)) is not None:
        detail = f"{old.name} is {old.syntax or 'proto2'}, and they are about proto3."
        return _check(name, "halfopen", __version__, Status.SKIPPED, detail), []
    said = imported(base)
    source = Source({"package": package, "services": {}, "from_proto": base.given})
    try:
        spec = said.under(GrpcSpec.model_validate(source.data), source)
        # Taken over as it is, it would count as released itself.
        api = replace(designed(spec, said, None, source), previous=older)
    except BadInput as refused:
        return _check(name, "halfopen", __version__, Status.SKIPPED, f"it is beyond them: {refused}"[:500]), []
    found = list(_together(_in_words_of_protos(placed(each, said)) for each in static_findings(api)))
    sizes = ((api.methods, "rpc"), (api.messages, "message"), (api.enums, "enum"))
    looked_at = ", ".join(count(len(each), what) for each, what in sizes)
    return _check(name, "halfopen", __version__, Status.PASSED, looked_at), [*found, *said.unsaid]


def _together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Of a fault that a package has in many places one finding, which names them all: it is mended alike everywhere."""
    alike: dict[tuple[str, Severity, str], list[Finding]] = {}
    for each in findings:
        alike.setdefault((each.code, each.severity, each.fix), []).append(each)
    for several in alike.values():
        first, rest = several[0], len(several) - 1
        more = f" So it is at {count(rest, 'other place')}." if rest else ""
        evidence = tuple(place for each in several for place in each.evidence)
        yield first.model_copy(update={"message": f"{first.message}{more}", "evidence": evidence})


def _in_words_of_protos(found: Finding) -> Finding:
    """The finding with a fix for who writes .proto files: the rules speak to who writes a spec."""
    fix = policy().in_protos.get(found.code)
    return found.model_copy(update={"fix": fix}) if fix else found


def _linted(folder: str, protos: Protos, source: Source) -> Check:
    """What buf says of the files: by their own configuration, or by its standard where they have none."""
    named, config = next(_configured(folder, source), ("", {"version": "v2", "lint": {"use": ["STANDARD"]}}))
    unused = [key for key in _FROM_ELSEWHERE if config.pop(key, None)]
    by = f"rules of {named}" if named else "rules STANDARD: no buf.yaml says otherwise"
    if unused:
        by += f"; its {' and '.join(unused)} are not run"
    found = lint(protos.image, protos.own, config)
    lines = [place.told(protos.start) for place in found.places]
    return found.check(_LINT, [f"{count(len(lines), 'place')}; {by}", *lines] if lines else (), by)


def _configured(folder: str, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lint section of the nearest configuration around the folder, within the caller's folders."""
    try:
        start = source.inside(_FOLDER, folder)
    except BadInput:
        return
    for place in (start, *start.parents):
        if not any(place.is_relative_to(allowed) for allowed in source.folders):
            return
        for name in _CONFIGS:
            path = place / name
            if path.is_file():
                said = read_source(path, regular=True).data
                yield name, _lint_alone(said)
                return


def _lint_alone(said: Mapping[str, Any]) -> dict[str, Any]:
    version = said.get("version", "v1beta1")
    lint = said.get("lint") if isinstance(said.get("lint"), dict) else {}
    # Paths to leave out start from the configuration's folder, and those of an image from its module.
    kept = {key: value for key, value in (lint or {}).items() if key not in {"ignore", "ignore_only"}}
    return {"version": version, "lint": kept or {"use": ["STANDARD" if version == "v2" else "DEFAULT"]},
            **{key: said[key] for key in _FROM_ELSEWHERE if said.get(key)}}  # fmt: skip


def _summary(
    packages: tuple[str, ...], findings: Iterable[Finding], checks: Iterable[Check], released: Protos | None
) -> str:
    head = f"{packages[0]}:" if len(packages) == 1 else f"{len(packages)} packages:"
    errors = dict.fromkeys(each.code for each in findings if each.severity is Severity.ERROR)
    failed = [each.name for each in checks if each.status is Status.FAILED]
    if errors or failed:
        codes = f" Errors: {', '.join(errors)}." if errors else ""
        return f"{head} compiled.{codes}" + (f" Failed: {'; '.join(failed)}." if failed else "")
    warned = dict.fromkeys(each.code for each in findings if each.severity is Severity.WARNING)
    told = f" Warnings: {', '.join(warned)}." if warned else ""
    return f"{head} compiled, and no error was found.{f' Nothing breaks {released.given}.' if released else ''}{told}"
