"""What the model is told of a function, held against a golden file and JSON Schema's definition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tools.signatures import GOLDEN, RECURSIVE, SIGNATURES, as_tool, golden, parameters_of

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.simulator import open_simulator

EVERY = pytest.mark.parametrize("name", SIGNATURES)


def test_the_golden_file_is_what_is_made_today() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == golden(), "run python tests/tools/signatures.py"
    assert len(json.loads(golden())) >= 40


@EVERY
def test_a_schema_is_json_schema(name: str) -> None:
    schema = as_tool(SIGNATURES[name]).json_schema
    Draft202012Validator.check_schema(schema)
    for member in schema["properties"].values():
        if "default" in member:
            Draft202012Validator({**member, "$defs": schema.get("$defs", {})}).validate(
                member["default"]
            )


@EVERY
def test_parameters_use_only_what_the_service_knows(name: str) -> None:
    function = SIGNATURES[name]
    if function not in RECURSIVE:
        for schema in _schemas_in(parameters_of(function)):
            assert "additionalProperties" not in schema  # closed with 1007
            assert ("type" in schema) != ("anyOf" in schema)
            assert schema.get("type") != "ARRAY" or "items" in schema
            assert schema.get("format") in (None, "date-time")
            assert all(isinstance(value, str) and value for value in schema.get("enum", ()))


def _schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    if schema is not None:
        yield schema
        members = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
        for member in [*members, *([schema["items"]] if "items" in schema else [])]:
            yield from _schemas_in(member)


async def test_the_service_takes_all_of_them() -> None:
    declarations = [as_tool(function).declaration for function in SIGNATURES.values()]
    config = SessionConfig(
        model="gemini-3.8-live", tools=[wire.Tool(function_declarations=declarations)]
    )
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector),
    ):
        (setup,) = simulator.setups
        (told,) = setup.tools
        assert told.function_declarations == tuple(declarations)
