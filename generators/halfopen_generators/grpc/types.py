"""The types that a field may have beside messages and enums, and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping

SCALARS = (
    "string", "bool", "bytes", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "float", "double",
)  # fmt: skip
# Well-known types: the word in a spec, Protobuf's name, and the file to import.
WELL_KNOWN: Mapping[str, tuple[str, str]] = {
    "timestamp": ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
    "duration": ("google.protobuf.Duration", "google/protobuf/duration.proto"),
    "field_mask": ("google.protobuf.FieldMask", "google/protobuf/field_mask.proto"),
    "any": ("google.protobuf.Any", "google/protobuf/any.proto"),
    "struct": ("google.protobuf.Struct", "google/protobuf/struct.proto"),
    "empty": ("google.protobuf.Empty", "google/protobuf/empty.proto"),
    "money": ("google.type.Money", "google/type/money.proto"),
}
WORDS = (*SCALARS, *WELL_KNOWN)
LEGAL = (*WORDS, "repeated TYPE", "optional TYPE", "map<KEY,TYPE>", "a message or an enum of the spec")
# Not in the Protobuf compiler: whoever builds what imports these needs the module of the Buf registry.
GOOGLEAPIS = "buf.build/googleapis/googleapis"
MODULES: Mapping[str, tuple[str, ...]] = {
    GOOGLEAPIS: ("google/api/", "google/cloud/", "google/iam/", "google/logging/", "google/longrunning/",
                 "google/rpc/", "google/type/"),
    "buf.build/bufbuild/protovalidate": ("buf/validate/",),
}  # fmt: skip
