"""Laying raw JSON over a setup, for fields that are younger than this release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import codec, wire
from .codec._shapes import camel_case
from .errors import ConfigError, DecodeError, LocalProtocolError

__all__ = ["laid_over"]


def laid_over(
    setup: wire.LiveClientSetup, extra: Mapping[str, wire.JsonValue]
) -> wire.LiveClientSetup:
    """Lay ``extra`` over a setup: objects are merged, everything else is replaced.

    Raises:
      ConfigError: It can't be sent like that; the text says where.
    """
    if not extra:
        return setup
    try:
        tree = json.loads(codec.encode(wire.LiveClientMessage(setup=setup)))
        merged = _merged(tree["setup"], extra)
        message = codec.decode_client(json.dumps({"setup": merged}))
        codec.encode(message)  # its checks are stricter than those of reading
    except (DecodeError, LocalProtocolError, TypeError, ValueError) as error:
        raise ConfigError(f"extra_setup can't be laid over the setup. {error}") from None
    assert message.setup is not None
    return message.setup


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, Mapping):
        return over
    merged = dict(under)
    spelt = {camel_case(name): name for name in under}
    for name, value in over.items():
        # A name that comes twice, once in each case, is laid over itself.
        key = spelt.setdefault(camel_case(name), name)
        merged[key] = _merged(merged.get(key), value)
    return merged
