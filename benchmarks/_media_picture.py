"""Curves as an SVG, on a ground of its own, so that it is readable on a dark page too."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

__all__ = ["Series", "draw_svg"]

Series = Sequence[tuple[float, float]]
"""Points, from left to right."""

COLOURS = ("#1b6ca8", "#c0392b", "#e59866", "#2e8b57", "#6c3483", "#7f8c8d")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 62, 18, 44, 52


def draw_svg(
    curves: Mapping[str, Series],
    *,
    title: str = "Echo attenuation",
    across: str = "seconds of the speaker's voice",
    up: str = "dB",
) -> str:
    """Return a picture of curves, with nothing needed to draw it.

    Args:
      curves: Each with its name; where a value is no number, its line is broken.
      title: Stands above.
      across: What the first number of a point is.
      up: What the second is.
    """
    points = [point for series in curves.values() for point in series if math.isfinite(point[1])]
    right = max((x for x, _ in points), default=1.0)
    top = max((y for _, y in points), default=1.0)
    step_x, step_y = _step(right), _step(top)
    right, top = (
        math.ceil(value / step) * step for value, step in ((right, step_x), (top, step_y))
    )

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / right,
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * max(y, 0.0) / top,
        )

    def text(x: float, y: float, words: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="#333">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>',
        text(LEFT, 24, title, 'font-size="16" font-weight="bold"'),
        text((WIDTH + LEFT) / 2, HEIGHT - 12, across, 'text-anchor="middle"'),
        text(16, (HEIGHT - BOTTOM + TOP) / 2, up, 'text-anchor="middle"'),
    ]
    for number in range(round(right / step_x) + 1):
        x, y = place(number * step_x, 0)
        lines.append(_line([(x, TOP), (x, y)], "#ddd"))
        lines.append(text(x, y + 18, f"{number * step_x:g}", 'text-anchor="middle"'))
    for number in range(round(top / step_y) + 1):
        x, y = place(0, number * step_y)
        lines.append(_line([(x, y), (WIDTH - RIGHT, y)], "#ddd"))
        lines.append(text(x - 8, y + 4, f"{number * step_y:g}", 'text-anchor="end"'))
    for number, (name, series) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        piece: list[tuple[float, float]] = []
        for x, y in (*series, (0.0, math.nan)):
            if math.isfinite(y):
                piece.append(place(x, y))
                continue
            if piece:
                lines.append(_line(piece, colour, width=2))
            piece = []
        y = HEIGHT - BOTTOM - 14 - 18 * (len(curves) - 1 - number)
        lines.append(_line([(WIDTH - 262, y - 4), (WIDTH - 240, y - 4)], colour, width=3))
        lines.append(text(WIDTH - 232, y, name))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _line(points: Sequence[tuple[float, float]], colour: str, *, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _step(most: float) -> float:
    """A round number of which some five to ten fit."""
    size: float = 10 ** math.floor(math.log10(most / 5)) if most > 0 else 1.0
    return next(size * factor for factor in (1, 2, 5, 10) if most / (size * factor) <= 10)
