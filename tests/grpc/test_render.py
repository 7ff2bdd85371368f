"""The whole answer: the pages of the example, every file once, and the same bytes each time."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import pytest

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source, read_source
from halfopen.vocabulary import Report, ReportOutcome
from halfopen_generators.grpc.options import GrpcOptions
from tests.golden_folder import GOLDEN, ROOT, by_hash_seed, kept
from tests.oracles import require

EXAMPLE = "examples/orders.grpc.yaml"


def source() -> Source:
    # Named as a user in the checkout names it, so that no answer depends on where the checkout lies.
    return replace(read_source(ROOT / EXAMPLE), file=EXAMPLE)


def report() -> Report:
    return run(capability("grpc"), source(), GrpcOptions(), Silent())


def texts(found: Report) -> dict[str, str]:
    """The files, without the versions of the tools that happen to be installed."""
    known = {artifact.path: artifact.text for artifact in found.artifacts}
    for check in found.checks:
        known["DESIGN.md"] = known["DESIGN.md"].replace(f"{check.tool} {check.version}", f"{check.tool} (version)")
    return known


def test_the_answer_to_the_example_is_the_golden_one() -> None:
    """HALFOPEN_UPDATE_GOLDEN=1 writes it anew; read the difference before you commit it."""
    answer = report()
    assert (answer.outcome, answer.findings) == (ReportOutcome.PASS, ())
    found = texts(answer)
    assert found == kept(GOLDEN / "orders", found)


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    assert by_hash_seed("tests.grpc.test_render", "digest()") == {digest()}
    assert digest()


def digest() -> str:
    return "\n".join(f"{artifact.path}\n{artifact.text}" for artifact in report().artifacts)


def test_the_service_config_says_how_each_rpc_is_called() -> None:
    config = json.loads(texts(report())["service-config.json"])
    timeouts = {each["name"][0]["method"]: each["timeout"] for each in config["methodConfig"]}
    assert timeouts == {"GetOrder": "0.300000000s", "PlaceOrder": "2s", "ListOrders": "1s", "WatchOrder": "30s"}
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert config["healthCheckConfig"] == {"serviceName": "acme.orders.v1.OrderService"}
    assert config["methodConfig"][0]["retryPolicy"] == {
        "maxAttempts": 3,
        "initialBackoff": "0.030000000s",
        "maxBackoff": "0.300000000s",
        "backoffMultiplier": 2.0,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }


def test_every_decision_has_a_reason_and_what_it_was_taken_instead_of() -> None:
    decisions = report().decisions
    assert len(decisions) > 10
    assert all(each.because and each.choice and each.law for each in decisions)
    assert [each.about for each in decisions if not each.instead_of] == []
    assert len({each.about for each in decisions}) == len(decisions)


@pytest.mark.oracle
def test_the_picture_of_the_api_page_is_mermaid() -> None:
    require("mermaidx", available=importlib.util.find_spec("mermaidx") is not None, how_to_get="pip install mermaidx")
    import mermaidx

    (diagram,) = (part.split("```")[0] for part in texts(report())["API.md"].split("```mermaid\n")[1:])
    assert "<svg" in mermaidx.render(diagram).svg()
