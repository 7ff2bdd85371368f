"""Every decision about a saga: pure, from the spec alone, each with its reason."""

from __future__ import annotations
