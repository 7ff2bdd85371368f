"""Everything an API comes out as: the pages, the package, the service config, and the spec as checked."""

from __future__ import annotations

from halfopen.registry import Judged
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config, stubs
from halfopen_generators.grpc.checked_spec import checked_spec
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.pages import pages
from halfopen_generators.grpc.plan import Api


def render(api: Api, judged: Judged, options: GrpcOptions) -> tuple[Artifact, ...]:
    """Every file of the answer."""
    config = Artifact(path="service-config.json", media_type="application/json", text=service_config.spelled(api))
    spec = Artifact(path=f"{api.name}.grpc.yaml", media_type="application/yaml", text=checked_spec(api))
    files = (*judged.details, config, spec, *stubs.files(api, options.stubs))
    return (*pages(api, judged, [file.path for file in files]), *files)
