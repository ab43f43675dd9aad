"""`dnsp degrade`: simulate a low-resolution scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnsp.volume import Plane

__all__ = ["degrade"]


def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A NIfTI scan.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The scan to write.")],
    scale: Annotated[int, typer.Option(help="Divide the resolution by 2, 3 or 4 along both axes of the plane.")] = 2,
    sigma_px: Annotated[
        float, typer.Option(min=0.0, help="Standard deviation of the blur, in voxels of the scan.")
    ] = 1.0,
    plane: Annotated[Plane, typer.Option(help="The plane of the slices, found by the scan's affine.")] = "axial",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
) -> None:
    """Lower a scan's resolution as the paper does: Gaussian blur, then the mean of each block."""
    from dnsp.enhancement import degrade_volume  # noqa: PLC0415
    from dnsp.io import read_nifti, require_writable_nifti, write_nifti  # noqa: PLC0415

    require_writable_nifti(output, overwrite=overwrite)
    degraded = degrade_volume(read_nifti(source), scale=scale, plane=plane, sigma_px=sigma_px)
    write_nifti(degraded, output, overwrite=overwrite)
