"""Slices as PNG inside HTML: grids with a zoomed box, and pairs under a slider."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError
from dnsp.plotting.comparison import Box
from dnsp.reproduction.report.page import embed

__all__ = ["Picture", "render_before_after", "render_pictures"]

Array = npt.NDArray[Any]


class Picture(NamedTuple):
    """A slice or patch (H, W) on the unit scale, first axis to the right, second upwards; its name and ready HTML below."""

    name: str
    image: Array
    below: str = ""


def render_pictures(pictures: Sequence[Picture], *, box: Box | None = None, small: bool = False) -> str:
    """Lay pictures out in a grid that wraps; with a box (in pixels of the first) each is shown whole and enlarged."""
    cells = []
    for picture in pictures:
        whole = _embed_grey(picture.image, alt=picture.name)
        zoom = ""
        if box is not None:
            height, width = pictures[0].image.shape[1], pictures[0].image.shape[0]
            place = (
                f"left:{100 * box.top / width:.2f}%;width:{100 * box.side / width:.2f}%;"
                f"bottom:{100 * box.left / height:.2f}%;height:{100 * box.side / height:.2f}%"
            )
            whole += f'<span class="box" style="{place}"></span>'
            cut = _cut(picture.image, box, pictures[0].image.shape)
            zoom = f'<div class="zoom">{_embed_grey(cut, alt=f"{picture.name}, the box enlarged")}</div>'
        figures = f'<span class="figures">{picture.below}</span>' if picture.below else ""
        cells.append(
            f'<div class="picture"><span class="name">{escape(picture.name)}</span>'
            f'<div class="frame">{whole}</div>{zoom}{figures}</div>'
        )
    return f'<div class="pictures{" small" if small else ""}">\n' + "\n".join(cells) + "\n</div>"


def render_before_after(before: Picture, after: Picture, *, label: str) -> str:
    """Lay two pictures side by side; the page's script lays them over each other under a slider."""
    return (
        '<div class="before-after">\n<div class="stack">\n'
        f'<figure class="before">{_embed_grey(before.image, alt=before.name)}'
        f"<figcaption>{escape(before.name)}</figcaption></figure>\n"
        f'<figure class="after">{_embed_grey(after.image, alt=after.name)}'
        f"<figcaption>{escape(after.name)}</figcaption></figure>\n</div>\n"
        f'<input type="range" min="0" max="100" value="50" hidden aria-label="{escape(label)}">\n</div>'
    )


def _cut(image: Array, box: Box, shape: tuple[int, ...]) -> Array:
    """Cut the same part of the head out of an image that may have fewer pixels."""
    rows, columns = (image.shape[axis] / shape[axis] for axis in (0, 1))
    top, left = round(box.top * rows), round(box.left * columns)
    return image[top : top + max(1, round(box.side * rows)), left : left + max(1, round(box.side * columns))]


def _embed_grey(image: Array, *, alt: str) -> str:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", extra="report") from error
    tones = np.rint(np.clip(image, 0.0, 1.0).T[::-1] * 255).astype(np.uint8)
    page = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tones)).save(page, format="PNG", optimize=True)
    return embed(page.getvalue(), kind="png", alt=alt)
