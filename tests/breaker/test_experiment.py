"""The experiment expects what was simulated, with room, and its script does what the page says: node runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from halfopen_generators.breaker.experiment import CHAOS, ISTIO, PAGE, SCRIPT, artifacts
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Study
from tests.breaker.designed import ALL, PAYMENT, changed, policy, studied
from tests.golden_folder import by_hash_seed
from tests.oracles import require


def written(text: str, study: Study | None) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in artifacts(policy(text), study)}


def figures(text: str, study: Study | None) -> dict[str, Any]:
    """What the script computes with."""
    found: dict[str, Any] = json.loads(written(text, study)[SCRIPT].split("const design = ")[1].split(";\n")[0])
    return found


def table(page: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in rows[2:]}


def test_there_is_a_fault_for_each_way_to_put_one_in() -> None:
    assert set(written(PAYMENT, None)) == {PAGE, SCRIPT, ISTIO, CHAOS}
    assert set(written(changed(PAYMENT, stacks=["linkerd"]), None)) == {PAGE, SCRIPT, CHAOS}
    alone = written(changed(PAYMENT, stacks=["polly"]), None)
    assert set(alone) == {PAGE, SCRIPT}
    assert "kubectl" not in alone[PAGE]


def test_the_load_is_the_specs() -> None:
    found = figures(PAYMENT, studied(PAYMENT))
    assert found["each"] * found["instances"] == pytest.approx(200)
    assert found["deadline"] == 2
    assert (found["during"], found["after"]) == (20, 35)


def test_what_is_expected_is_what_was_simulated_with_room() -> None:
    study = studied(PAYMENT)
    cell, found = study.cells["outage", DESIGN], figures(PAYMENT, study)
    worst = max(cell.seen(lambda one: one.opened))
    assert worst * 1.5 <= found["opens"] <= worst * 1.7
    assert found["recovers"] >= 1.5 * max(cell.seen(lambda one: one.recovered))
    rows = table(written(PAYMENT, study)[PAGE])
    assert rows["Opens after"][1] == f"at most {found['opens']:g}s"
    assert rows["99 of 100 callers know within"][1] == "2s"
    assert rows["Answered well before the fault"][1] == "more than 98.5%"
    low, high = (float(number) for number in rows["Opens after"][0].removesuffix(" s").split(" to "))
    assert low <= min(cell.seen(lambda one: one.opened)) + 0.1
    assert high >= worst - 0.1


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_not_simulated_is_not_expected(*, cut: bool) -> None:
    study = replace(studied(PAYMENT), cells={}) if cut else None
    found = figures(PAYMENT, study)
    assert found["opens"] is None
    assert found["recovers"] is None
    page = written(PAYMENT, study)[PAGE]
    assert "Nothing was simulated" in page
    assert table(page)["Opens after"][:2] == ["not simulated", "-"]


def test_what_a_run_did_not_show_is_not_expected() -> None:
    study = studied(PAYMENT)
    one, other = study.cells["outage", DESIGN].outcomes
    cells = {**study.cells, ("outage", DESIGN): Cell((one, replace(other, opened=None, recovered=None)))}
    study = replace(study, cells=cells)
    assert figures(PAYMENT, study)["opens"] is None
    assert figures(PAYMENT, study)["recovers"] is None
    assert "the script expects no recovery" in written(PAYMENT, study)[PAGE]
    assert "in 1 of 2 runs" in table(written(PAYMENT, study)[PAGE])["Well again after"][0]


def test_the_faults_fit_the_policys_files() -> None:
    found = written(PAYMENT, studied(PAYMENT))
    [patch] = json.loads(found[ISTIO])
    assert patch["path"] == "/spec/http/0/fault"
    assert float(patch["value"]["delay"]["fixedDelay"].removesuffix("s")) > 2  # beyond the deadline
    assert "virtualservice payment-charge-card " in found[PAGE]
    chaos = yaml.safe_load(found[CHAOS])
    assert chaos["spec"]["duration"] == "20s"
    assert chaos["spec"]["target"]["selector"]["labelSelectors"] == {"app": "payment"}


def test_what_may_not_happen_twice_gets_ids() -> None:
    assert "`$ID`" in written(PAYMENT, None)[PAGE]
    assert "`$ID`" not in written(changed(PAYMENT, idempotent=True), None)[PAGE]


# What k6 gives to a script, as far as this one asks for it. What it does is written down.
MODULES = {
    "package.json": json.dumps({"name": "k6", "type": "module", "exports": {
        ".": "./k6.js", "./http": "./http.js", "./metrics": "./metrics.js", "./execution": "./execution.js"}}),
    "k6.js": "export const sleep = (seconds) => globalThis.done.push(['sleep', seconds]);",
    "http.js": """
const say = (...what) => { globalThis.done.push(what); return globalThis.answer; };
export default {
  request: (method, url, body, how) => say(method, url, body, how),
  post: (url, body) => say('POST', url, JSON.parse(body)),
  del: (url) => say('DELETE', url),
};""",
    "metrics.js": """
class Metric {
  constructor(name) { this.name = name; }
  add(value, tags) { globalThis.added.push([this.name, value, tags]); }
}
export { Metric as Rate, Metric as Trend };""",
    "execution.js": """
