"""What Istio's own webhook, the Gateway API's and Consul's own types say of what is spelled for them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan
from halfopen_generators.breaker.spec import Stack
from tests.breaker.plans import KNOWN, RETRY, TIMEOUT, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}

PLANS = [
    call(),
    call().only(frozenset()),
    call().only(frozenset({"retry"})),
    call().only(frozenset({"breaker", "timeout"})),
    call(retry=replace(RETRY, attempts=5, budget=0.125, on=("unreached",)), bulkhead=None),
    call(
        timeout=replace(TIMEOUT, per_try=0.12345, overall=3_600), breaker=BreakerPlan("count", 9, 9, 1, 1, 1, 0.001, 1)
    ),
    call(known=replace(KNOWN, hosts=200, rate=1, error_rate=1)),
    replace(call(), caller="Check_Out", dependency="Pay_Ment.shop"),
]


def program(name: str, folder: Path) -> Path:
    """That vendor's rules as a program, compiled from its own module."""
    require("go", available=shutil.which("go") is not None, how_to_get="install Go from https://go.dev")
    source = Path(__file__).parent / "vendors" / name
    made = folder / name
    subprocess.run(["go", "build", "-mod=readonly", "-o", str(made), "."], cwd=source, check=True, timeout=580)
    return made


@pytest.fixture(scope="module")
def istio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program("istio", tmp_path_factory.mktemp("istio"))


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program("consul", tmp_path_factory.mktemp("consul"))


def asked(made: Path, tree: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([made], input=json.dumps(tree), capture_output=True, text=True, timeout=60, check=False)


def objects(stack: Stack, plan: CallPlan) -> list[dict[str, Any]]:
    return [tree for artifact in dialect(stack).says(plan) for tree in yaml.safe_load_all(artifact.text)]


@pytest.mark.parametrize("plan", PLANS)
def test_istio_takes_its_objects(istio: Path, plan: CallPlan) -> None:
    found = objects("istio", plan)
    assert [tree["kind"] for tree in found] == ["VirtualService", "DestinationRule"]
    assert [asked(istio, tree).stderr for tree in found] == ["", ""]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("retries", "attempts"), 0, "attempts are set to 0"),
        (("retries", "perTryTimeout"), "0.0005s", "duration must be greater than 1ms"),
        (("retries", "retryOn"), "sometimes", "not a valid retryOn policy"),
        (("retries", "perTryTimeOut"), "1s", "unknown field"),
    ],
)
def test_istio_refuses_what_the_schema_refuses(istio: Path, place: tuple[str, str], value: Any, said: str) -> None:
    tree = objects("istio", call())[0]
    tree["spec"]["http"][0][place[0]][place[1]] = value
    assert said in asked(istio, tree).stderr


@pytest.mark.parametrize("plan", PLANS)
def test_the_gateway_api_takes_linkerds_routes(istio: Path, plan: CallPlan) -> None:
    found = [tree for tree in objects("linkerd", plan) if tree["kind"] == "HTTPRoute"]
    assert [asked(istio, tree).stderr for tree in found] == ["", ""]
    found[0]["spec"]["rules"][0]["match"] = []
    assert "unknown field" in asked(istio, found[0]).stderr


def entry(tree: dict[str, Any]) -> dict[str, Any]:
    """Consul's own form of what Kubernetes has as an object."""
    kinds = {"ServiceRouter": "service-router", "ServiceDefaults": "service-defaults"}
    return {"Kind": kinds[tree["kind"]], "Name": tree["metadata"]["name"], **tree["spec"]}


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key.lower()))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, (*path, str(index)))
    else:
        yield path, tree


def lost(consul: Path, tree: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """What of it Consul's own types don't hold, or hold otherwise."""
    ran = asked(consul, entry(tree))
    assert ran.returncode == 0, ran.stderr
    kept = dict(leaves(json.loads(ran.stdout)))
    return {path: value for path, value in leaves(entry(tree)) if not _same(value, kept.get(path))}


def _same(ours: Any, theirs: Any) -> bool:
    """Go writes 0.9s as 900ms, or as a number of nanoseconds."""
    return ours == theirs or (_nanoseconds(ours) is not None and _nanoseconds(ours) == _nanoseconds(theirs))


def _nanoseconds(value: Any) -> float | None:
    if isinstance(value, int):
        return value
    parts = _PART.findall(str(value))
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    whole = "".join(number + unit for number, unit in parts)
    return round(-total if str(value).startswith("-") else total) if whole == str(value).lstrip("-") else None


@pytest.mark.parametrize("plan", PLANS)
def test_consul_keeps_all_of_its_entries(consul: Path, plan: CallPlan) -> None:
    found = objects("consul", plan)
    assert [tree["kind"] for tree in found] == ["ServiceRouter", "ServiceDefaults"]
    assert [lost(consul, tree) for tree in found] == [{}, {}]


def test_what_consul_does_not_know_is_lost(consul: Path) -> None:
    tree = objects("consul", call())[0]
    tree["spec"]["routes"][0]["destination"]["perTryTimeout"] = "1s"
    assert list(lost(consul, tree).values()) == ["1s"]
