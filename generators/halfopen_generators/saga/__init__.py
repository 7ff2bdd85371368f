"""Sagas: from a spec to a design that a model checker has tried to break, and to code that runs."""

from __future__ import annotations

from halfopen.registry import Capability
from halfopen_generators.saga.check import check
from halfopen_generators.saga.design import design
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.render import render
from halfopen_generators.saga.spec import SagaSpec

capability = Capability(
    name="saga",
    title="Design a saga",
    summary="Design a transaction over several services, check its whole protocol, and generate code that runs it.",
    tool="design_saga",
    spec=SagaSpec,
    options=SagaOptions,
    design=design,
    decisions=lambda designed: designed.decisions,
    check=check,
    render=render,
    file_suffixes=(".saga.yaml", ".saga.yml", ".saga.json"),
)
