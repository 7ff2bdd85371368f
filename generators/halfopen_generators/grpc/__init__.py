"""gRPC APIs: from a spec to a Protobuf package that compiles, lints and evolves, and to how it is called."""

from __future__ import annotations

from halfopen.registry import Capability
from halfopen_generators.grpc.check import check
from halfopen_generators.grpc.design import design
from halfopen_generators.grpc.folder_check import FOLDER_CHECK
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.render import render
from halfopen_generators.grpc.spec import GrpcSpec

capability = Capability(
    name="grpc",
    title="Design a gRPC API",
    summary="Design a Protobuf package with its deadlines, retries and errors, lint it, and compare it with what is "
    "released.",
    tool="design_grpc",
    spec=GrpcSpec,
    options=GrpcOptions,
    design=design,
    decisions=lambda api: api.decisions,
    check=check,
    render=render,
    paths=("from_openapi", "from_proto", "previous"),
    folder_check=FOLDER_CHECK,
    file_suffixes=(".grpc.yaml", ".grpc.yml", ".grpc.json"),
)
