"""The whole answer: every file once, the same bytes each time, and a target that fits the style."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from halfopen.progress import Silent
from halfopen.registry import Judged, Options, capability
from halfopen.run import run
from halfopen.source import BadInput, Source, read_source, validate
from halfopen.vocabulary import Artifact, Report
from halfopen_generators.saga.design import design
from halfopen_generators.saga.options import SagaOptions, Target
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.render import TARGETS, render
from halfopen_generators.saga.scenario import Scenario, scenarios
from halfopen_generators.saga.spec import SagaSpec
from tests.golden_folder import GOLDEN, ROOT, by_hash_seed, kept

# The package has a function of that name.
rendering = importlib.import_module("halfopen_generators.saga.render")
EXAMPLES = {"orchestration": "checkout.saga.yaml", "choreography": "checkout-choreography.saga.yaml"}
PAGES = ("DESIGN.md", "adr/0001-checkout-saga.md", "checkout.saga.yaml")


def source(style: str) -> Source:
    # Named as a user in the checkout names it, so that no answer depends on where the checkout lies.
    name = EXAMPLES[style]
    found = read_source(ROOT / "examples" / name)
    return Source(found.data, f"examples/{name}", found.text, found.lines)


def designed(style: str) -> SagaDesign:
    found = source(style)
    return design(validate(SagaSpec, found), found, Options())


def report(style: str) -> Report:
    saga = capability("saga")
    return run(saga, source(style), saga.options(), Silent())


def answer(style: str) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in report(style).artifacts}


def pages_of(found: Report) -> dict[str, str]:
    """The pages, without the versions of the tools that happen to be installed."""
    texts = {artifact.path: artifact.text for artifact in found.artifacts if artifact.path in PAGES}
    for check in found.checks:
        texts["DESIGN.md"] = texts["DESIGN.md"].replace(f"{check.tool} {check.version}", f"{check.tool} (version)")
    return texts


@pytest.mark.parametrize("style", EXAMPLES)
def test_the_pages_of_the_example_are_the_golden_ones(style: str) -> None:
    """HALFOPEN_UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it."""
    folder = GOLDEN / Path(EXAMPLES[style]).name.removesuffix(".saga.yaml")
    found = pages_of(report(style))
    assert found == kept(folder, found)


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    assert by_hash_seed("tests.saga.test_render", "digest('orchestration')") == {digest("orchestration")}
    assert digest("orchestration")


def digest(style: str) -> str:
    return "\n".join(f"{path}\n{text}" for path, text in sorted(answer(style).items()))


def test_what_can_be_asked_for_can_be_rendered() -> None:
    assert tuple(TARGETS) == get_args(Target)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_gives_code_beside_the_pages(name: str) -> None:
    style = "orchestration" if TARGETS[name].orchestrated else "choreography"
    found = render(designed(style), Judged("Said."), SagaOptions(target=name))
    paths = [artifact.path for artifact in found]
    assert len(paths) == len(set(paths))
    assert set(PAGES) < set(paths)
    assert any(path.startswith("proto/") for path in paths)
    assert any(path.startswith("sql/") for path in paths)
    listed = next(artifact.text for artifact in found if artifact.path == "DESIGN.md").split("## Files")[1]
    tops = {path.split("/")[0] + "/" * ("/" in path) for path in paths if path != "DESIGN.md"}
    assert {line.split("`")[1] for line in listed.splitlines() if line} == tops


@pytest.mark.parametrize(("style", "first"), [("orchestration", "dbos"), ("choreography", "nats")])
def test_the_first_target_of_the_style_is_taken_where_none_is_asked_for(style: str, first: str) -> None:
    assert rendering.target(designed(style), None) == first


@pytest.mark.parametrize(
    ("style", "asked", "legal"), [("choreography", "dbos", "nats"), ("orchestration", "kafka", "dbos")]
)
def test_a_target_that_cannot_say_the_style_is_refused_with_those_that_can(style: str, asked: str, legal: str) -> None:
    with pytest.raises(BadInput, match=rf"{asked} does not run a saga by {style}\. Legal: {legal}, "):
        render(designed(style), Judged("Said."), SagaOptions(target=asked))


def test_counterexamples_reach_the_target_after_the_failure_table(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Scenario] = []

    def artifacts(saga: SagaDesign, runs: tuple[Scenario, ...]) -> tuple[Artifact, ...]:
        seen.extend(runs)
        return (Artifact(path=f"{saga.name}.py", media_type="text/x-python", text=""),)

    found = designed("orchestration")
    shown = Scenario("counterexample-1", "It came late.", (), None, "cancelled", (), (), breaks="SAG06")
    monkeypatch.setattr(rendering, "_module", lambda name: SimpleNamespace(name=name, artifacts=artifacts))
    rendered = render(found, Judged("Said.", details=(shown,)), SagaOptions(target="temporal"))
    assert tuple(seen) == (*scenarios(found), shown)
    assert "checkout.py" in {artifact.path for artifact in rendered}
