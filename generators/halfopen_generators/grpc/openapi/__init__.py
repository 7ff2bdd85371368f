"""An OpenAPI document as a gRPC spec, and what of it gRPC can't say."""

from __future__ import annotations

from halfopen_generators.grpc.openapi.reader import read_openapi

__all__ = ["read_openapi"]
