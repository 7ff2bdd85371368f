"""Reductions over models made of commands, held against the whole graph; no saga here, any commands will do."""

from __future__ import annotations

from random import Random

import networkx as nx
import pytest

from halfopen.checkers.commands import Command, CommandModel, Layout
from halfopen.checkers.explore import EVERY_RUN_ENDS, explore
from halfopen.checkers.reduced import Reduced, explore_reduced
from halfopen.checkers.stubborn import StubbornSets

NAMES = ["a", "b", "c", "d", "e"]


def any_model(seed: int) -> CommandModel:
    """A model of some commands over five variables. Most raise one by one, so that every other model has no cycle."""
    draw = Random(seed)  # noqa: S311 - no secret
    layout, commands = Layout(), []
    for name in NAMES:
        layout.add(name, 2)
    turning = draw.random() < 0.5
    for number in range(draw.randint(4, 12)):
        name, value = draw.choice(NAMES), draw.randint(0, 1)
        when, then = {name: value}, {name: value + 1}
        for other in draw.sample(NAMES, draw.choice([0, 0, 1, 1, 2])):
            when.setdefault(other, draw.randint(0, 2))
        unless = (draw.choice(NAMES), draw.randint(0, 2)) if draw.random() < 0.2 else None
        what = draw.choice(["step", "step", "step", "eager", "breaks"])
        if what == "eager":
            commands.append(Command(f"c{number}", when=when, then=then, unless=unless, eager=True))
            continue
        some = (draw.choice(NAMES),) if draw.random() < 0.1 else ()
        if turning and draw.random() < 0.2:
            then = {name: 0, draw.choice(NAMES): draw.randint(0, 2)}
        breaks = f"p{number}" if what == "breaks" else None
        fault = breaks is not None and draw.random() < 0.5
        commands.append(Command(f"c{number}", name, when, then, some, unless, breaks=breaks, fault=fault))
    return CommandModel(layout, commands, start={}, ended=[{"a": 2}, {"b": 2, "c": 1}])


@pytest.mark.parametrize("block", range(4))
def test_stubborn_sets_lose_no_verdict(block: int) -> None:
    smaller = 0
    for seed in range(block * 1000, block * 1000 + 1000):
        model = any_model(seed)
        whole, fewer = explore(model), explore_reduced(model)
        assert set(fewer.violations) == set(whole.violations), seed
        smaller += fewer.states < whole.states
        reduced = explore(Reduced(model))
        if reduced.cyclic or not Reduced(model).partial_order:
            assert fewer.states == whole.states, seed
        else:
            assert not has_a_cycle(model), seed
    # Else nothing was tried.
    assert smaller > 100


