"""The command of a capability, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from halfopen.vocabulary import Report
from halfopen.writing import MANIFEST
from tests.cli.conftest import HEAVY, LIGHT, MEDIUM, Invoke

Spec = Callable[..., Path]


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_text_says_the_answer_first_then_why(invoke: Invoke, spec: Spec) -> None:
    spec(HEAVY)
    result = invoke("toy", "car.toy.yaml")
    assert result.exit_code == 1
    assert result.stderr == ""
    assert result.stdout == snapshot("""\
FAIL  car: 2 parts

findings
  error TOY01 too heavy
    at car.toy.yaml:4 (parts[1].weight)
    No child can lift it.
    fix: Make it lighter.
    shortest run that shows it (replayed within the fault bounds):
      1. The child bends down.
      2. The child pulls.
      3. Nothing moves.
    test that replays it: tests/test_lift.py

obligations
  needed  child: is strong, provided by itself. It is heavy.
  1 more that the design is safe without

decisions
  colour: red, not blue: car is for sale.

checks
  passed   scales (toy-scales 1.2): all weighed

verdicts
  violated    can be lifted
  in 12,345 states, 67,890 transitions, depth 7

files
  1, not written: --out DIR writes them
""")


def test_json_is_one_report_and_nothing_else(invoke: Invoke, spec: Spec) -> None:
    spec(HEAVY)
    result = invoke("toy", "car.toy.yaml", "--format", "json", "--copies", "2", "--out", "made")
    report = Report.model_validate_json(result.stdout)
    assert result.stderr == ""
    assert [artifact.path for artifact in report.artifacts] == ["docs/0/car.md", "docs/1/car.md"]
    assert report.findings[0].evidence[0].line == 4
    assert report.findings[0].evidence[0].file == "car.toy.yaml"
    assert result.stdout == report.model_dump_json(indent=2) + "\n"


@pytest.mark.parametrize(
    ("text", "flags", "status"),
    [
        (LIGHT, (), 0),
        (LIGHT, ("--fail-on", "warning"), 0),
        (MEDIUM, (), 0),
        (MEDIUM, ("--fail-on", "warning"), 1),
        (HEAVY, (), 1),
        (HEAVY, ("--fail-on", "warning"), 1),
    ],
)
def test_exit_status(invoke: Invoke, spec: Spec, text: str, flags: tuple[str, ...], status: int) -> None:
    assert invoke("toy", spec(text), *flags).exit_code == status


def test_quiet_is_one_line(invoke: Invoke, spec: Spec) -> None:
    assert invoke("toy", spec(MEDIUM), "--quiet").stdout == "WARN  car: 2 parts\n"


def test_standard_input(invoke: Invoke) -> None:
    assert invoke("toy", "-", "-q", stdin=LIGHT).stdout == "PASS  car: 1 parts\n"
    result = invoke("toy", "-", stdin="toy: car\nprats: []\n")
    assert result.exit_code == 2
    assert result.stderr == snapshot(
        'halfopen: <stdin>:2: prats: unknown key "prats". Did you mean parts? Legal: toy, parts, waits, stubborn.\n'
    )


def test_every_kind_of_option(invoke: Invoke, spec: Spec) -> None:
    flags = ["--size", "large", "--edition", "2", "--no-neat", "--copies", "1", "--scale", "2.5", "--label", "x y"]
    result = invoke("toy", spec(), "--format", "json", *flags)
    text = Report.model_validate_json(result.stdout).artifacts[0].text
    assert json.loads(text.removeprefix("car: 1 parts ")) == {
        "size": "large",
        "edition": 2,
        "shout": False,
        "neat": False,
        "copies": 1,
        "scale": 2.5,
        "label": "x y",
    }
    assert invoke("toy", spec(), "--shout", "--out", "made").exit_code == 0
    assert Path("made/docs/0/car.md").read_text().startswith("CAR: 1 PARTS")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--copies", "0"], "halfopen: --copies: 0 is out of range; it has to be 1 or more.\n"),
        (["--copies", "many"], "halfopen: Invalid value for '--copies': 'many' is not a valid integer."),
        (["--size", "huge"], "halfopen: Invalid value for '--size': 'huge' is not one of 'small', 'large'."),
        (["--edition", "3"], "halfopen: Invalid value for '--edition': '3' is not one of '1', '2'."),
        (["--scale", "-1"], "halfopen: --scale: -1.0 is out of range; it has to be more than 0.0.\n"),
        (["--siez", "large"], "halfopen: No such option '--siez'."),
        (["--overwrite"], "halfopen: --overwrite needs --out: without it nothing is written.\n"),
        (["other.toy.yaml"], "halfopen: Got unexpected extra argument (other.toy.yaml)\n"),
    ],
)
def test_a_wrong_flag_is_bad_input(invoke: Invoke, spec: Spec, flags: list[str], message: str) -> None:
    spec()
    result = invoke("toy", "car.toy.yaml", *flags)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(message)


def test_help_tells_every_flag_and_its_default(invoke: Invoke) -> None:
    result = invoke("toy", "--help")
    assert result.exit_code == 0
    assert result.stdout == snapshot("""\
