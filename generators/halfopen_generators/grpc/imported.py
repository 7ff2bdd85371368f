"""What another description of an API holds, as a spec, and what the user's spec says beyond it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from halfopen.source import BadInput, Source, nearest, spell, validate
from halfopen.vocabulary import Evidence, Finding
from halfopen_generators.grpc.released import Previous
from halfopen_generators.grpc.spec import GrpcSpec

# The keys that another description may fill.
_FILLED = ("services", "messages", "enums", "comments")


@dataclass(frozen=True)
class Imported:
    """Another description, said in the words of a spec; the user calls it `given`.

    `data` holds plain values under services, messages, enums and comments, as a spec file would. `unsaid` tells what
    of the description a spec has no words for, and `places` where parts of it stand: by the place in `data`. `base` is
    the package that it was read from, if it was one: its numbers, options and files are kept.
    """

    given: str
    data: Mapping[str, Any]
    unsaid: tuple[Finding, ...] = ()
    places: Mapping[tuple[str, ...], Evidence] | None = None
    base: Previous | None = None

    def under(self, spec: GrpcSpec, source: Source) -> GrpcSpec:
        """The whole spec: what stands in the source, and where it is silent what was imported.

        Services, rpcs, messages and fields of one name are one; where both say something of it, the source's words
        hold. An enum of the source replaces the imported one. What the spec names under `remove` is left out.

        Raises:
            BadInput: the two make no sound spec together, or what is to be removed isn't there.
        """
        data = dict(source.data)
        kept = _without(self.data, spec.remove, source)
        for key in _FILLED:
            own = data.get(key) or {}
            data[key] = _merged(kept.get(key, {}), own, deep=key in {"services", "messages"})
        return validate(GrpcSpec, Source(data, source.file, source.text, source.lines, source.folders))

    def place(self, evidence: Evidence) -> Evidence:
        """The same evidence, in the file that the element was imported from, if it was."""
        if evidence.file is not None:
            return evidence
        parts = tuple(evidence.path.split("."))
        for end in range(len(parts), 0, -1):
            found = (self.places or {}).get(parts[:end])
            if found is not None:
                return Evidence(path=spell(parts), file=found.file, line=found.line)
        return evidence


def placed(found: Finding, imported: Imported | None) -> Finding:
    """The finding, its evidence in the file that the element was imported from, if it was."""
    if imported is None:
        return found
    return found.model_copy(update={"evidence": tuple(map(imported.place, found.evidence))})


def read_imported(spec: GrpcSpec, source: Source) -> Imported | None:
    """What the spec imports; None if it stands alone.

    Raises:
        BadInput: it can't be read, or two descriptions are to be imported.
    """
    if spec.from_openapi is not None and spec.from_proto is not None:
        raise BadInput([source.problem(("from_proto",), "takes the place of from_openapi: give one or the other.")])
    if spec.from_openapi is not None:
        from halfopen_generators.grpc.openapi import read_openapi  # noqa: PLC0415 - only who imports pays for it

        return read_openapi(spec.from_openapi, spec.package, source)
    if spec.from_proto is not None:
        from halfopen_generators.grpc.proto_import import read_proto  # noqa: PLC0415 - the same

        return read_proto(spec.from_proto, spec.package, source)
    if spec.remove:
        raise BadInput([source.problem(("remove",), "nothing is imported, so there is nothing to remove from it.")])
    return None


def _without(data: Mapping[str, Any], names: Iterable[str], source: Source) -> dict[str, Any]:
    """The data without the elements of those names, such as Order, Order.total or OrderService.GetOrder."""
    kept = copy.deepcopy({key: dict(data.get(key, {})) for key in _FILLED})
    for index, name in enumerate(names):
        holders = [(kept[key], name) for key in ("services", "messages", "enums")]
        outer, _, inner = name.rpartition(".")
        holders += [(kept[key].get(outer, {}), inner) for key in ("services", "enums") if outer]
        bodies = [body for known, body in _bodies(kept) if outer in known]
        holders += [(part, inner) for body in bodies for part in (body, *body.get("oneof", {}).values())]
        found = [holder for holder, part in holders if part in holder]
        if not found:
            near = nearest(name, _elements(kept))
            hint = f" Did you mean {near}?" if near else ""
            raise BadInput([source.problem(("remove", index), f"{name!r} isn't in what is imported.{hint}")])
        for holder, part in holders:
            holder.pop(part, None)
        gone = [element for element in kept["comments"] if f"{element}.".startswith(f"{name}.")]
        for element in gone:
            del kept["comments"][element]
    for _, body in _bodies(kept):
        for group in [group for group, members in body.get("oneof", {}).items() if not members]:
            del body["oneof"][group]
    return kept


def _bodies(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The fields of every message, with the names that it may be called by: those of rpcs are named after them."""
    yield from (((name,), body) for name, body in data["messages"].items())
    for service, rpcs in data["services"].items():
        for rpc, said in rpcs.items():
            for side in ("request", "response"):
                if isinstance(body := said.get(side), dict):
                    yield (f"{rpc}{side.capitalize()}", f"{service}{rpc}{side.capitalize()}"), body


def _elements(data: Mapping[str, Any]) -> Iterator[str]:
    """What can be removed."""
    for key in ("services", "enums"):
        for name, parts in data[key].items():
            yield from (name, *(f"{name}.{part}" for part in parts))
    yield from data["messages"]
    for names, body in _bodies(data):
        groups = body.get("oneof", {})
        parts = [part for part in (*body, *(part for group in groups.values() for part in group)) if part != "oneof"]
        yield from (f"{names[0]}.{part}" for part in parts)


def _merged(imported: Any, own: Any, *, deep: bool) -> Any:
    """Mappings key by key, the own value where both have one."""
    if not isinstance(imported, Mapping) or not isinstance(own, Mapping):
        return own
    both = {name: _merged(imported[name], own[name], deep=True) if deep else own[name]
            for name in own if name in imported}  # fmt: skip
    return {**imported, **own, **both}
