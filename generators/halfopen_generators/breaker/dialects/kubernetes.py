"""What the meshes on Kubernetes share: names, one object, and whether its schema takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from halfopen.checkers import programs
from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.plan import CallPlan, Layer

TOOL = "jsonschema"
_ORDER: tuple[Layer, ...] = ("retry", "breaker", "bulkhead", "timeout")


def host(call: CallPlan) -> str:
    """The dependency as a host: small letters, no underscores, dots as they are."""
    return call.dependency.lower().replace("_", "-").strip("-.")


def path_pattern(call: CallPlan) -> str:
    """The operation's path as gRPC has it, whatever its service is called."""
    return f".*/{call.operation}"


def document(version_of: str, kind: str, call: CallPlan, spec: Mapping[str, Any]) -> dict[str, Any]:
    """One object, named after the call."""
    return {"apiVersion": version_of, "kind": kind, "metadata": {"name": call.name}, "spec": dict(spec)}


def layers(call: CallPlan, parts: frozenset[Layer]) -> tuple[Layer, ...]:
    """Those of the call that the mesh has, in the order in which they stand there.

    A call is routed and retried; each try finds a host that isn't ejected, a place, and has its timeout.
    """
    return tuple(layer for layer in _ORDER if layer in call.layers and layer in parts)


def check(title: str, name: str, call: CallPlan, artifacts: tuple[Artifact, ...]) -> Check:
    """The objects against the schemas of that name: no key, type or range that the product doesn't have."""
    found = "\n".join(line for artifact in artifacts for line in objections(name, artifact))
    looked_at = f"{call.name}: {', '.join(_kinds(artifacts))}"
    known = version("jsonschema")
    return programs.answer(f"{title} takes the objects", TOOL, known, found or None, looked_at)


def objections(name: str, artifact: Artifact) -> Iterator[str]:
    """What the schemas object to in the objects of a file, with the place."""
    for tree in _documents(artifact.text):
        kind = tree.get("kind") if isinstance(tree, Mapping) else None
        validator = _validators(name).get(str(kind))
        if validator is None:
            yield f"{artifact.path}: no object of a kind that is known here: {kind}"
            continue
        for error in validator.iter_errors(tree):
            yield f"{artifact.path}: {error.json_path}: {error.message}"


@cache
def schemas(name: str) -> Mapping[str, Mapping[str, Any]]:
    """The schemas by kind. They are ours, and hold what a policy uses of each kind; each names where it is told."""
    text = (files("halfopen_generators.breaker") / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    shared = found.pop("$defs", {})
    return {kind: {**schema, "$defs": shared} for kind, schema in found.items()}


@cache
def _validators(name: str) -> Mapping[str, Any]:
    import jsonschema  # noqa: PLC0415 - only checking pays for it

    return {kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas(name).items()}


def _documents(text: str) -> list[Any]:
    import yaml  # noqa: PLC0415 - as above

    # libyaml is ten times as fast as what is written in Python, and every wheel has it.
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _kinds(artifacts: tuple[Artifact, ...]) -> list[str]:
    return [str(tree["kind"]) for artifact in artifacts for tree in _documents(artifact.text)]