Usage: halfopen toy [OPTIONS] SPEC

  Design a toy, and weigh it.

  SPEC is a YAML or JSON file, or - for standard input. `halfopen schema toy`
  prints the JSON Schema of its keys.

  Without --out nothing is written. With it, every file of the answer is
  written, or none: a file that was changed by hand since is refused by name,
  unless --overwrite is given.

Options:
  --size [small|large]       How big it is.  [default: small]
  --edition [1|2]            Which edition.  [default: 1]
  --shout                    In capitals.  [default: false]
  --neat / --no-neat         With a bow.  [default: true]
  --copies INTEGER           How many files.  [default: 1]
  --scale FLOAT              How much larger than life.
  --label TEXT               What to call it.
  --out DIR                  Write the files of the answer into this folder; it
                             is made if it isn't there.
  --overwrite                Replace files in DIR even if they were changed by
                             hand, or aren't ours.
  --format [text|json]       How to print the report: text for people, or one
                             JSON document and nothing else.  [default: text]
  --fail-on [error|warning]  The gravity from which on the exit status is 1.
                             [default: error]
  -q, --quiet                Print the outcome in one line, and no progress.
  -h, --help                 Show this message and exit.

  Examples:
    halfopen toy my.toy.yaml
    halfopen toy my.toy.yaml --out design/
    halfopen toy - --format json < my.toy.yaml | jq .outcome

  Exit status:
    0 pass or warn, 1 fail (--fail-on warning: 1 on warn too), 2 bad input or usage, 130 interrupted
""")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("toy: [", "car.toy.yaml:1: is not YAML"),
        ("toy: car\nparts: [{nmae: x}]\n", 'car.toy.yaml:2: parts[0].nmae: unknown key "nmae", and the key "name"'),
        ("", "car.toy.yaml: is empty"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nb: 1", "car.toy.yaml:3: the key 'b' stands twice; the first is in line 2."),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(
    invoke: Invoke, spec: Spec, tmp_path: Path, text: str, message: str
) -> None:
    spec(text)
    before = everything(tmp_path)
    result = invoke("toy", "car.toy.yaml", "--out", "made", "--format", "json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"halfopen: {message}")
    assert result.stderr.count("\n") == 1
    assert everything(tmp_path) == before
    assert not Path("made").exists()


def test_a_missing_file_is_told_with_the_nearest_name(invoke: Invoke, spec: Spec) -> None:
    spec()
    result = invoke("toy", "cra.toy.yaml")
    assert (result.exit_code, result.stderr) == (
        2,
        "halfopen: cra.toy.yaml: no such file. Did you mean car.toy.yaml?\n",
    )


def test_a_file_changed_by_hand_is_kept_until_told_otherwise(invoke: Invoke, spec: Spec, tmp_path: Path) -> None:
    first = invoke("toy", spec(), "--out", "made", "--copies", "2")
    assert first.stdout.splitlines()[-3:] == [
        "  2 written to made, 0 unchanged",
        "    docs/0/car.md",
        "    docs/1/car.md",
    ]
    assert everything(tmp_path / "made") == {MANIFEST, "docs/0/car.md", "docs/1/car.md"}
    again = invoke("toy", spec(), "--out", "made", "--copies", "2")
    assert again.stdout.splitlines()[-1] == "  0 written to made, 2 unchanged"

    (tmp_path / "made/docs/0/car.md").write_text("mine")
    refused = invoke("toy", spec(), "--out", "made", "--copies", "2", "--shout")
    assert refused.exit_code == 2
    assert refused.stdout.startswith("PASS  car: 1 parts\n")
    assert refused.stderr == snapshot(
        "halfopen: made/docs/0/car.md: was changed by hand, or isn't ours. Move it away, or ask to overwrite it.\n"
    )
    assert (tmp_path / "made/docs/0/car.md").read_text() == "mine"
    assert not (tmp_path / "made/docs/1/car.md").read_text().startswith("CAR")

    forced = invoke("toy", spec(), "--out", "made", "--copies", "1", "--overwrite")
    assert forced.exit_code == 0
    assert (tmp_path / "made/docs/0/car.md").read_text().startswith("car")
    assert forced.stdout.splitlines()[-2:] == [
        "  1 of an earlier run are no part of this answer and were left:",
        "    docs/1/car.md",
    ]
