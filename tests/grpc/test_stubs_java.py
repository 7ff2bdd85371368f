"""The Java stubs, generated, compiled without a warning, run and called: by their own tests, and from Python."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.stubs.java_names import capital
from tests.grpc.designs import ROOT
from tests.grpc.stub_projects import (
    CACHE,
    HERE,
    INSTALL,
    LIBRARY,
    ORDERS,
    STRANGE,
    keeps_its_promises,
    ran,
    started,
    tool,
    written,
)
from tests.oracles import require

pytestmark = pytest.mark.oracle

GOLDEN = ROOT / "tests" / "golden" / "orders-java" / "stubs" / "java" / "pom.xml"
FETCHED = CACHE / "java"
# For a JVM that runs for seconds only.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# 128 and the signal's number: the JVM ends so, however orderly it was.
STOPPED = 143


@pytest.fixture(scope="module", params=[ORDERS, STRANGE, LIBRARY], ids=["orders", "strange", "library"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Api, Path]:
    """A project that has been built as its README says, with nothing from the network."""
    tool("javac", at_least=(17, 0), version="-version")
    maven = tool("mvn", at_least=(3, 9), version="--version")
    asked = FETCHED / "stubs" / "java" / "pom.xml"
    there = asked.is_file() and asked.read_text("utf-8") == GOLDEN.read_text("utf-8")
    require("what Maven fetches for the stubs", available=there, how_to_get=INSTALL)
    api, folder = written(request.param, "java", tmp_path_factory.mktemp("java"))
    if request.param is ORDERS:
        shutil.copy(HERE / "java" / "Behaviour.java", folder / "src/main/java/com/example/ordersapi/server")
    command = [maven, "--offline", "--batch-mode", "compile", "dependency:copy-dependencies"]
    told = ran(command, folder, {"MAVEN_OPTS": BRIEF})
    assert [line for line in told.splitlines() if "WARNING" in line and "/src/main/java/" in line] == []
    return api, folder


def java(folder: Path, main: str, *arguments: str) -> list[str | Path]:
    package = "com.example." + next((folder / "src/main/java/com/example").iterdir()).name
    class_path = "target/classes:target/lib/*"
    return [
        tool("java", at_least=(17, 0), version="-version"),
        "-cp",
        class_path,
        f"{package}.server.{main}",
        *arguments,
    ]


def test_its_server_answers(project: tuple[Api, Path], tmp_path: Path) -> None:
    api, folder = project
    with started(java(folder, "Main", "127.0.0.1:0"), folder, tmp_path / "log") as (process, address):
        keeps_its_promises(process, address, api, ends_with=STOPPED)


def test_fields_are_called_what_the_generator_calls_them(project: tuple[Api, Path]) -> None:
    api, folder = project
    generated = [path.read_text("utf-8") for path in (folder / "target/generated-sources/protobuf").rglob("*.java")]
    getters = {getter for text in generated for getter in re.findall(r"\bget(\w+)\(", text)}
    named = {capital(field.name) for message in api.messages for field in message.fields}
    assert named
    # Of a list or a map the names have endings.
    assert {name for name in named if not {name, f"{name}List", f"{name}Map"} & getters} == set()


@pytest.mark.parametrize("project", [ORDERS], indirect=True)
def test_what_the_example_promises_holds_over_a_channel(project: tuple[Api, Path]) -> None:
    _, folder = project
    assert "all of it holds" in ran(java(folder, "Behaviour"), folder)
