"""Lines, texts and pictures of an SVG drawing. Lengths are pixels of its user space."""

from html import escape

INK = "#1f2733"


def line(points: list[tuple[float, float]], colour: str) -> str:
    """Return a line with an arrow's head at its end, which it enters from above."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    x, y = points[-1]
    head = f"{x:g},{y:g} {x - 4:g},{y - 8:g} {x + 4:g},{y - 8:g}"
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5" '
        f'stroke-linejoin="round"/><polygon points="{head}" fill="{colour}"/>'
    )


def text_at(
    text: str,
    x: float,
    y: float,
    size: int,
    *,
    anchor: str = "middle",
    colour: str = INK,
    bold: bool = False,
) -> str:
    """Return a text; x, y: where its baseline begins, ends or has its middle, by the anchor."""
    if not text:
        return ""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{colour}"{weight}>{escape(text)}</text>'
    )


def image_at(address: str, x: float, y: float, side: float) -> str:
    """Return a picture, as large as fits a square whose upper left corner is at x, y."""
    return (
        f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" '
        f'preserveAspectRatio="xMinYMin" href="{escape(address)}"/>'
    )