def has_a_cycle(model: CommandModel) -> bool:
    """Whether the whole graph has one, asked of networkx."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    pending = list(model.initial())
    seen = set(pending)
    while pending:
        state = pending.pop()
        if model.broken(state):
            continue
        for _, after in model.steps(state):
            graph.add_edge(state, after)
            if after not in seen:
                seen.add(after)
                pending.append(after)
    return not nx.is_directed_acyclic_graph(graph)


def counting(*parts: str, odd: str = "", eager: bool = False) -> CommandModel:
    """Parts that each go from 0 to 2, or stop at 1; once all are through something breaks, or is set at once."""
    layout = Layout()
    commands = []
    for part in parts:
        layout.add(part, 2)
        commands.append(Command("first", part, when={part: 0}, then={part: 1}))
        if part != odd:
            commands.append(Command("second", part, when={part: 1}, then={part: 2}))
        commands.append(Command("bad", part, when={part: 1}, breaks=f"never {part}", fault=True))
    layout.add("over", 1)
    through = dict.fromkeys(parts, 2)
    commands.append(Command("end", when={**through, "over": 0}, then={"over": 1}, eager=eager))
    return CommandModel(layout, commands, start={}, ended=[{"over": 1}])


def test_what_is_independent_is_done_in_one_order() -> None:
    for eager in (False, True):
        model = counting("x", "y", "z", eager=eager)
        whole, fewer = explore(model), explore_reduced(model)
        assert set(fewer.violations) == set(whole.violations) == {"never x", "never y", "never z"}
        # Three parts of three values each, against one after the other.
        assert (whole.states, fewer.states) == (31 - eager, 11 - eager)


def test_like_parts_are_one_and_what_is_found_of_one_is_found_of_all() -> None:
    model = counting("x", "y", "z")
    fewer = explore_reduced(model, alike=[[["x"], ["y"], ["z"]]], partial_order=False)
    # Ten ways to put three parts into three places, the end, and one breach that stands for three.
    assert fewer.states == 12
    assert set(fewer.violations) == {"never x", "never y", "never z"}
    for label, path in fewer.violations.items():
        assert path.actions[-1].breaks == label
        assert {action.subject for action in path.actions} == {label.removeprefix("never ")}


def test_a_part_that_differs_is_left_out_of_it() -> None:
    model = counting("x", "y", "z", odd="y")
    assert Reduced(model, alike=[[["x"], ["y"], ["z"]]]).symmetry.classes == [[["x"], ["z"]]]
    result = explore_reduced(model, alike=[[["x"], ["y"], ["z"]]])
    assert EVERY_RUN_ENDS in result.violations


def test_a_cycle_is_seen_and_nothing_is_put_off_for_ever() -> None:
    # What turns for ever could hide what is independent of it.
    layout = Layout()
    for name in ("turn", "late"):
        layout.add(name, 1)
    commands = [
        Command("on", when={"turn": 0}, then={"turn": 1}),
        Command("off", when={"turn": 1}, then={"turn": 0}),
        Command("go", "other", when={"late": 0}, then={"late": 1}),
        Command("bad", "other", when={"late": 1}, breaks="never late"),
    ]
    model = CommandModel(layout, commands, start={})
    assert explore(Reduced(model)).cyclic
    assert set(explore_reduced(model).violations) == {"never late"}


def test_a_breach_that_goes_away_again_is_not_missed() -> None:
    # It is possible only while x is still 0, and only once y is 1: so x has to wait for y.
    layout = Layout()
    for name in ("x", "y", "z"):
        layout.add(name, 1)
    commands = [
        Command("leave", "x", when={"x": 0}, then={"x": 1}),
        Command("on", "y", when={"y": 0, "z": 1}, then={"y": 1}),
        Command("on", "z", when={"z": 0}, then={"z": 1}),
        Command("bad", "x", when={"x": 0, "y": 1}, breaks="never both"),
    ]
    model = CommandModel(layout, commands, start={}, ended=[{"x": 1, "y": 1}])
    assert set(explore_reduced(model).violations) == {"never both"}


def test_what_a_command_wakes_counts_as_done_by_it() -> None:
    # x wakes an eager command that shuts the door which y has to pass before.
    layout = Layout()
    for name in ("x", "shut", "y"):
        layout.add(name, 1)
    commands = [
        Command("on", "x", when={"x": 0}, then={"x": 1}),
        Command("shut", when={"x": 1, "shut": 0}, then={"shut": 1}, eager=True),
        Command("pass", "y", when={"shut": 0, "y": 0}, then={"y": 1}),
        Command("bad", "y", when={"y": 1}, breaks="never through"),
    ]
    model = CommandModel(layout, commands, start={}, ended=[{"x": 1}])
    assert set(explore_reduced(model).violations) == {"never through"}


def test_eager_commands_that_depend_on_their_order_forbid_it() -> None:
    layout = Layout()
    for name in ("woken", "first"):
        layout.add(name, 2)
    commands = [
        Command("wake", when={"woken": 0}, then={"woken": 1}),
        Command("one", when={"woken": 1, "first": 0}, then={"first": 1}, eager=True),
        Command("two", when={"woken": 1, "first": 0}, then={"first": 2}, eager=True),
    ]
    assert not StubbornSets(CommandModel(layout, commands, start={})).usable
