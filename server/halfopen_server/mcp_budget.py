"""How much a reply may cost the reader: what is over it is left out, counted, and still in the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from halfopen.vocabulary import Severity

if TYPE_CHECKING:
    from halfopen_server.mcp_answers import Answer

# In characters of compact JSON. A tokenizer makes one token of three or four of them, and 3,000 tokens are the limit.
MOST = 10_000
# What `left_out` itself takes.
_COUNTS = 200
# Of a run that is too long to be told in full: how it starts, and what leads to its end.
_FIRST, _LAST = 2, 10
_LONGEST_LINE = 1_000

# By list of the answer: how many of its items are taken in each round, and what makes one come before another.
_TURNS: Mapping[str, tuple[int, Callable[[Any], Any]]] = {
    "findings": (2, lambda finding: -Severity(finding["severity"]).rank),
    "verdicts": (2, lambda verdict: verdict["outcome"] != "violated"),
    "checks": (2, lambda check: ("failed", "skipped", "passed").index(check["status"])),
    "obligations": (1, lambda obligation: (True, None, False).index(obligation.get("needed"))),
    "decisions": (1, lambda decision: 0),  # noqa: ARG005 - in the order in which they were made
    "artifacts": (1, lambda artifact: 0),  # noqa: ARG005 - by path
}


def compact(value: Any) -> str:
    """As JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shortened(told: Answer, most: int = MOST) -> dict[str, Any]:
    """The answer as plain data of at most that many characters, if its summary alone doesn't take more.

    Long runs are told by their start and end. If that isn't enough, only the first finding of a code tells its run, and
    each list gives its items in turn, the weightiest first, until none fits; `left_out` counts what isn't shown.
    """
    full: dict[str, Any] = told.model_dump(mode="json", exclude_defaults=True)
    if len(compact(full)) <= most:
        return full
    full = _with_short_runs(full)
    if len(compact(full)) <= most:
        return full
    lists = {name: full[name] for name in _TURNS if name in full}
    base = {name: value for name, value in full.items() if name not in lists}
    untold = _without_like_runs(lists)
    taken = _taken(lists, most - len(compact({**base, **{name: [] for name in lists}})) - _COUNTS)
    shown = {name: [item for place, item in enumerate(items) if place in taken[name]] for name, items in lists.items()}
    left_out = {name: len(items) - len(shown[name]) for name, items in lists.items()}
    left_out["counterexamples"] = len(untold & taken.get("findings", set()))
    # In the order in which the answer has them.
    short = {name: shown.get(name, value) for name, value in full.items() if shown.get(name, True)}
    return {**short, "left_out": {name: count for name, count in left_out.items() if count}}


def lines_within(text: str, most: int = MOST) -> str:
    """The first lines of the text, and how many more there are."""
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..." for line in text.splitlines()]
    room, shown = most, 0
    while shown < len(lines) and len(lines[shown]) < room:
        room -= len(lines[shown]) + 1
        shown += 1
    rest = [f"... and {len(lines) - shown} more."] if shown < len(lines) else []
    return "\n".join([*lines[:shown], *rest])


def _taken(lists: Mapping[str, list[Any]], room: int) -> dict[str, set[int]]:
    """The places of the items that fit in that many characters; of each list those that weigh most."""
    taken: dict[str, set[int]] = {name: set() for name in lists}
    waiting = {name: _by_weight(items, _TURNS[name][1]) for name, items in lists.items()}
    while waiting:
        for name in list(waiting):
            for _ in range(_TURNS[name][0]):
                place = next(waiting[name], None)
                cost = 0 if place is None else len(compact(lists[name][place])) + 1
                if place is None or cost > room:
                    # What is shown is never less weighty than what isn't.
                    del waiting[name]
                    break
                room -= cost
                taken[name].add(place)
    return taken


def _by_weight(items: list[Any], weight: Callable[[Any], Any]) -> Iterator[int]:
    return iter(sorted(range(len(items)), key=lambda place: weight(items[place])))


def _without_like_runs(lists: dict[str, list[Any]]) -> set[int]:
    """Take the run from each finding that has the code of an earlier one; their places."""
    findings, codes, untold = lists.get("findings", []), set(), set()
    for place, finding in enumerate(findings):
        if finding["code"] in codes and "counterexample" in finding:
            untold.add(place)
        codes.add(finding["code"])
    if untold:
        lists["findings"] = [
            {name: value for name, value in finding.items() if name != "counterexample" or place not in untold}
            for place, finding in enumerate(findings)
        ]
    return untold


def _with_short_runs(full: dict[str, Any]) -> dict[str, Any]:
    def short(sentences: list[str]) -> list[str]:
        beside = len(sentences) - _FIRST - _LAST
        if beside <= 1:
            return sentences
        return [*sentences[:_FIRST], f"... {beside} more, which the report tells ...", *sentences[-_LAST:]]

    def finding(each: dict[str, Any]) -> dict[str, Any]:
        run = each.get("counterexample")
        return {**each, "counterexample": {**run, "sentences": short(run["sentences"])}} if run else each

    def verdict(each: dict[str, Any]) -> dict[str, Any]:
        return {**each, "path": short(each["path"])} if "path" in each else each

    return {
        **full,
        **({"findings": [finding(each) for each in full["findings"]]} if "findings" in full else {}),
        **({"verdicts": [verdict(each) for each in full["verdicts"]]} if "verdicts" in full else {}),
    }
