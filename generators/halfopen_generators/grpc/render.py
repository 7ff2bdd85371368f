"""Everything an API comes out as: the pages, the package, the service config, and the spec as checked."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.registry import Judged
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import pages, proto_file, stubs
from halfopen_generators.grpc.checked_spec import checked_spec
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.plan import Api


def of_design(api: Api, options: GrpcOptions) -> Iterator[Artifact]:
    """What neither the checks need nor their answers change: rendered while those are waited for."""
    yield Artifact(path=f"{api.name}.grpc.yaml", media_type="application/yaml", text=checked_spec(api))
    yield proto_file.buf_yaml(api)
    yield pages.api_page(api)
    yield from stubs.files(api, options.stubs)
    pages.get_ready()


def render(api: Api, judged: Judged, options: GrpcOptions) -> tuple[Artifact, ...]:
    """Every file of the answer."""
    del options  # what they ask for was made with the design
    files: tuple[Artifact, ...] = judged.details
    others = [file.path for file in files if file.path != pages.API]
    return (*pages.of_answers(api, judged, others), *files)
