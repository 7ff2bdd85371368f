"""The Go stubs, generated, vetted, run and called: by its own tests, and from Python."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from halfopen.checkers import programs
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.stubs.go import field_names
from tests.grpc.designs import designed, specs
from tests.grpc.stub_projects import (
    HERE,
    IMAGE,
    LIBRARY,
    ORDERS,
    STRANGE,
    buf,
    keeps_its_promises,
    ran,
    started,
    stub_files,
    tool,
    written,
)

pytestmark = pytest.mark.oracle

_GETTER = re.compile(r"^func \(x \*(\w+)\) Get(\w+)\(\)", re.MULTILINE)


def packages(folder: Path) -> list[str]:
    """The files that code is made for, below the folder of the package."""
    proto = folder.parents[1] / "proto"
    return sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))


def go() -> str:
    return tool("go", at_least=(1, 26), version="version")


@pytest.fixture(scope="module", params=[ORDERS, STRANGE, LIBRARY], ids=["orders", "strange", "library"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Api, Path]:
    """A project that has been generated, as its README says."""
    go()
    api, folder = written(request.param, "go", tmp_path_factory.mktemp("go"))
    # Of the strange package buf would have to fetch google.type.Money: it is given what protoc made.
    paths = [part for path in packages(folder) for part in ("--path", path)]
    source = [f"../../{IMAGE}", *paths] if request.param is STRANGE else []
    ran([buf(), "generate", *source], folder)
    return api, folder


def test_it_is_what_gofmt_and_vet_want(project: tuple[Api, Path]) -> None:
    _, folder = project
    assert ran([Path(go()).with_name("gofmt"), "-l", "."], folder) == ""
    ran([go(), "vet", "-mod=readonly", "./..."], folder)
    # What go.mod and go.sum say is all there is to say: tidying leaves both as they are.
    kept = {name: (folder / name).read_text() for name in ("go.mod", "go.sum")}
    ran([go(), "mod", "verify"], folder)
    ran([go(), "mod", "tidy"], folder)
    assert {name: (folder / name).read_text() for name in kept} == kept


def test_fields_are_called_what_the_generator_calls_them(project: tuple[Api, Path]) -> None:
    api, folder = project
    generated = [path.read_text("utf-8") for path in (folder / "gen").rglob("*.pb.go")]
    found = {getter for text in generated for getter in _GETTER.findall(text)}
    named = {
        (message.name.replace(".", "_"), name) for message in api.messages for name in field_names(message).values()
    }
    assert named
    assert named - found == set()


def test_its_server_answers(project: tuple[Api, Path], tmp_path: Path) -> None:
    api, folder = project
    ran([go(), "build", "-mod=readonly", "-o", "server.bin", "./cmd/server"], folder)
    command = [folder / "server.bin", "-address", "127.0.0.1:0"]
    with started(command, folder, tmp_path / "log") as (process, address):
        keeps_its_promises(process, address, api)


@settings(max_examples=10, deadline=None)
@given(specs())
def test_any_spec_gives_what_gofmt_would_write(spec: dict[str, Any]) -> None:
    gofmt = Path(go()).with_name("gofmt")
    with programs.written({file.path: file.text for file in stub_files(designed(spec), "go")}) as folder:
        assert ran([gofmt, "-l", "."], folder) == ""


@pytest.mark.parametrize("project", [ORDERS], indirect=True)
def test_what_the_example_promises_holds_over_a_channel(project: tuple[Api, Path]) -> None:
    _, folder = project
    shutil.copy(HERE / "go" / "behaviour_test.go", folder / "server")
    assert "ok " in ran([go(), "test", "-mod=readonly", "-count=1", "./server/"], folder)
