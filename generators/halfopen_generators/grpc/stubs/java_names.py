"""Names as protoc and grpc-java give them, and how generated Java refers to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from halfopen_generators.grpc.plan import Api, FilePlan
from halfopen_generators.grpc.stubs.calls import EMPTY, spelled

# Names that stand for something else in the code: a generated class that is called so is written with its package.
_IMPORTED = re.compile(
    r"AtomicReference|Channel|Channels|CodedOutputStream|CompletableFuture|Duration|Empty|HexFormat|Iterator|"
    r"Kept|LinkedHashMap|Map|Message|MessageDigest|Metadata|Object|Pages|Recorded|Resumed|ServerCall|"
    r"ServerCallHandler|ServerCalls|ServerInterceptor|Status|StreamObserver|String|UUID"
)
_KEYWORDS = re.compile(
    r"abstract|assert|boolean|break|byte|case|catch|char|class|const|continue|default|do|double|else|enum|"
    r"extends|false|final|finally|float|for|goto|if|implements|import|instanceof|int|interface|long|native|"
    r"new|null|package|private|protected|public|return|short|static|strictfp|super|switch|synchronized|this|"
    r"throw|throws|transient|true|try|void|volatile|while"
)
# Fields whose getters protobuf's own classes have already.
_GETTERS = re.compile(
    r"AllFields|CachedSize|Class|DefaultInstanceForType|DescriptorForType|InitializationErrorString|"
    r"ParserForType|SerializedSize|UnknownFields"
)


@dataclass(frozen=True)
class JavaFile:
    """Where protoc puts what a file defines: into classes of a package, or all of it into one outer class."""

    package: str
    outer: str
    several: bool


class JavaTypes:
    """The classes of all files of an API, and how code refers to them."""

    def __init__(self, api: Api) -> None:
        self._files = {
            name: java_file(file, api.package)
            for file in api.files
            for name in (*(each.name for each in file.messages), *(each.name for each in file.services))
        }

    def reference(self, name: str) -> str:
        """A message as code refers to it that has the import."""
        if spelled(name) == EMPTY:
            return "Empty"
        where = self._files[name]
        written = name if where.several else f"{where.outer}.{name}"
        return f"{where.package}.{written}" if _IMPORTED.fullmatch(written.partition(".")[0]) else written

    def imports(self, names: Iterable[str]) -> list[str]:
        """The imports that references to these messages need."""
        found = set()
        for name in names:
            if spelled(name) == EMPTY:
                found.add("com.google.protobuf.Empty")
                continue
            where = self._files[name]
            top = name.partition(".")[0] if where.several else where.outer
            if not _IMPORTED.fullmatch(top):
                found.add(f"{where.package}.{top}")
        return sorted(found)

    def stub(self, service: str) -> str:
        """The full name of the class that grpc-java makes of a service."""
        return f"{self._files[service].package}.{service}Grpc"


def java_file(file: FilePlan, package: str) -> JavaFile:
    """Where the file's classes are, as its options or else its name say."""
    options = dict(text.partition(" = ")[::2] for text in file.options)
    name = capital(file.path.rpartition("/")[2].removesuffix(".proto"))
    own = {part for each in file.messages for part in each.name.split(".")}
    own |= {part for each in file.enums for part in each.name.split(".")} | {each.name for each in file.services}
    outer = json.loads(options["java_outer_classname"]) if "java_outer_classname" in options else ""
    return JavaFile(
        package=json.loads(options["java_package"]) if "java_package" in options else package,
        outer=outer or (f"{name}OuterClass" if name in own else name),
        several=options.get("java_multiple_files") == "true",
    )


def capital(name: str) -> str:
    """A name as protoc writes it behind `get` or in a class: capitals begin the words, also behind a digit."""
    text = ""
    begins = True
    for letter in name:
        if letter.isascii() and letter.isalpha():
            text += letter.upper() if begins else letter
            begins = False
        else:
            text += letter if letter.isdigit() else ""
            begins = True
    return f"{text}_" if _GETTERS.fullmatch(text) else text


def method_name(name: str) -> str:
    """An rpc's name as grpc-java has it: the first letter made small, and apart from Java's keywords."""
    found = name[:1].lower() + name[1:]
    return f"{found}_" if _KEYWORDS.fullmatch(found) else found
