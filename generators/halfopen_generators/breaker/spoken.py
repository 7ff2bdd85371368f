"""The policy in the dialects: each stack's files, whether they mean what was designed, and what they can't say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from halfopen.findings import at
from halfopen.vocabulary import Artifact, Check, Finding, Severity, Status
from halfopen.wording import count
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.dialects import Unsaid, dialect
from halfopen_generators.breaker.plan import CallPlan, Policy, Share
from halfopen_generators.breaker.reading import differences, intended


@dataclass(frozen=True)
class Spoken:
    """One call in one dialect."""

    call: CallPlan
    share: Share
    files: tuple[Artifact, ...]
    unsaid: tuple[Unsaid, ...]
    checks: tuple[Check, ...]


def spoken(planned: Policy) -> tuple[Spoken, ...]:
    """Every call in every dialect that is asked for."""
    return tuple(_one(planned, call, share) for call in planned.calls for share in planned.shares)


def _one(planned: Policy, call: CallPlan, share: Share) -> Spoken:
    known, part = dialect(share.stack), call.only(share.parts)
    files, unsaid = known.says(part), known.unsaid(part)
    checks = (_same_meaning(part, share, files, unsaid), *known.checks(part, files))
    if len(planned.calls) > 1:
        # Each call of a chain has files of the same names.
        files = tuple(file.model_copy(update={"path": f"{call.name}/{file.path}"}) for file in files)
        checks = tuple(check.model_copy(update={"name": f"{check.name} ({call.name})"}) for check in checks)
    return Spoken(call, share, files, unsaid, checks)


def _same_meaning(call: CallPlan, share: Share, files: tuple[Artifact, ...], unsaid: tuple[Unsaid, ...]) -> Check:
    """What an independent reader understands of the files, compared with what was meant."""
    known = dialect(share.stack)
    silent = {term for each in unsaid for term in each.terms}
    told = tuple(differences(call, known.read({file.path: file.text for file in files}), silent))
    said = len(intended(call)) - len(silent)
    detail = f"{count(said, 'term')} read back" + (f", {len(silent)} not to be said" if silent else "")
    return Check(
        name=f"{share.stack} means the same",
        tool=f"reader of {known.title}",
        version=known.version,
        status=Status.FAILED if told else Status.PASSED,
        detail="; ".join(told) if told else detail,
    )


def findings(all_of_it: tuple[Spoken, ...]) -> Iterator[Finding]:
    """TGT02: what a dialect can't say, each with what stands there instead; what is harmless in one finding a stack."""
    for one in all_of_it:
        if one.call.known.shards > 1 and one.call.per_shard and "breaker" in one.share.parts:
            yield _one_breaker(one)
        for unsaid in one.unsaid:
            if unsaid.grave:
                yield _unsaid(one, (unsaid,), Severity.WARNING)
        if harmless := tuple(unsaid for unsaid in one.unsaid if not unsaid.grave):
            yield _unsaid(one, harmless, Severity.INFO)


def _unsaid(one: Spoken, several: tuple[Unsaid, ...], severity: Severity) -> Finding:
    return finding(
        "TGT02",
        f"{dialect(one.share.stack).title}: {' '.join(unsaid.why for unsaid in several)}",
        " ".join(unsaid.nearest for unsaid in several),
        at("stacks", _place(one)),
        severity=severity,
    )


def _one_breaker(one: Spoken) -> Finding:
    return finding(
        "TGT02",
        f"{dialect(one.share.stack).title}: the files have one breaker, {one.call.name}; the policy wants one for each "
        f"of {one.call.known.shards} shards.",
        f"Make one of these for each shard, with the shard in its name: {one.call.name}-0, {one.call.name}-1 ...",
        at("stacks", _place(one)),
        severity=Severity.WARNING,
    )


def _place(one: Spoken) -> int:
    return one.share.place
