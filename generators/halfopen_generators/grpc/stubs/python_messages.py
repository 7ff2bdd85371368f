"""Where protoc puts the messages of an API, and how modules import and name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from halfopen_generators.grpc.foreign import file_of
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.proto_file import copies
from halfopen_generators.grpc.types import WELL_KNOWN

# Files that no library of Python's brings, and that are made together with the package.
VALIDATE = "buf/validate/validate.proto"


@dataclass(frozen=True)
class Module:
    """What protoc makes of one file: the package that the module is in, its name, and what it is called here."""

    package: str
    name: str
    alias: str

    @property
    def line(self) -> str:
        """Its import."""
        return f"from {self.package} import {self.name} as {self.alias}"

    @property
    def ours(self) -> bool:
        """Whether it is made with the stubs; a library brings the others."""
        return self.package.startswith(".")


class Messages:
    """The modules of the messages that rpcs take and give."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made = {*(file.path for file in api.files), *copies(api)}
        self._files = {message.name: file.path for file in api.files for message in file.messages}
        self.with_services = [file.path for file in api.files if file.services]
        self._main = (self.with_services or [file.path for file in api.files])[0]

    def module(self, path: str) -> Module:
        """What protoc makes of the file of that path. The one with the first service is called pb."""
        dotted = f"{path.removesuffix('.proto').replace('-', '_').replace('/', '.')}_pb2"
        package, _, name = dotted.rpartition(".")
        alias = "pb" if path == self._main else f"pb_{dotted.removesuffix('_pb2').replace('.', '_')}"
        if path in self._made:
            package = f".pb.{package}" if package else ".pb"
        return Module(package, name, alias)

    def of(self, name: str) -> tuple[Module, str]:
        """The module of a request or response, and what it is called with the module's name before it."""
        if (path := self._files.get(name)) is not None:
            module = self.module(path)
            return module, f"{module.alias}.{name}"
        full = WELL_KNOWN[name][0] if name in WELL_KNOWN else name
        path = WELL_KNOWN[name][1] if name in WELL_KNOWN else file_of(full, self._api.base)
        if path is None:
            raise ValueError(f"no file defines {full}")
        module = self.module(path)
        # A package is in lower case, what stands in it is not.
        return module, ".".join([module.alias, *(part for part in full.split(".") if part[:1].isupper())])

    def own(self) -> dict[str, set[str]]:
        """What stands at the top of each module of the package itself, by the module's full name."""
        found: dict[str, set[str]] = {}
        for file in self._api.files:
            module = self.module(file.path)
            names = (*(message.name for message in file.messages), *(enum.name for enum in file.enums))
            tops = {name for name in names if "." not in name}
            found[f"{module.package}.{module.name}"] = {*tops, "DESCRIPTOR"}
        return found


def lines(modules: Iterable[Module], *, ours: bool) -> list[str]:
    """The imports of those that are ours, or of those that aren't, as the linter sorts them."""
    return list(dict.fromkeys(module.line for module in sorted(modules, key=_place) if module.ours == ours))


def _place(module: Module) -> tuple[str, str]:
    return module.package, module.name


def brought_along(api: Api) -> Iterator[str]:
    """Files that the package imports and that lie beside the stubs, for no library of Python's brings them."""
    if any(VALIDATE in (*file.imports, *file.public) for file in api.files):
        yield VALIDATE
