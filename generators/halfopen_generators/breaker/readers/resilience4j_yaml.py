"""application.yml as Spring Boot binds Resilience4j's properties: relaxed names, durations, shared configs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import yaml

Settings = dict[str, object]
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SIMPLE = re.compile(r"([+-]?\d+)([a-zA-Z]{0,2})")
_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)
# Older names of the same.
_INSTANCES = {"instances", "backends", "limiters"}


def settings(text: str) -> Callable[[str, str], Settings]:
    """What the file says of an instance, by section and name; plainly: sliding-window-size is slidingwindowsize."""
    said = dict(_flat(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), ()))  # noqa: S506 - both are safe loaders

    def under(section: str, group: set[str], name: str) -> Settings:
        found: Settings = {}
        for path, value in said.items():
            if len(path) == len(("resilience4j", section, "instances", name, "key")) and path[0] == "resilience4j":
                _, where, which, instance, key = path
                if (where, instance) == (section, name) and which in group:
                    found[key] = value
        return found

    def of(section: str, instance: str) -> Settings:
        own = under(section, _INSTANCES, instance)
        base = own.get("baseconfig")
        shared = under(section, {"configs"}, "default")
        return {**shared, **(under(section, {"configs"}, str(base)) if base else {}), **own}

    return of


def _flat(node: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, (*path, *str(key).split(".")))
    else:
        *before, last = path or ("",)
        # Names of instances are taken as they are, all others without dashes and case.
        yield (
            (*(part if place == _NAME else _plain(part) for place, part in enumerate(before)), _plain(last)),
            node,
        )


_NAME = 3


def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()


def seconds(said: object) -> float | str:
    """A duration as Spring reads it: 900ms, PT0.9S, or a number of milliseconds; a float is seconds already."""
    if isinstance(said, float):
        return said
    told = str(said).strip()
    if (match := _SIMPLE.fullmatch(told)) and match[2].lower() in {"", *_UNITS}:
        return int(match[1]) * _UNITS[match[2].lower() or "ms"]
    if (match := _ISO.fullmatch(told)) and any(match.groups()):
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        return days * 86_400 + hours * 3_600 + minutes * 60 + rest
    return told
