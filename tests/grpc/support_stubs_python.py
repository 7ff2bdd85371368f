"""Python stubs as a user has them: written, their messages made, and their modules imported."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.grpc.designs import answered

SPEC = """
package: acme.calls.v1
services:
  CallService:
    Get: {request: {name: string}, response: {text: string}, deadline: 6s, idempotency: no-side-effects}
    Charge: {request: {name: string}, response: {text: string}, deadline: 20s, idempotency: non-idempotent}
    Slow: {request: {}, response: {text: string}, deadline: 200ms, idempotency: non-idempotent}
    Place: {request: {name: string, request_id: string}, response: {text: string}, deadline: 6s,
            idempotency: idempotent}
    ListThings: {request: {}, response: {things: repeated string}, paginated: true, idempotency: no-side-effects}
    Watch: {kind: server-stream, request: {resume_token: string}, response: {event: Event}, deadline: 20s,
            idempotency: no-side-effects}
    WatchBriefly: {kind: server-stream, request: {resume_token: string}, response: {event: Event}, deadline: 200ms,
                   idempotency: no-side-effects}
    Add: {kind: client-stream, request: {number: int64}, response: {number: int64}, deadline: 20s}
    Double: {kind: bidi, request: {number: int64}, response: {number: int64}, deadline: 20s}
messages:
  Event: {number: int64, resume_token: string}
"""
STRANGE = r"""
package: types.v1
services:
  GateService:
    Import: {request: {from_id: string, class_name: string}, response: empty, idempotency: idempotent}
    Pb: {request: empty, response: empty}
    Float: {kind: client-stream, request: {x: string}, response: {ok: bool}}
    Chat: {kind: bidi, request: {x: string}, response: {y: string}, deadline: 1h}
    Tail: {kind: server-stream, request: Ask, response: empty}
    Handlers: {kind: server-stream, request: Ask, response: Told, idempotency: no-side-effects}
    ListThings: {request: {}, response: {things: repeated Thing}, paginated: true, idempotency: no-side-effects}
    ListThingsPages: {request: {}, response: {}, idempotency: no-side-effects}
    CreateThing: {request: {thing: Thing, request_id: optional string}, response: Thing, idempotency: idempotent,
                  deadline: 1ms}
    RemoveThing: {request: {idempotency_key: string}, response: empty, idempotency: idempotent}
  OtherGateServiceClientService:
    DoIt: {request: Ask, response: Thing}
messages:
  Thing: {name: string, price: money, mask: field_mask, oneof: {kind: {one: string, two: Ask}}}
  Ask: {cursor: Cursor, self: string}
  Cursor: {revision: optional int64}
  Told: {thing: Thing, cursor: Cursor, revision: int64}
comments:
  GateService: 'He said "so"'
  GateService.Import: "Ends in a quote, \"and a backslash\\ \"\"\"\nand a second line"
"""
BARE = """
package: acme.bare.v1
services: {PingService: {Ping: {request: empty, response: empty, idempotency: no-side-effects}}}
"""
# A package in two files that uses another one's, rules and HTTP paths.
TAKEN_OVER = """
package: acme.orders.v1
from_proto: .
services:
  OrderService:
    PutThing: {request: {name: {type: string, rules: {min_len: 1}}}, response: {}, http: {post: /v1/things, body: "*"}}
"""
RELEASED = {
    "acme/common/v1/page-ing.proto": """
        syntax = "proto3";
        package acme.common.v1;
        import "acme/common/v1/deep.proto";
        message Page {
          Deep deep = 1;
          message Inner { string x = 1; }
        }
    """,
    "acme/common/v1/deep.proto": 'syntax = "proto3"; package acme.common.v1; message Deep { int32 bool = 1; }',
    "acme/orders/v1/orders.proto": """
        syntax = "proto3";
        package acme.orders.v1;
        import "acme/common/v1/page-ing.proto";
        import "acme/orders/v1/things.proto";
        import "google/protobuf/empty.proto";
        import "google/type/date.proto";
        service OrderService {
          rpc GetThing(Thing.Key) returns (Thing) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc GetInner(google.type.Date) returns (acme.common.v1.Page.Inner);
          rpc PutPage(acme.common.v1.Page) returns (google.protobuf.Empty);
          rpc CreateThing(CreateThingRequest) returns (Thing) { option idempotency_level = IDEMPOTENT; }
        }
        message CreateThingRequest { string request_id = 1; acme.common.v1.Page page = 2; }
    """,
    "acme/orders/v1/things.proto": """
        syntax = "proto3";
        package acme.orders.v1;
        message Thing { message Key { string id = 1; } Key key = 1; }
        service OtherService { rpc Ping(Thing) returns (Thing); }
    """,
}
SPECS = {"calls": SPEC, "strange": STRANGE, "bare": BARE}
PACKAGES = {"calls": "calls", "strange": "api_types", "bare": "bare", "taken over": "orders"}
_numbers = count()


FILLED_IN = Path(__file__).with_name("stubs_python") / "services.py"


def taken_over(folder: Path) -> Path:
    """The project of the stubs for a package that is released in another folder."""
    for name, content in RELEASED.items():
        target = folder / "released" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    return written(TAKEN_OVER, folder / "design", folder / "released")


def written(spec: str | dict[str, Any], folder: Path, released: Path | None = None) -> Path:
    """The project of the stubs, its messages made; the proto tree lies beside it."""
    for artifact in answered(spec, released, stubs="python").artifacts:
        target = folder / artifact.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(artifact.text, encoding="utf-8")
    project = folder / "stubs" / "python"
    made = subprocess.run(
        [sys.executable, "generate.py"], cwd=project, capture_output=True, text=True, timeout=120, check=False
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    return project


class Stubs:
    """The package of a project, imported under a name of its own, so that a changed copy can stand beside it."""

    def __init__(self, project: Path, package: str) -> None:
        self.name = f"stubs_under_test_{next(_numbers)}"
        folder = project / package
        spec = importlib.util.spec_from_file_location(
            self.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        spec.loader.exec_module(module)

    def __getattr__(self, module: str) -> ModuleType:
        return importlib.import_module(f"{self.name}.{module}")


@asynccontextmanager
async def serving(stubs: Stubs, *services: Any) -> AsyncIterator[str]:
    """A server of those services, by its address."""
    server = stubs.server.Server(services)
    port = await server.start("127.0.0.1:0")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(notice=0, grace=0)
