"""In which file each element stands, and what each file imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from halfopen.protobuf import field_type
from halfopen_generators.grpc import field_rules
from halfopen_generators.grpc.elements import comment_lines, phrase
from halfopen_generators.grpc.foreign import file_of, spelled
from halfopen_generators.grpc.plan import (
    EnumPlan,
    ExtensionPlan,
    FieldPlan,
    FilePlan,
    MessagePlan,
    ServicePlan,
    base_name,
)
from halfopen_generators.grpc.released import Extension, Previous, ReleasedFile
from halfopen_generators.grpc.types import WELL_KNOWN

HTTP_OPTION, OPERATION_OPTION = "(google.api.http)", "(google.longrunning.operation_info)"
# The files that define the options which we set ourselves.
_OPTION_FILES = {
    HTTP_OPTION: "google/api/annotations.proto",
    OPERATION_OPTION: "google/longrunning/operations.proto",
    field_rules.OPTION: field_rules.FILE,
}


@dataclass(frozen=True)
class Layout:
    """The files of a package: as it is released, and what is new in the first file that has services."""

    package: str
    base: Previous | None

    @property
    def main(self) -> str:
        """The file that takes what is in none yet."""
        if self.base is None:
            return "/".join([*self.package.split("."), f"{base_name(self.package)}.proto"])
        with_services = [file.name for file in self.base.descriptors if file.service]
        return (with_services or [file.name for file in self.base.files])[0]

    def files(
        self,
        services: Iterable[ServicePlan],
        own: dict[str, str],
        messages: Iterable[MessagePlan],
        enums: Iterable[EnumPlan],
    ) -> tuple[FilePlan, ...]:
        """The files, by name.

        Args:
            services: The services.
            own: The messages that belong to a service's rpcs, and the service of each.
            messages: All messages; those within others go where these go.
            enums: The same of enums.
        """
        service_files = {service.name: self._file(service.name, self.main) for service in services}
        places = {message.name: self._file(message.name, service_files.get(own.get(message.name, ""), self.main))
                  for message in messages if "." not in message.name}  # fmt: skip
        places |= {enum.name: self._file(enum.name, self.main) for enum in enums if "." not in enum.name}
        released = {file.name: file for file in self.base.files} if self.base else {}
        names = sorted({*released, *service_files.values(), *places.values()})
        contents = (
            _Contents(
                name,
                tuple(service for service in services if service_files[service.name] == name),
                tuple(message for message in messages if places[_outermost(message.name)] == name),
                tuple(enum for enum in enums if places[_outermost(enum.name)] == name),
            )
            for name in names
        )
        return tuple(self._plan(each, places, released.get(each.path)) for each in contents)

    def _file(self, element: str, otherwise: str) -> str:
        known = self.base.elements.get(element) if self.base else None
        return known.file if known else otherwise

    def _plan(self, contents: _Contents, places: dict[str, str], released: ReleasedFile | None) -> FilePlan:
        public = released.public if released else ()
        options = released.options if released else ()
        extensions = tuple(self._extensions(released.extensions if released else ()))
        types = {self._file_of_type(name, places) for name in contents.types()}
        types |= {file_of(name, self.base) for each in extensions for name in each.types}
        more = (option for each in extensions for part in each.fields for option in part.options)
        used = types | {self._file_of_option(option) for option in (*options, *contents.options(), *more)}
        return FilePlan(
            path=contents.path,
            options=options,
            imports=tuple(sorted(name for name in used - {None, contents.path} if name and name not in public)),
            public=public,
            extensions=extensions,
            services=contents.services,
            messages=contents.messages,
            enums=contents.enums,
        )

    def _extensions(self, released: Iterable[Extension]) -> Iterator[ExtensionPlan]:
        local = frozenset({*self.base.messages, *self.base.enums}) if self.base else frozenset()
        for extended, several in groupby(released, lambda each: each.extended):
            found = list(several)
            yield ExtensionPlan(
                extended=spelled(extended, self.package, "", local),
                fields=tuple(
                    FieldPlan(
                        name=each.name,
                        number=each.number,
                        asked=each.type,
                        type=f"{each.label} {self._spelled(each.type, local)}".strip(),
                        comment=comment_lines(each.element.comment) or (f"{phrase(each.name)}.",),
                        options=each.element.options,
                    )
                    for each in found
                ),
                types=(extended, *(each.type for each in found if "." in each.type)),
            )

    def _spelled(self, name: str, local: frozenset[str]) -> str:
        own = name.removeprefix(f"{self.package}.")
        return spelled(own if own in local else name, self.package, "", local)

    def _file_of_type(self, name: str, places: dict[str, str]) -> str | None:
        if name in WELL_KNOWN:
            return WELL_KNOWN[name][1]
        return places.get(_outermost(name)) or file_of(name, self.base)

    def _file_of_option(self, option: str) -> str | None:
        if not option.startswith("("):
            return None
        name = option[: option.index(")") + 1]
        # Those on fields go on: (buf.validate.field).string.min_len.
        known = self.base.option_files if self.base else {}
        return _OPTION_FILES.get(name) or known.get(name)


@dataclass(frozen=True)
class _Contents:
    path: str
    services: tuple[ServicePlan, ...]
    messages: tuple[MessagePlan, ...]
    enums: tuple[EnumPlan, ...]

    def types(self) -> Iterator[str]:
        for service in self.services:
            for rpc in service.methods:
                yield from (rpc.request, rpc.response)
        for message in self.messages:
            yield from (field_type(part.asked).name for part in message.fields)

    def options(self) -> Iterator[str]:
        for service in self.services:
            yield from service.options
            yield from (option for rpc in service.methods for option in rpc.options)
        for message in self.messages:
            yield from message.options
            yield from (option for part in message.fields for option in part.options)
            yield from (option for options in message.oneof_options.values() for option in options)
        for enum in self.enums:
            yield from enum.options
            yield from (option for value in enum.values for option in value.options)


def _outermost(name: str) -> str:
    return name.partition(".")[0]
