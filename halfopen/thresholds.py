"""The figures of the knowledge base, by their names: without the rest, for a design needs no more than them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from halfopen.data import read_text

FOLDER = "knowledge"
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Unit = Literal["ratio", "seconds", "count", "factor", "per-second"]


class KnowledgeData(BaseModel):
    """What a file of the knowledge base holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Threshold(KnowledgeData):
    """A figure: one value, or a range from `least` to `most`. `said_in` are the claims that state it."""

    id: Id
    title: str
    unit: Unit
    value: float | None = None
    least: float | None = None
    most: float | None = None
    said_in: tuple[str, ...]

    @model_validator(mode="after")
    def _value_or_range(self) -> Threshold:
        ranged = self.least is not None and self.most is not None and self.least < self.most
        if (self.value is None) != ranged or (not ranged and (self.least, self.most) != (None, None)):
            raise ValueError("a threshold has a value, or least and most, in this order")
        return self


@cache
def thresholds() -> Mapping[str, Threshold]:
    """The figures by id."""
    return {each["id"]: Threshold.model_validate(each) for each in read("thresholds")["threshold"]}


def read(name: str) -> dict[str, Any]:
    """One file of the knowledge base."""
    return tomllib.loads(read_text(f"{FOLDER}/{name}.toml"))
