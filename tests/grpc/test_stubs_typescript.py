"""The TypeScript stubs, generated, compiled under strict rules, run and called: by their own tests, and from Python."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.stubs.typescript import camel
from tests.grpc.designs import ROOT, designed
from tests.grpc.stub_projects import (
    CACHE,
    HERE,
    IMAGE,
    INSTALL,
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
from tests.oracles import require

INSTALLED = CACHE / "typescript"


def node() -> str:
    return tool("node", at_least=(20, 11), version="--version")


def packages(folder: Path) -> Any:
    """What the project in that folder depends on; None if there is none."""
    file = folder / "package.json"
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return known.get("dependencies"), known.get("devDependencies")


@pytest.fixture(scope="module", params=[ORDERS, STRANGE, LIBRARY], ids=["orders", "strange", "library"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Api, Path]:
    """A project that has been generated, as its README says, and compiled."""
    api, folder = written(request.param, "typescript", tmp_path_factory.mktemp("typescript"))
    there = packages(INSTALLED) == packages(folder) and (INSTALLED / "node_modules").is_dir()
    require("the npm packages of the stubs", available=there, how_to_get=INSTALL)
    (folder / "node_modules").symlink_to(INSTALLED / "node_modules")
    # Of the strange package buf would have to fetch google.type.Money: it is given what protoc made.
    source = [f"../../{IMAGE}"] if request.param is STRANGE else []
    ran([buf(), "generate", *source], folder)
    ran([buf(), "build", *(source or ["../.."]), "--as-file-descriptor-set", "-o", "protoset.binpb"], folder)
    compiled(folder)
    return api, folder


def compiled(folder: Path) -> None:
    ran([node(), "node_modules/typescript/bin/tsc"], folder)


@pytest.mark.oracle
def test_its_server_answers(project: tuple[Api, Path], tmp_path: Path) -> None:
    api, folder = project
    command = [node(), "dist/server/main.js", "--address", "127.0.0.1:0"]
    with started(command, folder, tmp_path / "log") as (process, address):
        keeps_its_promises(process, address, api)


@pytest.mark.oracle
def test_fields_are_called_what_the_generator_calls_them(project: tuple[Api, Path]) -> None:
    api, folder = project
    made = [(folder / "src" / "gen" / file.path).with_suffix(".ts").read_text("utf-8") for file in api.files]
    generated = "\n".join(made)
    bodies = re.findall(r"^export interface (\w+) \{\n(.*?)^\}", generated, re.MULTILINE | re.DOTALL)
    interfaces = {name: set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)) for name, body in bodies}
    named = {message.name.replace(".", "_"): {camel(field.name) for field in message.fields if field.oneof is None}
             for message in api.messages}  # fmt: skip
    assert named
    assert {name: fields - interfaces[name] for name, fields in named.items()} == {name: set() for name in named}


@pytest.mark.oracle
@pytest.mark.parametrize("project", [ORDERS], indirect=True)
def test_what_the_example_promises_holds_over_a_channel(project: tuple[Api, Path]) -> None:
    _, folder = project
    shutil.copy(HERE / "typescript" / "behaviour.test.ts", folder / "src")
    compiled(folder)
    ran([node(), "--test", "dist/behaviour.test.js"], folder)


def test_the_service_config_is_the_same_and_has_nine_digits_for_grpc_js() -> None:
    (config,) = (file.text for file in stub_files(designed(ORDERS.read_text("utf-8")), "typescript")
                 if file.path.endswith("service-config.ts"))  # fmt: skip
    assert re.findall(r'"timeout": "([^"]+)"', config) == ["0.300000000s", "2s", "1s", "30s"]
    kept = (ROOT / "tests/golden/orders/service-config.json").read_text("utf-8")
    assert config[config.index("{") : config.rindex("}") + 1] == kept.strip()
