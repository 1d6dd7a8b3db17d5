"""What each model allows, forbids and requires on each back end, as data with sources.

The service answers a setup that doesn't fit its model with an opaque close, or not at all. So what
is known stands here, and ``open_session`` looks before it dials (``SessionConfig.check``):

* a ``Capability`` says what a family of models does: what the session itself goes by;
* a ``Rule`` says what one field of ``setup`` may hold, where, and what happens otherwise;
* a ``CapabilityTable`` holds both; ``TABLE`` is the one that comes with this release.

Each entry has a ``Source``: who says so, when, and how sure that is. What is only assumed never
stops anybody. ``TABLE.extended(...)`` adds entries, or replaces those of the same name, for
``SessionConfig(capabilities=...)``.

General layout: ``_entries`` has the classes, ``_models`` and ``_rules`` the data, ``_table`` how
they are looked up. ``docs/models.md`` is made of them.
"""

from ._entries import Backend as Backend
from ._entries import Behavior as Behavior
from ._entries import Capability as Capability
from ._entries import Finding as Finding
from ._entries import Rule as Rule
from ._entries import Source as Source
from ._table import TABLE as TABLE
from ._table import CapabilityTable as CapabilityTable
from ._table import capability_of as capability_of

__all__ = [
    "TABLE",
    "Backend",
    "Behavior",
    "Capability",
    "CapabilityTable",
    "Finding",
    "Rule",
    "Source",
    "capability_of",
]
