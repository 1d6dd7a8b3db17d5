"""Every error can be copied and sent to another process."""

import copy
import pickle

import pytest

from gemini_live_trio import errors

CASES: dict[str, dict[str, object]] = {
    "ConnectError": {"stage": "proxy", "address": "a:1", "seconds": 2.5},
    "ConnectTimeout": {"stage": "tcp"},
    "UpgradeRejected": {"status": 403, "body": "no"},
    "SetupRejected": {"code": 1008, "reason": "r", "advice": "a"},
    "DecodeError": {"path": "a.b", "expected": "text", "found": "null"},
    "SessionBroken": {"code": 1011, "cause": "quota", "attempts": 3},
    "ConnectionLost": {"code": None},
    "ReconnectExhausted": {"attempts": 9},
    "McpError": {"server": "The MCP server x"},
}


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_are_copied_whole(name: str) -> None:
    cls = getattr(errors, name)
    fields = CASES.get(name, {})
    error = cls(**fields) if name == "DecodeError" else cls("It broke.", **fields)
    error.add_note("a note")
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is cls
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
        assert twin.__notes__ == ["a note"]
        for key, value in fields.items():
            assert getattr(twin, key) == value
