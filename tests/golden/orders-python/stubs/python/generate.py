"""Makes the messages of acme.orders.v1 into Python: python generate.py [FOLDER].

FOLDER is where the package lies; left out, it is the one beside the stubs.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).parent
OUT = HERE / "orders" / "pb"
# The three ways in which protoc imports what it makes: a package's module, all of a
# module's names, and a module outside of any package.
_IMPORT = re.compile(
    r"^(?P<head>from |import )"
    r"(?P<module>[\w.]+?)(?P<tail> import (?P<name>\w+_pb2)\b| import \*| as )",
    re.MULTILINE,
)


def main() -> int:
    """Run the compiler, and give its exit status."""
    protos = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "../../proto"
    roots = [protos, *(path for path in [HERE / "protos"] if path.is_dir())]
    files = [path.relative_to(root) for root in roots for path in root.rglob("*.proto")]
    known = find_spec("google.type")
    installed = known.submodule_search_locations if known else None
    places = [
        *roots,
        Path(grpc_tools.__file__).parent / "_proto",
        # Where google/type and google/rpc lie.
        *(Path(place).parents[1] for place in installed or ()),
    ]
    OUT.mkdir(exist_ok=True)
    arguments = [f"--proto_path={place}" for place in places]
    arguments += [f"--python_out={OUT}", f"--pyi_out={OUT}"]
    status = int(protoc.main(["protoc", *arguments, *sorted(map(str, files))]))
    for folder in (OUT, *(path for path in OUT.rglob("*") if path.is_dir())):
        if folder.name != "__pycache__":
            (folder / "__init__.py").touch()
    for path in (*OUT.rglob("*_pb2.py"), *OUT.rglob("*_pb2.pyi")):
        path.write_text(_relative(path), encoding="utf-8")
    return status


def _relative(path: Path) -> str:
    """The module's text, with imports that find the others wherever this package is."""
    up = "." * len(path.relative_to(OUT).parts)

    def moved(found: re.Match[str]) -> str:
        module, name = found["module"], found["name"]
        made = OUT.joinpath(*module.split("."), *([name] if name else []))
        if not made.with_name(f"{made.name}.py").is_file():
            return found[0]
        if found["head"] == "import ":
            return f"from {up} import {module}{found['tail']}"
        return f"from {up}{module}{found['tail']}"

    return _IMPORT.sub(moved, path.read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
