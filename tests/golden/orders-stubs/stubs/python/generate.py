"""Makes the messages of acme.orders.v1 into Python: python generate.py [FOLDER].

FOLDER is where the package lies; left out, it is the one beside the stubs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).parent
PROTO = "acme/orders/v1/orders.proto"


def main() -> int:
    """Run the compiler, and give its exit status."""
    protos = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "../../proto"
    out = HERE / "orders" / "pb"
    out.mkdir(exist_ok=True)
    known = find_spec("google.type")
    installed = known.submodule_search_locations if known else None
    places = [
        protos,
        Path(grpc_tools.__file__).parent / "_proto",
        # Where google/type and google/rpc lie.
        *(Path(place).parents[1] for place in installed or ()),
    ]
    arguments = [f"--proto_path={place}" for place in places]
    arguments += [f"--python_out={out}", f"--pyi_out={out}", PROTO]
    status = int(protoc.main(["protoc", *arguments]))
    for folder in (out, *(path for path in out.rglob("*") if path.is_dir())):
        if folder.name != "__pycache__":
            (folder / "__init__.py").touch()
    return status


if __name__ == "__main__":
    sys.exit(main())