export default {
  scenario: { startTime: 0, iterationInTest: 7 },
  test: { abort: (why) => { throw new Error(why); } },
};""",
}  # fmt: skip
HARNESS = """
import { readFileSync } from 'node:fs';
const asked = JSON.parse(readFileSync(0, 'utf8'));
globalThis.__ENV = asked.env; globalThis.done = []; globalThis.added = [];
globalThis.answer = { status: asked.status, timings: { duration: asked.took } };
console.log = () => {};
const script = await import('./load.mjs');
const seen = { options: script.options, phases: [], error: null };
try {
  script.setup();
  for (const second of asked.seconds) { Date.now = () => second * 1000; script.default?.(); script.load(); }
  if (asked.fault) script.fault();
} catch (error) { seen.error = error.message; }
seen.summary = script.handleSummary(asked.data).stdout;
process.stdout.write(JSON.stringify({ ...seen, done: globalThis.done, added: globalThis.added }));
"""


def run(folder: Path, text: str, study: Study | None, **asked: Any) -> dict[str, Any]:
    node = shutil.which("node")
    require("node", available=node is not None, how_to_get="apt-get install nodejs")
    package = folder / "node_modules" / "k6"
    package.mkdir(parents=True, exist_ok=True)
    files = {**{f"node_modules/k6/{name}": text for name, text in MODULES.items()}, "run.mjs": HARNESS,
             "load.mjs": written(text, study)[SCRIPT]}  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(content)
    how = {"env": {"TARGET": "http://shop/$ID"}, "status": 200, "took": 20, "seconds": [], "fault": False,
           "data": {"metrics": {}}, **asked}  # fmt: skip
    ran = subprocess.run([str(node), "run.mjs"], cwd=folder, input=json.dumps(how), capture_output=True, text=True,
                         check=True)  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.oracle
def test_node_takes_the_script(tmp_path: Path) -> None:
    require("node", available=shutil.which("node") is not None, how_to_get="apt-get install nodejs")
    for number, text in enumerate((PAYMENT, ALL, changed(PAYMENT, traffic={"rate": "10/h"}))):
        script = tmp_path / f"load{number}.mjs"
        script.write_text(written(text, None)[SCRIPT])
        subprocess.run(["node", "--check", str(script)], check=True)


@pytest.mark.oracle
def test_calls_are_told_apart_by_when_they_came(tmp_path: Path) -> None:
    study = studied(PAYMENT)
    known = figures(PAYMENT, study)
    begins, opens = known["before"], known["opens"]
    ends = begins + known["during"]
    seconds = [0, begins - 1, begins + 1, begins + opens + 1, ends - 1, ends + 1, ends + known["recovers"] + 1]
    found = run(tmp_path, PAYMENT, study, seconds=seconds)
    phases = [tags["phase"] for name, _, tags in found["added"] if name == "good"]
    assert phases == ["before", "before", "opening", "open", "open", "recovering", "after"]
    assert {f"good{{phase:{phase}}}" for phase in phases} <= found["options"]["thresholds"].keys()
    assert found["done"][0][:2] == ["POST", "http://shop/7-0"]
    load = found["options"]["scenarios"]["load"]
    assert load["rate"] == 720_000
    assert load["duration"] == f"{ends + known['after']}s"


@pytest.mark.oracle
@pytest.mark.parametrize(("status", "took", "good"), [(200, 20, True), (503, 20, False), (200, 2_300, False)])
def test_well_is_what_is_right_and_in_time(status: int, took: int, good: bool, tmp_path: Path) -> None:  # noqa: FBT001
    found = run(tmp_path, PAYMENT, None, seconds=[1], status=status, took=took)
    assert [value for name, value, _ in found["added"] if name == "good"] == [good]


@pytest.mark.oracle
def test_the_fault_is_put_in_and_taken_out(tmp_path: Path) -> None:
    env = {"TARGET": "http://shop", "TOXIPROXY": "http://toxi:8474"}
    put, slept, out = run(tmp_path, PAYMENT, None, env=env, fault=True)["done"]
    assert put[1] == "http://toxi:8474/proxies/payment/toxics"
    assert put[2] == {
        "name": "payment-charge-card-hangs", "type": "timeout", "stream": "upstream", "attributes": {"timeout": 0},
    }  # fmt: skip
    assert slept == ["sleep", 20]
    assert out == ["DELETE", f"http://toxi:8474/proxies/payment/toxics/{put[2]['name']}"]
    refused = run(tmp_path, PAYMENT, None, env=env, fault=True, status=404)
    assert "no proxy payment" in refused["error"]
    assert run(tmp_path, PAYMENT, None, fault=True)["done"] == [["sleep", 20]]  # by hand


@pytest.mark.oracle
def test_without_a_target_nothing_is_called(tmp_path: Path) -> None:
    found = run(tmp_path, PAYMENT, None, env={}, seconds=[1])
    assert "TARGET" in found["error"]
    assert found["done"] == []


def metrics(*, holds: bool) -> Mapping[str, Any]:
    share = {"values": {"rate": 0.5, "passes": 5, "fails": 5}, "thresholds": {"rate>0.9": {"ok": holds}}}
    return {"metrics": {"good{phase:before}": share, "known{phase:before}": {"values": {"med": 20, "p(99)": 31}}}}


@pytest.mark.oracle
def test_the_summary_says_whether_the_hypothesis_holds(tmp_path: Path) -> None:
    text = run(tmp_path, PAYMENT, None, data=metrics(holds=False))["summary"]
    assert "50.0 % well" in text
    assert "does not hold:\ngood{phase:before}: rate>0.9" in text
    assert "The hypothesis holds." in run(tmp_path, PAYMENT, None, data=metrics(holds=True))["summary"]


def bytes_of_all() -> str:
    return "".join(artifact.text for artifact in artifacts(policy(PAYMENT), studied(PAYMENT, 1)))


def test_bytes_are_the_same_in_any_process() -> None:
    assert by_hash_seed("tests.breaker.test_experiment", "bytes_of_all()") == {bytes_of_all()}
