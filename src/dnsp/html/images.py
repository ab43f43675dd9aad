"""Images as part of a page."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import numpy.typing as npt

from dnsp.errors import MissingExtraError

__all__ = ["embed", "embed_picture"]


def embed(content: bytes, *, kind: str) -> str:
    """Give an image as an address that needs no other file; `kind` is ``svg+xml`` or ``png``.

    Examples
    --------
    >>> embed(b"<svg/>", kind="svg+xml")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embed_picture(picture: npt.NDArray[np.uint8]) -> str:
    """Give a grey picture as an address that needs no other file (a PNG without loss).

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W)
        The top row comes first.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", extra="report") from error
    packed = BytesIO()
    Image.fromarray(picture).save(packed, format="PNG", optimize=True)
    return embed(packed.getvalue(), kind="png")
