"""Designs for tests: from YAML text or a mapping, and as a hypothesis strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source, parse_source, validate
from halfopen.vocabulary import Report
from halfopen_generators.grpc.design import design
from halfopen_generators.grpc.options import GrpcOptions, Stubs
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.spec import GrpcSpec
from halfopen_generators.grpc.types import SCALARS, WELL_KNOWN

ROOT = Path(__file__).parents[2]


def source(data: dict[str, Any] | str, folder: Path | None = None) -> Source:
    """The spec as a source; files that it names lie in that folder."""
    found = parse_source(data) if isinstance(data, str) else Source(data)
    return Source(found.data, lines=found.lines, folders=(folder.resolve(),) if folder else ())


def designed(data: dict[str, Any] | str, folder: Path | None = None) -> Api:
    """The design of a spec."""
    found = source(data, folder)
    return design(validate(GrpcSpec, found), found, GrpcOptions())


def answered(data: dict[str, Any] | str, folder: Path | None = None, stubs: Stubs = "none") -> Report:
    """What the capability answers to a spec."""
    return run(capability("grpc"), source(data, folder), GrpcOptions(stubs=stubs), Silent())


def text(found: Report, ending: str) -> str:
    """The one file of an answer whose path ends so."""
    (artifact,) = (artifact for artifact in found.artifacts if artifact.path.endswith(ending))
    return artifact.text


def release(found: Report, folder: Path) -> None:
    """Write the package of an answer as a version that is released."""
    for artifact in found.artifacts:
        if artifact.path.endswith((".proto", "buf.yaml")):
            target = folder / artifact.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(artifact.text)


WORDS = ["order", "line", "total", "placed_at", "http", "a1", "b2c", "x", "customer_id", "note", "class_name", "url"]
field_names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("_".join)
types = st.sampled_from(["Order", "Line", "HTTPThing", "A1b", "Mood", *SCALARS, *WELL_KNOWN])
asked_types = st.one_of(
    types,
    types.map("repeated {}".format),
    types.map("optional {}".format),
    st.tuples(st.sampled_from(["string", "int32", "bool"]), types).map("map<{0[0]}, {0[1]}>".format),
)
fields = st.dictionaries(field_names, asked_types, max_size=20)
MESSAGES = ["Order", "Line", "HTTPThing", "A1b"]


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a message, some in a oneof."""
    found: dict[str, Any] = draw(fields)
    for name in list(found):
        if draw(st.booleans()) and draw(st.booleans()):
            found[name] = {"type": found[name], "hot": draw(st.booleans())}
    if draw(st.booleans()):
        names = [name for name in draw(st.lists(field_names, max_size=3, unique=True)) if name not in found]
        found["oneof"] = {"choice": {name: draw(types) for name in names}} if names else {}
    return found


@st.composite
def methods(draw: st.DrawFn) -> dict[str, Any]:
    """Any rpc."""
    found: dict[str, Any] = {"request": draw(bodies()), "response": draw(bodies())}
    for key, values in (
        ("kind", ["unary", "server-stream", "client-stream", "bidi"]),
        ("deadline", ["1ms", "300ms", "1.5s", "1h"]),
        ("idempotency", ["no-side-effects", "idempotent", "non-idempotent"]),
        ("errors", [[], ["NOT_FOUND"], ["ABORTED", "INTERNAL"]]),
        ("retry", [{}, {"attempts": 5}, {"codes": ["UNAVAILABLE", "INTERNAL"]}]),
    ):
        if draw(st.booleans()):
            found[key] = draw(st.sampled_from(values))
    return found


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of a package with a version, whose rpcs have messages of their own: one that buf has nothing against."""
    verbs = st.sampled_from(["Get", "List", "Create", "Update", "Delete", "Watch", "Do", "HTTP"])
    nouns = st.sampled_from(["Order", "Orders", "A1", "Things2Do", "X"])
    names = st.tuples(verbs, nouns).map("".join)
    services = draw(
        st.dictionaries(
            st.sampled_from(["Order1", "OrderService", "HTTPGate", "A1b2"]).map(lambda name: f"{name}Api"),
            st.dictionaries(names, methods(), min_size=1, max_size=3),
            min_size=1,
            max_size=2,
        )
    )
    values = st.lists(st.sampled_from(["GOOD", "bad", "UNSPECIFIED", "A1", "MOOD_X", "x_1"]), min_size=1, unique=True)
    return {
        "package": draw(st.sampled_from(["acme.orders.v1", "a.v1beta1", "shop.v12"])),
        "services": services,
        # Among themselves they refer by lists only, so that none needs itself.
        "messages": {
            name: {
                part: kind
                if str(kind).startswith(("repeated", "map", "optional")) or kind in {*SCALARS, *WELL_KNOWN, "Mood"}
                else f"repeated {kind}"
                for part, kind in draw(fields).items()
            }
            for name in MESSAGES
        },
        "enums": {"Mood": draw(values)},
    }
