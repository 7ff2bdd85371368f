"""gRPC APIs: from a spec to a Protobuf package that compiles, lints and evolves, and to how it is called."""

from __future__ import annotations

from halfopen.progress import Progress
from halfopen.registry import Capability, FolderCheck, Judged
from halfopen.source import Source
from halfopen_generators.grpc.check import check
from halfopen_generators.grpc.design import design
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.render import render
from halfopen_generators.grpc.spec import GrpcSpec


def _judge_folder(folder: str, other: str | None, source: Source, progress: Progress) -> Judged:
    from halfopen_generators.grpc.folder_check import judge  # noqa: PLC0415 - what reads other people's files

    return judge(folder, other, source, progress)


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
    folder_check=FolderCheck(
        folder="Check the .proto files of this folder (or descriptor set, or COMMIT:FOLDER) instead of a SPEC.",
        other="Compare them with these: a folder, a descriptor set, or a commit, such as main, in which DIR is looked "
        "for.",
        judge=_judge_folder,
    ),
    file_suffixes=(".grpc.yaml", ".grpc.yml", ".grpc.json"),
)
