"""The text of Python stubs: the golden project, names that hold whatever a spec says, nothing for linters to say."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import BadInput
from halfopen.vocabulary import Artifact, Check, Report, ReportOutcome, Status
from halfopen_generators.grpc import stubs
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.stubs import compiled
from halfopen_generators.grpc.stubs.python_messages import Messages
from tests.golden_folder import GOLDEN, ROOT, by_hash_seed, kept
from tests.grpc.designs import answered, designed, specs, text
from tests.grpc.support_stubs_python import PACKAGES, SPECS, Stubs, taken_over, written
from tests.grpc.test_render import source
from tests.oracles import require


@cache
def orders() -> Report:
    return run(capability("grpc"), source(), GrpcOptions(stubs="python"), Silent())


def code(found: Report) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in found.artifacts if artifact.path.startswith("stubs/")}


def compiles(found: Report) -> Check:
    (check,) = (check for check in found.checks if check.name == compiled.NAME)
    return check


def test_the_stubs_of_the_example_are_the_golden_ones() -> None:
    """HALFOPEN_UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it."""
    answer = orders()
    assert (answer.outcome, answer.findings) == (ReportOutcome.PASS, ())
    found = code(answer)
    assert found == kept(GOLDEN / "orders-python", found)


def test_who_asks_for_no_stubs_gets_none_and_all_else_is_the_same() -> None:
    without = run(capability("grpc"), source(), GrpcOptions(), Silent())
    assert code(without) == {}
    assert [check.name for check in without.checks] == [
        check.name for check in orders().checks if check != compiles(orders())
    ]
    same = {artifact.path: artifact.text for artifact in without.artifacts if artifact.path != "DESIGN.md"}
    assert {artifact.path: artifact.text for artifact in orders().artifacts if artifact.path in same} == same


def test_the_design_page_names_the_folder_and_no_file_in_it() -> None:
    files = text(orders(), "DESIGN.md").partition("## Files")[2]
    (line,) = (line for line in files.splitlines() if "stubs" in line)
    assert line.startswith("- `stubs/python/` a server to fill in and a client")


def test_another_hash_seed_gives_the_same_bytes() -> None:
    assert by_hash_seed("tests.grpc.test_stubs_python", "digest()") == {digest()}


def digest() -> str:
    found = (artifact for spec in SPECS.values() for artifact in stubs.files(designed(spec), "python"))
    return "\n".join(f"{artifact.path}\n{artifact.text}" for artifact in found)


def test_what_the_design_decided_is_what_the_client_does() -> None:
    found = code(orders())
    config = json.loads(found["stubs/python/orders/service_config.json"])
    designed_config = json.loads(text(orders(), "service-config.json"))
    # The client sets the deadlines itself; all else is the channel's.
    timeouts = [method.pop("timeout") for method in designed_config["methodConfig"]]
    assert config == designed_config
    client = found["stubs/python/orders/client.py"]
    for seconds in timeouts:
        assert f"timeout=deadlines.shortest({float(seconds[:-1])}, timeout)," in client


def test_what_is_not_kept_is_told() -> None:
    readme = text(answered(SPECS["strange"], stubs="python"), "stubs/python/README.md")
    told = readme.partition("## What is not done for you")[2]
    assert "GateService.Import is idempotent, and its request has no id that is a string" in told
    assert "Nothing of the design is left out." in code(orders())["stubs/python/README.md"]


def test_messages_of_several_files_and_packages_are_imported_from_where_they_are(tmp_path: Path) -> None:
    made = Stubs(taken_over(tmp_path), "orders")
    client = made.client
    assert sorted(made.contract.SERVICES) == ["acme.orders.v1.OrderService", "acme.orders.v1.OtherService"]
    assert sorted(made.contract.REMEMBERED) == ["/acme.orders.v1.OrderService/CreateThing"]
    things = client.pb_acme_orders_v1_things
    assert things.Thing(key=things.Thing.Key(id="7")).key.id == "7"
    assert client.pb_acme_common_v1_page_ing.Page.Inner(x="y").x == "y"
    assert client.pb_google_type_date.Date(year=2026).year == 2026
    # What protoc wrote finds the others in this package, and not at the top of the path.
    assert client.pb_acme_common_v1_page_ing.__name__.startswith(made.name)


# ---- the check -----------------------------------------------------------------------------------------------


def test_the_report_says_what_compiled_the_stubs() -> None:
    found = compiles(orders())
    assert (found.status, found.tool, found.version) == (
        Status.PASSED,
        "python",
        ".".join(map(str, sys.version_info[:3])),
    )
    assert found.detail.startswith("12 files: ")


@pytest.mark.parametrize("language", ["go", "java", "typescript"])
def test_what_is_not_compiled_here_is_said(language: Any) -> None:
    found = compiled.check(designed(SPECS["bare"]), language)
    assert (found.status, found.version) == (Status.SKIPPED, "none")
    assert found.detail.startswith(f"not compiled here. In stubs/{language}: ")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("client.py", "class ", "class class ", "orders/client.py:42: invalid syntax"),
        ("server.py", "    told = ", "    return\n  told = ", "unindent does not match"),
        ("server.py", "import Servable", "import Servible", "skeleton has no Servible"),
        ("server.py", "from .tracing", "from .trace", "there is no module trace"),
        ("client.py", "deadlines.shortest(", "deadlines.least(", "deadlines has no least"),
        ("skeleton.py", "pb.GetOrderResponse:", "pb.GetOrderAnswer:", "pb has no GetOrderAnswer"),
    ],
)
def test_stubs_that_do_not_compile_are_seen(file: str, old: str, new: str, said: str) -> None:
    def mutant(artifact: Artifact) -> Artifact:
        if not artifact.path.endswith(file):
            return artifact
        assert old in artifact.text
        return artifact.model_copy(update={"text": artifact.text.replace(old, new, 1)})

    api = designed((ROOT / "examples/orders.grpc.yaml").read_text("utf-8"))
    files = [artifact for artifact in stubs.files(api, "python") if artifact.path.endswith(".py")]
    messages = Messages(api).own()
    assert list(compiled.objections(files, messages)) == []
    told = "\n".join(compiled.objections([mutant(artifact) for artifact in files], messages))
    assert said in told


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs())
def test_whatever_a_spec_says_its_stubs_compile(spec: dict[str, Any]) -> None:
    try:
        api = designed(spec)
    except BadInput:
        assume(False)  # noqa: FBT003 - hypothesis' own way to say so
        raise
    assert compiled.check(api, "python").status is Status.PASSED


# ---- what the field's own tools say --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("projects")
    made = {name: written(spec, root / name) for name, spec in SPECS.items()}
    return {**made, "taken over": taken_over(root / "taken over")}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> str:
    # What mypy learns of the libraries serves all projects.
    return str(tmp_path_factory.mktemp("mypy"))


def said_by(tool: str, *arguments: str, folder: Path) -> str:
    """What the tool has to say: nothing, if it found nothing."""
    require(tool, available=importlib.util.find_spec(tool) is not None, how_to_get=f"install {tool} from PyPI")
    command = [sys.executable, "-m", tool, *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
    return process.stdout + process.stderr if process.returncode else ""


def objections(folder: Path, known: str) -> dict[str, str]:
    told = {
        "format": said_by("ruff", "format", "--no-cache", "--diff", ".", folder=folder),
        "check": said_by("ruff", "check", "--no-cache", ".", folder=folder),
        "types": said_by("mypy", "--strict", "--cache-dir", known, ".", folder=folder),
    }
    return {what: answer for what, answer in told.items() if answer}


@pytest.mark.oracle
@pytest.mark.parametrize("name", PACKAGES)
def test_linter_formatter_and_type_checker_have_nothing_to_say(
    projects: dict[str, Path], known: str, name: str
) -> None:
    assert (projects[name] / PACKAGES[name] / "server.py").is_file()
    assert objections(projects[name], known) == {}


@pytest.mark.oracle
def test_a_method_that_is_filled_in_wrongly_is_seen_by_the_type_checker(projects: dict[str, Path], known: str) -> None:
    folder = projects["bare"]
    services = folder / "bare" / "services.py"
    before = services.read_text("utf-8")
    wrong = "    async def ping(self, request: str, context: skeleton.Context) -> int:\n        return 1\n"
    services.write_text(before.replace('service."""\n', f'service."""\n\n{wrong}', 1), encoding="utf-8")
    try:
        assert "incompatible with supertype" in said_by("mypy", "--strict", "--cache-dir", known, ".", folder=folder)
    finally:
        services.write_text(before, encoding="utf-8")


@pytest.mark.oracle
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(specs())
def test_they_have_nothing_to_say_whatever_a_spec_says(
    tmp_path_factory: pytest.TempPathFactory, known: str, spec: dict[str, Any]
) -> None:
    try:
        project = written(spec, tmp_path_factory.mktemp("any"))
    except BadInput:
        assume(False)  # noqa: FBT003 - as above
        raise
    assert objections(project, known) == {}
