"""Slices as PNG inside HTML: grids with a zoomed box, and pairs under a slider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.html import embed_picture
from dnsp.plotting.comparison import Box
from dnsp.reproduction.report.page import Text, elements

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Picture", "render_before_after", "render_pictures"]

Array = npt.NDArray[Any]


class Picture(NamedTuple):
    """A slice or patch (H, W) on the unit scale, first axis to the right, second upwards; its name and what stands below."""

    name: str
    image: Array
    below: Text = ""


def render_pictures(pictures: Sequence[Picture], *, box: Box | None = None, small: bool = False) -> Markup:
    """Lay pictures out in a grid that wraps; with a box (in pixels of the first) each is shown whole and enlarged."""
    items = []
    for picture in pictures:
        item: dict[str, Any] = {"name": picture.name, "source": _embed_grey(picture.image), "below": picture.below}
        if box is not None:
            width, height = pictures[0].image.shape
            item["box"] = {
                "left": f"{100 * box.top / width:.2f}%",
                "width": f"{100 * box.side / width:.2f}%",
                "bottom": f"{100 * box.left / height:.2f}%",
                "height": f"{100 * box.side / height:.2f}%",
            }
            item["zoom"] = _embed_grey(_cut(picture.image, box, pictures[0].image.shape))
        items.append({"box": None, "zoom": None} | item)
    html: Markup = elements().pictures(items, small)
    return html


def render_before_after(before: Picture, after: Picture, *, label: str) -> Markup:
    """Lay two pictures side by side; the page's script puts them under a slider."""
    pair = ({"name": picture.name, "source": _embed_grey(picture.image)} for picture in (before, after))
    html: Markup = elements().before_after(*pair, label)
    return html


def _cut(image: Array, box: Box, shape: tuple[int, ...]) -> Array:
    """Cut the same part of the head out of an image that may have fewer pixels."""
    rows, columns = (image.shape[axis] / shape[axis] for axis in (0, 1))
    top, left = round(box.top * rows), round(box.left * columns)
    return image[top : top + max(1, round(box.side * rows)), left : left + max(1, round(box.side * columns))]


def _embed_grey(image: Array) -> str:
    tones = np.rint(np.clip(image, 0.0, 1.0).T[::-1] * 255).astype(np.uint8)
    return embed_picture(np.ascontiguousarray(tones))
