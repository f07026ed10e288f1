"""Horizontal bar charts as SVG, legible on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

#: Sizes in pixels: the width of the drawing and of the column of names, the height of a bar, and the space
#: between groups.
WIDTH, NAMES, BAR, GAP = 800, 220, 18, 22
_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
#: The first colour is for Waterspout's bars, the second one for the bars of all other servers.
_OURS, _OTHERS, _TEXT = "#0969da", "#8c959f", "#6e7781"


def draw(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Return an SVG document with a group of bars for each key of `groups`.

    :param groups: figures by the name of their series; smaller is better. The longest bar of all groups fills
        the width.
    :raises ValueError: if there is nothing to draw.
    """
    figures = [figure for group in groups.values() for figure in group.values()]
    if not figures:
        raise ValueError("a chart needs at least one figure")
    scale = (WIDTH - NAMES - 110) / max(figures)
    parts: list[str] = []
    y = 34
    for label, group in groups.items():
        parts.append(_text(label, 8, y + 12, weight="600"))
        y += BAR + 4
        for index, (series, figure) in enumerate(group.items()):
            colour = _OTHERS if index else _OURS
            width = max(1.0, figure * scale)
            parts += [
                _text(series, NAMES - 8, y + 13, anchor="end"),
                f'<rect x="{NAMES}" y="{y}" width="{width:.1f}" height="{BAR - 4}" rx="2" fill="{colour}"/>',
                _text(f"{figure:,.0f}", NAMES + width + 8, y + 12),
            ]
            y += BAR
        y += GAP
    size = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}"'
    font = f'font-family="{_FONT}" font-size="12"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>',
            f"<title>{escape(title)}</title>",
            _text(f"{title} (less is better)", 8, 18, weight="600"),
            *parts,
            "</svg>\n",
        ]
    )


def _text(text: str, x: float, y: float, anchor: str = "start", weight: str = "400") -> str:
    style = f'fill="{_TEXT}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y}" {style}>{escape(text)}</text>'
