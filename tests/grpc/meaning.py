"""What descriptors mean, whatever the order in which their files say it, and in which file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from halfopen_generators.grpc.released import default_json_name


def meaning(image: bytes, package: str) -> dict[str, Any]:
    """Every element of the package by name, with all that is said of it but comments."""
    found: dict[str, Any] = {}
    for file in FileDescriptorSet.FromString(image).file:
        if file.package == package:
            found[f"file {file.name}"] = (file.syntax, options(file))
            for message in file.message_type:
                found |= dict(of_message(message, ""))
            for enum in file.enum_type:
                found |= dict(of_enum(enum, ""))
            for service in file.service:
                found |= dict(of_service(service))
    return found


def options(element: Any) -> bytes:
    return element.options.SerializeToString(deterministic=True)


def of_message(message: DescriptorProto, within: str) -> Iterator[tuple[str, Any]]:
    name = f"{within}{message.name}"
    reserved = sorted((span.start, span.end) for span in message.reserved_range), sorted(message.reserved_name)
    yield f"message {name}", (options(message), reserved)
    groups = {index: group.name for index, group in enumerate(message.oneof_decl)}
    for part in message.field:
        group = groups[part.oneof_index] if part.HasField("oneof_index") and not part.proto3_optional else None
        json_name = part.json_name or default_json_name(part.name)
        yield f"field {name}.{part.name}", (
            part.number, part.type, part.type_name, part.label, group, part.proto3_optional, json_name, options(part),
        )  # fmt: skip
    for group in message.oneof_decl:
        if not group.name.startswith("_"):
            yield f"oneof {name}.{group.name}", options(group)
    for inner in message.nested_type:
        yield from of_message(inner, f"{name}.")
    for enum in message.enum_type:
        yield from of_enum(enum, f"{name}.")


def of_enum(enum: EnumDescriptorProto, within: str) -> Iterator[tuple[str, Any]]:
    name = f"{within}{enum.name}"
    reserved = sorted((span.start, span.end) for span in enum.reserved_range), sorted(enum.reserved_name)
    yield f"enum {name}", (options(enum), reserved)
    for value in enum.value:
        yield f"value {name}.{value.name}", (value.number, options(value))


def of_service(service: ServiceDescriptorProto) -> Iterator[tuple[str, Any]]:
    yield f"service {service.name}", options(service)
    for method in service.method:
        yield f"rpc {service.name}.{method.name}", (
            method.input_type, method.output_type, method.client_streaming, method.server_streaming, options(method),
        )  # fmt: skip
