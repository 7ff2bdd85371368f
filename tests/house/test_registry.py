"""Every capability is what the faces count on."""

from __future__ import annotations

import inspect
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

import click
import jsonschema
import pytest
from pydantic import BaseModel

from halfopen.registry import MODULES, Capability, Options, capabilities, capability
from halfopen_server.cli_capability import command_of
from tests.cli.toy import capability as toy

PLAIN = {bool, int, float, str}


def faults(found: Capability, name: str) -> list[str]:
    """What the faces couldn't deal with in this capability."""
    told = [] if found.name == name else [f"its name is {found.name}"]
    if not re.fullmatch(r"[a-z][a-z-]*", found.name):
        told.append("its name is no command's")
    if not re.fullmatch(r"[a-z][a-z_]*", found.tool):
        told.append("its tool's name is no tool's")
    if not (found.title and found.summary.endswith(".")):
        told.append("its summary is no sentence")
    if found.spec.model_config.get("extra") != "forbid":
        told.append("its spec lets unknown keys pass")
    if not found.file_suffixes or not all(suffix.startswith(".") for suffix in found.file_suffixes):
        told.append("its files aren't known by their names")
    return told + _option_faults(found.options)


def _option_faults(options: type[Options]) -> list[str]:
    told = []
    for name, field in options.model_fields.items():
        if field.is_required() or not field.description:
            told.append(f"the option {name} lacks a default or a description")
        kinds = _kinds(field.annotation)
        if len(kinds) != 1 or not (kinds[0] in PLAIN or get_origin(kinds[0]) is Literal):
            told.append(f"the option {name} is of no kind that a flag can have")
    return told


def _kinds(annotation: Any) -> list[Any]:
    union = get_origin(annotation) in {Union, types.UnionType}
    return [part for part in (get_args(annotation) if union else (annotation,)) if part is not type(None)]


@pytest.mark.parametrize("name", MODULES)
def test_a_registered_name_leads_to_its_capability(name: str) -> None:
    assert faults(capability(name), name) == []


def test_a_fault_is_seen() -> None:
    class Odd(Options):
        many: list[str] = []  # noqa: RUF012 - a fault on purpose

    class Open(BaseModel):
        pass

    assert faults(toy, "toy") == []
    odd = Capability(
        "Toy", "", "no sentence", "Design Toy", Open, toy.design, toy.decisions, toy.check, toy.render, Odd
    )
    assert len(faults(odd, "toy")) == 8


def test_no_two_capabilities_share_a_tool_or_a_suffix() -> None:
    for shared in (
        [found.tool for found in capabilities()],
        [suffix for found in capabilities() for suffix in found.file_suffixes],
    ):
        assert len(shared) == len(set(shared))


@pytest.mark.parametrize("name", MODULES)
def test_the_parts_take_what_the_composer_hands_them(name: str) -> None:
    found = capability(name)
    for part, count in ((found.design, 3), (found.decisions, 1), (found.check, 3), (found.render, 3)):
        inspect.signature(part).bind(*range(count))


@pytest.mark.parametrize("name", MODULES)
def test_no_option_takes_a_flag_of_the_command_itself(name: str) -> None:
    flags = [
        flag for param in command_of(capability(name)).params if isinstance(param, click.Option) for flag in param.opts
    ]
    assert len(flags) == len(set(flags))
    assert not set(flags) & {"-h", "--help"}


@pytest.mark.parametrize("name", MODULES)
def test_a_spec_has_a_sound_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(capability(name).spec.model_json_schema())
