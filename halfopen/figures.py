"""A figure of a policy file: its value and where it comes from."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from halfopen.thresholds import thresholds

T = TypeVar("T")


class Figure(BaseModel, Generic[T]):
    """A value and where it comes from.

    In the file it is a value of its own, or the name of a `threshold` of the knowledge base; of one that is a
    range, with the `end` to take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: T
    source: str

    @model_validator(mode="before")
    @classmethod
    def _of_threshold(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "threshold" not in data:
            return data
        known = thresholds()[data["threshold"]]
        value = getattr(known, data.get("end", "value"))
        rest = {key: part for key, part in data.items() if key not in {"threshold", "end"}}
        return {**rest, "value": f"{value:g}s" if known.unit == "seconds" else value}
