"""The gRPC service config: what clients do by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from halfopen.vocabulary import Artifact
from halfopen_generators.grpc.plan import Api, MethodPlan, ServicePlan
from halfopen_generators.grpc.policy import policy


def service_config(api: Api) -> dict[str, Any]:
    """The config as gRPC reads it (https://github.com/grpc/grpc/blob/master/doc/service_config.md)."""
    retry = policy().retry
    found: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [_method(api, service, rpc) for service in api.services for rpc in service.methods],
    }
    if any(rpc.retry or rpc.hedging for rpc in api.methods):
        found["retryThrottling"] = {"maxTokens": retry.max_tokens.value, "tokenRatio": retry.token_ratio.value}
    found["healthCheckConfig"] = {"serviceName": health_name(api.package, api.services)}
    return found


def health_name(package: str, services: Iterable[ServicePlan]) -> str:
    """Whose health a client asks for: the one service, or the server as a whole (empty) where it has several."""
    names = [service.name for service in services]
    return f"{package}.{names[0]}" if len(names) == 1 else ""


def spelled(api: Api) -> str:
    """The config as JSON text."""
    return json.dumps(service_config(api), indent=2) + "\n"


def artifact(api: Api) -> Artifact:
    """The config as a file of the answer."""
    return Artifact(path="service-config.json", media_type="application/json", text=spelled(api))


def _method(api: Api, service: ServicePlan, rpc: MethodPlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": [{"service": f"{api.package}.{service.name}", "method": rpc.name}],
        "timeout": _seconds(rpc.deadline),
    }
    if rpc.retry is not None:
        found["retryPolicy"] = {
            "maxAttempts": rpc.retry.attempts,
            "initialBackoff": _seconds(rpc.retry.first_wait),
            "maxBackoff": _seconds(rpc.retry.longest_wait),
            "backoffMultiplier": rpc.retry.factor,
            "retryableStatusCodes": list(rpc.retry.codes),
        }
    if rpc.hedging is not None:
        found["hedgingPolicy"] = {
            "maxAttempts": rpc.hedging.attempts,
            "hedgingDelay": _seconds(rpc.hedging.delay),
            "nonFatalStatusCodes": list(rpc.hedging.codes),
        }
    return found


def _seconds(seconds: float) -> str:
    """A duration as Protobuf's JSON has it, with all nine digits behind the point if there are any.

    grpc-js takes 0.3s for three nanoseconds: it reads the digits as a number of them.
    """
    text = f"{Decimal(repr(seconds)).quantize(Decimal('1e-9')):f}"
    whole, _, fraction = text.partition(".")
    return f"{text}s" if fraction.strip("0") else f"{whole}s"
