"""What is wrong with a designed API: the rules, the compiler, buf, the released version, and a real channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from halfopen.checkers import channel, programs
from halfopen.findings import gravest_first
from halfopen.progress import Progress
from halfopen.registry import Judged
from halfopen.vocabulary import Artifact, Check, Finding, Severity, Status
from halfopen.wording import count
from halfopen_generators.grpc import proto_file, service_config, stubs
from halfopen_generators.grpc.breaking import NAME as RELEASED
from halfopen_generators.grpc.breaking import compare
from halfopen_generators.grpc.imported import placed
from halfopen_generators.grpc.lint import lint
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.plan import PROTO_ROOT, Api
from halfopen_generators.grpc.render import of_design
from halfopen_generators.grpc.rules import static_findings
from halfopen_generators.grpc.stubs import compiled

_COMPILES = "the package compiles"
_LINT = "the package is well formed"
_FORMAT = "the package is formatted"
# In the order in which they are told. Each has a thread of its own, since some wait for what another finds.
_ORDER = (_COMPILES, _LINT, _FORMAT, RELEASED, channel.NAME, compiled.NAME)


@dataclass(frozen=True)
class _Question:
    """What is asked, of which tool, and how."""

    name: str
    tool: str
    ask: Callable[[], Check]


def check(api: Api, options: GrpcOptions, progress: Progress) -> Judged:
    """Everything that can say no to the design, asked at once, since most wait for another process.

    Meanwhile all is rendered that doesn't depend on the answers.
    """
    broken: list[Finding] = []
    drafts: list[Artifact] = []
    with ThreadPoolExecutor(max_workers=len(_ORDER)) as pool:
        asked = [(each, pool.submit(each.ask)) for each in _questions(api, drafts, broken, options)]
        drafts.extend(of_design(api, options))
        ruled = (*static_findings(api), *stubs.findings(api, options.stubs))
        checks: list[Check] = []
        for each, answer in sorted(asked, key=lambda each: _ORDER.index(each[0].name)):
            progress.report(len(checks), "checks done")
            checks.append(_answered(each, answer, progress))
    progress.report(len(checks), "checks done")
    found = [placed(each, api.imported) for each in (*ruled, *broken)]
    findings = tuple(sorted([*found, *(api.imported.unsaid if api.imported else ())], key=gravest_first))
    summary = _summary(api, findings, checks, broken=bool(broken))
    return Judged(summary=summary, findings=findings, checks=tuple(checks), details=tuple(drafts))


def _answered(question: _Question, answer: Future[Check], progress: Progress) -> Check:
    # One that is being asked is waited for, since nothing ends it, but who interrupts doesn't wait to hear of it.
    if progress.cancelled():
        answer.cancel()
        why = "interrupted."
        return Check(name=question.name, tool=question.tool, version="none", status=Status.SKIPPED, detail=why)
    return answer.result()


def _questions(api: Api, drafts: list[Artifact], broken: list[Finding], options: GrpcOptions) -> Iterator[_Question]:
    """All of them, what is waited for longest first, each as soon as it can be asked.

    What is made for them is put into `drafts`, breaks of what is released into `broken`.
    """
    protos = tuple(proto_file.protos(api))
    texts = {artifact.path: artifact.text for artifact in protos}
    looked_at = _sizes(api)
    image: Future[bytes] = Future()

    def compile_it() -> Check:
        made = b""
        try:
            found, made = programs.compiled(_COMPILES, PROTO_ROOT, texts, looked_at=looked_at)
        finally:
            # Whatever happens, nobody waits for ever.
            image.set_result(made)
        return found

    yield _Question(_COMPILES, programs.PROTOC, compile_it)
    own = {f"{PROTO_ROOT}/{file.path}": texts[f"{PROTO_ROOT}/{file.path}"] for file in api.files}
    yield _Question(_FORMAT, programs.BUF.name, lambda: _format(own))
    yield _Question(_LINT, programs.BUF.name, lambda: _lint(api, image.result(), looked_at))
    config = service_config.artifact(api)
    retried = sum(rpc.retry is not None for rpc in api.methods)
    timed = f"{count(len(api.methods), 'rpc')} with a timeout, {retried} with a retryPolicy"
    yield _Question(channel.NAME, channel.TOOL, lambda: channel.accepted(config.text, looked_at=timed))
    drafts += [*protos, config]
    if (previous := api.previous) is not None:

        def compare_it() -> Check:
            found, told = compare(api, image.result(), previous)
            broken.extend(told)
            return found

        yield _Question(RELEASED, programs.BUF.name, compare_it)
    if options.stubs != "none":
        yield _Question(compiled.NAME, compiled.tool(options.stubs), lambda: compiled.check(api, options.stubs))


def _lint(api: Api, image: bytes, looked_at: str) -> Check:
    if not image:
        why = "the package doesn't compile."
        return Check(name=_LINT, tool="buf", version="none", status=Status.SKIPPED, detail=why)
    config = {"version": "v2", "lint": {"use": proto_file.LINT, "except": list(proto_file.excepted(api))}}
    found = lint(image, [file.path for file in api.files], config)
    detail = f"{looked_at}; rules {' and '.join(proto_file.LINT)}"
    if proto_file.excepted(api):
        detail += f", without {' and '.join(proto_file.excepted(api))}"
    kept = _released_so(api, config) if found.places and api.base is not None else frozenset()
    own = [place for place in found.places if (place.rule, place.message) not in kept]
    if len(own) < len(found.places):
        detail += f"; {count(len(found.places) - len(own), 'place')} not counted, where it is released otherwise"
    return found.check(_LINT, [place.told() for place in own], detail)


def _released_so(api: Api, config: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """What the linter says of the released package: to mend it would break those who run it."""
    if (base := api.base) is None:
        return frozenset()
    found = lint(base.image, [file.name for file in base.files], config)
    return frozenset((place.rule, place.message) for place in found.places)


def _format(texts: dict[str, str]) -> Check:
    return programs.check(
        _FORMAT,
        programs.BUF,
        ("format", "--diff", "--exit-code"),
        texts=texts,
        looked_at="buf format changes nothing",
    )


def _sizes(api: Api) -> str:
    parts = (
        count(len(api.services), "service"),
        count(len(api.methods), "rpc"),
        count(len(api.messages), "message"),
        count(len(api.enums), "enum"),
    )
    return ", ".join(parts)


def _summary(api: Api, findings: Iterable[Finding], checks: Iterable[Check], *, broken: bool) -> str:
    head = f"{api.package}: {_sizes(api)}."
    errors = dict.fromkeys(found.code for found in findings if found.severity is Severity.ERROR)
    failed = [check.name for check in checks if check.status is Status.FAILED]
    skipped = [check.name for check in checks if check.status is Status.SKIPPED]
    if errors or failed:
        codes = f" Errors: {', '.join(errors)}." if errors else ""
        no = f" Failed: {'; '.join(failed)}." if failed else ""
        return f"{head}{codes}{no}"
    if skipped:
        return f"{head} No error was found, but not all was looked at: {'; '.join(skipped)}."
    warned = dict.fromkeys(found.code for found in findings if found.severity is Severity.WARNING)
    compared = f" Nothing breaks those who run {api.previous.given}." if api.previous and not broken else ""
    return f"{head} It compiles, lints and is taken by a channel.{compared}" + (
        f" Warnings: {', '.join(warned)}." if warned else ""
    )
