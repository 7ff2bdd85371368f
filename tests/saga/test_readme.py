"""What the README shows is what the command prints."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BROKEN = "examples/checkout-late-charge.saga.yaml"


def printed(spec: Path | str) -> str:
    command = Path(sysconfig.get_path("scripts"), "halfopen")
    done = subprocess.run([command, "saga", spec], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def shown() -> tuple[str, str]:
    broken, mended = re.findall(r"```console\n(.*?)\n```", README, re.DOTALL)
    return broken.removeprefix(f"$ .venv/bin/halfopen saga {BROKEN}\n"), mended


def test_the_broken_spec_breaks_as_the_readme_shows() -> None:
    assert printed(BROKEN).startswith(shown()[0] + "\n\n")


def test_the_spec_mended_as_the_readme_says_holds_as_it_shows(tmp_path: Path) -> None:
    lines = (ROOT / BROKEN).read_text("utf-8").splitlines()
    (change,) = re.findall(r"```diff\n(.*?)\n```", README, re.DOTALL)
    position = 0
    for line in change.splitlines():
        sign, text = line[0], line[1:].rstrip()
        if sign == "+":
            lines.insert(position, text)
            position += 1
            continue
        # A comment behind what stands in the file is not part of the change.
        position += next(n for n, each in enumerate(lines[position:]) if each.split("#")[0].rstrip() == text)
        if sign == "-":
            del lines[position]
        else:
            position += 1
    mended = tmp_path / "checkout.saga.yaml"
    mended.write_text("\n".join(lines), encoding="utf-8")
    summary, verdicts = shown()[1].split("\n", 1)
    told = printed(mended)
    assert told.startswith(summary + "\n")
    assert verdicts in told
