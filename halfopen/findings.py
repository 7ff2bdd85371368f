"""How a capability raises its findings: by code, each with the title and the law that the code stands for."""

from __future__ import annotations

from dataclasses import dataclass

from halfopen.source import WHOLE, spell
from halfopen.vocabulary import Certainty, Evidence, Finding, Severity


@dataclass(frozen=True)
class Code:
    """What a code stands for."""

    title: str
    law: int


class Codes(dict[str, Code]):
    """A capability's codes."""

    def finding(
        self,
        code: str,
        message: str,
        fix: str,
        *evidence: Evidence,
        severity: Severity = Severity.ERROR,
        certainty: Certainty = Certainty.PROVEN,
    ) -> Finding:
        """A finding of that code, with the code's own title and law.

        Raises:
            KeyError: the capability has no such code.
        """
        known = self[code]
        return Finding(
            code=code, severity=severity, title=known.title, message=message, evidence=evidence, fix=fix, law=known.law,
            certainty=certainty,
        )  # fmt: skip


def at(*location: str | int) -> Evidence:
    """A place in the spec; the file and line are added where the file is known."""
    return Evidence(path=spell(location) or WHOLE)


def gravest_first(found: Finding) -> tuple[int, str, str]:
    """The order of findings in a report: by gravity, then by code, then by place in the spec."""
    return -found.severity.rank, found.code, found.evidence[0].path
