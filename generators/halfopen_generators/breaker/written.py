"""Evidence that a reader can look at: what the spec leaves out was decided, and stands on no line of it."""

from __future__ import annotations

import re

from pydantic import BaseModel

from halfopen.findings import at
from halfopen.source import Location
from halfopen.vocabulary import Evidence, Finding
from halfopen_generators.breaker.spec import BreakerSpec

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def written(found: Finding, spec: BreakerSpec) -> Finding:
    """The finding with those of its places that the user wrote; where none is, the call's operation."""
    kept = dict.fromkeys(place for each in found.evidence if (place := _written(each, spec)) is not None)
    # What a place lies in tells nothing more.
    evidence = tuple(one for one in kept if not any(f"{other}".startswith(f"{one}.") for other in kept)) or (
        at(*_call(_location(found.evidence[0].path)), "operation"),
    )
    return found.model_copy(update={"evidence": evidence})


def _written(evidence: Evidence, spec: BreakerSpec) -> Evidence | None:
    """The place, or what is written around it within the same call; None if nothing is."""
    if evidence.file is not None:
        return evidence
    location = _location(evidence.path)
    there: Location = ()
    node: object = spec
    for part in location:
        if isinstance(node, tuple) and isinstance(part, int) and part < len(node):
            node = node[part]
        elif isinstance(node, BaseModel) and part in node.model_fields_set:
            node = getattr(node, str(part))
        else:
            break
        there = (*there, part)
    return at(*there) if len(there) > len(_call(location)) else None


def _call(location: Location) -> Location:
    """The place of the call that it lies in."""
    return location[:2] if location[:1] == ("then",) else ()


def _location(path: str) -> Location:
    return tuple(int(match[1]) if match[1] else match[2] for match in _PART.finditer(path))
