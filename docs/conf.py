"""How Sphinx builds the documentation; ``nox -s docs`` runs it."""

import re

from sphinx.application import Sphinx

import gemini_live_trio

project = "gemini-live-trio"
author = "The gemini-live-trio authors"
project_copyright = "The gemini-live-trio authors"
release = version = gemini_live_trio.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
nitpicky = True
add_module_names = False

html_theme = "alabaster"
html_theme_options = {"description": "Google's Gemini Live API for Trio", "page_width": "1100px"}

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {
    "Duration": "gemini_live_trio.wire._base.Duration",
    "Int64": "gemini_live_trio.wire._base.Int64",
    "JsonValue": "gemini_live_trio.wire.JsonValue",
}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# ``Speaker`` is a person in the transcript and a device in ``media``.
suppress_warnings = ["ref.python"]

nitpick_ignore_regex = [
    # Shown where they are public, under ``events`` and ``media``; ``mcp`` is another project.
    (r"py:class", r"Crew|ToolOutcome|gemini_live_trio\._tool_events\.\w+|mcp\.Client(Session)?"),
    (r"py:class", r"gemini_live_trio\.tools\._ledger\.(Entry|Run)"),
    # Other projects' names can't be looked up without a network.
    (
        r"py:.*",
        r"(attrs?|collections|datetime|enum|httpx|importlib|hypothesis|np|npt|numpy|os|opentelemetry|pathlib|pytest|re|ssl|trio|typing)"
        r"\..*",
    ),
    # Not in the index: the wire has an enum of this name, and references to that would be unclear.
    (r"py:class", r"gemini_live_trio\.simulator\._delivery\.Delivery"),
    # Private aliases and type variables have no page.
    (r"py:(obj|exc)", r"gemini_live_trio\.tools\._function\._[A-Z]\w*|Unsayable"),
    (
        r"py:class",
        r"VoiceName|Tracer|State|Handler|OnResult|Binding|Unsayable|_P|_R_co|wire\.FunctionDeclaration|TypeAliasForwardRef|.*\.simulator\._talk\._delivery\.Delivery|gemini_live_trio\..*\._[A-Z]\w*"
        r"|gemini_live_trio\.media\._samples\.Sample",
    ),
]

# What autodoc makes of the alias ``Event``: dozens of names.
_EVENTS = re.compile(r"~?gemini_live_trio\.events\.SetupComplete \|.*\.Stalled")

_fields: dict[str, list[str]] = {}
"""Docstrings of fields, between the two hooks that go round Napoleon's own."""


def keep(
    _app: object, what: str, name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Remember a field's docstring: Napoleon takes the words before its first colon for a type."""
    if what in {"attribute", "data", "property"}:
        _fields[name] = lines.copy()


def restore(
    _app: object, _what: str, name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Undo what Napoleon did to a field."""
    lines[:] = _fields.pop(name, lines)


def shorten(
    _app: object,
    what: str,
    name: str,
    _thing: object,
    _options: object,
    args: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Leave out the arguments of a wire class, whose fields follow; name the union of events."""
    if what == "class" and name.startswith("gemini_live_trio.wire."):
        return "", None
    if what in {"function", "method"} and returns:
        return args, _EVENTS.sub("~gemini_live_trio.events.Event", returns)
    return None


def setup(app: Sphinx) -> None:
    """Connect the hooks; Napoleon's own stands at 500."""
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-process-signature", shorten)
