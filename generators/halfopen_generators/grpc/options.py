"""What a caller may set beside the spec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from halfopen.registry import Options

Stubs = Literal["none", "python", "go", "java", "typescript"]


class GrpcOptions(Options):
    """Options of the gRPC capability."""

    stubs: Stubs = Field(default="none", description="Language of a server and a client to generate.")
