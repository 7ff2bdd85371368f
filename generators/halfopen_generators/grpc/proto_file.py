"""The .proto files and the buf.yaml beside them."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.checkers import programs
from halfopen.checkers.proto_imports import imports as imports_of
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc.plan import PROTO_ROOT, Api
from halfopen_generators.grpc.proto_text import proto_text
from halfopen_generators.grpc.types import MODULES

LINT = ("STANDARD", "COMMENTS")
# What follows from `style: aip`: standard methods answer with the resource itself, or with nothing.
AIP_EXCEPTIONS = ("RPC_REQUEST_RESPONSE_UNIQUE", "RPC_RESPONSE_STANDARD_NAME")
_PROTO = "text/x-protobuf"


def artifacts(api: Api) -> Iterator[Artifact]:
    """The .proto files of the package, those of others that it imports, and buf.yaml."""
    yield from protos(api)
    yield buf_yaml(api)


def protos(api: Api) -> Iterator[Artifact]:
    """The same without buf.yaml: what is compiled."""
    head = f"{api.name}, as its spec has it. Change the spec, not this file."
    for file in api.files:
        text = proto_text(head, api.package, file)
        yield Artifact(path=f"{PROTO_ROOT}/{file.path}", media_type=_PROTO, text=text)
    for name, text in sorted(copies(api).items()):
        yield Artifact(path=f"{PROTO_ROOT}/{name}", media_type=_PROTO, text=text)


def buf_yaml(api: Api) -> Artifact:
    """How buf lints the package, compares it, and where it finds what the package imports."""
    imports = {name for file in api.files for name in (*file.imports, *file.public)} - copies(api).keys()
    text = (
        environment("halfopen_generators.grpc")
        .get_template("proto/buf.yaml.j2")
        .render(
            root=PROTO_ROOT,
            deps=[module for module, start in MODULES.items() if any(name.startswith(start) for name in imports)],
            excepted=excepted(api),
        )
    )
    return Artifact(path="buf.yaml", media_type="application/yaml", text=text)


def copies(api: Api) -> dict[str, str]:
    """The files of other packages that this one imports and that aren't to be had elsewhere, as they are."""
    texts = api.base.texts if api.base else {}
    own = {file.path for file in api.files}
    wanted = [name for file in api.files for name in (*file.imports, *file.public)]
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name in texts and name not in own and name not in found and not programs.is_known_proto(name):
            found[name] = texts[name]
            wanted.extend(each.name for each in imports_of(texts[name]))
    return found


def excepted(api: Api) -> tuple[str, ...]:
    """The lint rules that the package declares it doesn't follow."""
    return AIP_EXCEPTIONS if api.style == "aip" else ()
