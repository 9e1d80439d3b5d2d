"""Figures inside an HTML page: SVG whose colours follow the page, or a PNG if that is smaller."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from bayescpt.present.report.text import escape, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours of the figures on a dark page; each is at least as far from it as the light one from
# white. In print, and on a light page, they stay as they are.
DARK = {
    "#ffffff": "#15181c",
    "#222222": "#e9e7e3",
    "#444444": "#c3c7cc",
    "#4d4d4d": "#b9bec5",
    "#6b6b6b": "#a9afb7",
    "#c9c9c9": "#565d66",
    "#e6e6e6": "#363c44",
    "#0072b2": "#4aa3e0",
    "#d55e00": "#ff8f45",
    "#009e73": "#35c997",
    "#cc79a7": "#e6a0c8",
    "#e69f00": "#f0bd4f",
    "#56b4e9": "#a4d8f7",
    "#000000": "#f6f6f6",
}
# Characters of an SVG above which a figure becomes a PNG: curves of hundreds of runs.
LARGEST = 260_000
DPI = 120
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"font-family:[^;]*;?\s*")


@contextmanager
def web_figures() -> Iterator[None]:
    """Settings under which figures for a page are drawn and saved; others stay as they are.

    Text stays text, so that readers can search and enlarge it, and a ``$`` in a name is a
    character, not the start of a formula.

    Yields
    ------
    None
    """
    import matplotlib as mpl

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "bayescpt", "text.parse_math": False}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def inline_figure(draw: Callable[[], Figure], name: str, alt: str) -> str:
    """HTML of a figure.

    Parameters
    ----------
    draw : callable
        Returns the figure.
    name : str
        Short name, unique on the page.
    alt : str
        What the figure shows, in words.

    Returns
    -------
    str
        An ``<svg>`` with its text alternative, or an ``<img>`` where the SVG would be large.
    """
    with web_figures():
        figure = draw()
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        svg = inline_svg(stream.getvalue(), name, alt)
        if len(svg) <= LARGEST:
            return svg
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    data = base64.b64encode(picture.getvalue()).decode()
    width = 72 * figure.get_figwidth()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" style="{_widths(width)}">'


def inline_svg(text: str, name: str, alt: str) -> str:
    """SVG of matplotlib as part of a page.

    Parameters
    ----------
    text : str
        The file.
    name : str
        Prefix of its identifiers, which must be unique on the page.
    alt : str
        Text alternative.

    Returns
    -------
    str
        Without declarations, metadata and style sheet; identifiers that nothing refers to are left
        out; colours are CSS variables with the light colour as default.
    """
    # Control characters of names are not allowed in XML.
    root = ElementTree.fromstring(visible(text))  # noqa: S314  (what matplotlib has just written)
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    used = set(re.findall(r"#([\w.-]+)", text))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _tidy(element, name, used)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    root.attrib.pop("height")
    root.attrib.pop("version", None)
    root.attrib |= {"role": "img", "aria-label": visible(alt), "style": _widths(width)}
    for element in root.iter():
        if element.text is not None and not element.text.strip():
            element.text = None
        element.tail = None
    return ElementTree.tostring(root, encoding="unicode")


def dark_colours() -> str:
    """Declarations of the CSS variables of `inline_svg` on a dark page.

    Returns
    -------
    str
    """
    return " ".join(f"{_variable(light)}: {dark};" for light, dark in DARK.items())


def _tidy(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Shorten the attributes of an element, and make its identifier one of this figure."""
    for key in list(element.attrib):
        value = element.attrib.pop(key)
        key = key.rpartition("}")[2]
        if key == "id":
            if value not in used:
                continue
            value = f"{name}-{value}"
        elif key == "href":
            value = f"#{name}-{value.removeprefix('#')}"
        elif key == "d":
            value = " ".join(_LONG.sub(_rounded, value).split())
        elif key == "style":
            value = _COLOUR.sub(_themed, _FONT.sub("", value))
        elif key in ("fill", "stroke"):  # of the lines of a hatch
            key, value = "style", f"{key}: {_COLOUR.sub(_themed, value)}"
        elif key in ("x", "y", "transform"):
            value = _LONG.sub(_rounded, value)
        value = value.replace("url(#", f"url(#{name}-")
        both = key == "style" and key in element.attrib
        element.attrib[key] = f"{element.attrib[key]}; {value}" if both else value


def _rounded(number: re.Match[str]) -> str:
    """Hundredths of a point are far below a pixel."""
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _themed(colour: re.Match[str]) -> str:
    return f"var({_variable(colour[0])}, {colour[0]})" if colour[0] in DARK else colour[0]


def _variable(colour: str) -> str:
    return f"--f{colour.removeprefix('#')}"


def _widths(points: float) -> str:
    """The width of a figure, to which the style sheet scales it."""
    return f"--width: {points:.0f}px"
