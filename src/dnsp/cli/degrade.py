"""`dnsp degrade`: make a low-quality scan from a scan, or from every scan of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from dnsp.cli.options import Overwrite, SeriesUid, VolumeNumber, refuse_unused
from dnsp.cli.progress import JobProgress
from dnsp.volume import Plane

__all__ = ["degrade"]

DegradationName: TypeAlias = Literal["blur", "kspace", "thick-slices", "low-field"]
ProfileName: TypeAlias = Literal["gaussian", "box", "sinc"]

_OF_LOW_FIELD = (
    "--low-tesla",
    "--high-tesla",
    "--tr",
    "--te",
    "--flip",
    "--bandwidth-ratio",
    "--noise-sigma",
    "--seed",
)
_OF_SLICES = ("--slice-thickness", "--slice-spacing", "--slice-profile")
_WITHOUT_EFFECT = {
    "blur": (*_OF_SLICES, *_OF_LOW_FIELD),
    "kspace": ("--sigma-px", *_OF_SLICES, *_OF_LOW_FIELD),
    "thick-slices": ("--scale", "--sigma-px", *_OF_LOW_FIELD),
    "low-field": ("--scale", "--sigma-px", "--plane", *_OF_SLICES),
}


def degrade(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A scan (NIfTI, DICOM folder, zip or file), or a folder of scans.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, or a folder for the results of a folder.")
    ],
    degradation: Annotated[
        DegradationName | None,
        typer.Option(
            help="blur: a Gaussian blur and block means. kspace: the central part of k-space. thick-slices: slices of "
            "--slice-thickness, --slice-spacing apart. low-field: the contrast and noise of a lower field. "
            "[default: thick-slices if one of these two is given, else blur]",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        int, typer.Option(help="For blur and kspace: divide the resolution by 2, 3 or 4 along both axes of the plane.")
    ] = 2,
    sigma_px: Annotated[
        float, typer.Option(min=0.0, help="For blur: the standard deviation of the Gaussian, in voxels of the scan.")
    ] = 1.0,
    slice_thickness: Annotated[
        float | None,
        typer.Option(metavar="MM", help="For thick-slices: full width of a slice. By default the distance: no gap."),
    ] = None,
    slice_spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="For thick-slices: distance between the centres. By default the thickness."),
    ] = None,
    slice_profile: Annotated[ProfileName, typer.Option(help="For thick-slices: the shape of the slices.")] = "gaussian",
    plane: Annotated[Plane, typer.Option(help="For all but low-field: the plane of the slices.")] = "axial",
    low_tesla: Annotated[float, typer.Option(help="For low-field: the field to simulate, 0.1 to 3 T.")] = 1.5,
    high_tesla: Annotated[float, typer.Option(help="For low-field: the field of the scan, in T.")] = 3.0,
    repetition_time: Annotated[
        float | None, typer.Option("--tr", help="For low-field: the repetition time of the scan, in ms.")
    ] = None,
    echo_time: Annotated[
        float | None, typer.Option("--te", help="For low-field: the echo time of the scan, in ms.")
    ] = None,
    flip_angle: Annotated[
        float | None, typer.Option("--flip", help="For low-field: the flip angle of the scan, in degrees.")
    ] = None,
    bandwidth_ratio: Annotated[
        float, typer.Option(help="For low-field: the readout bandwidth at the low field, divided by that of the scan.")
    ] = 1.0,
    noise_sigma: Annotated[
        float | None,
        typer.Option(help="For low-field: the noise of the scan, in its units. By default it is estimated."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="For low-field: seed of the noise, which also depends on the file's name.")
    ] = 0,
    series: SeriesUid = None,
    volume: VolumeNumber = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a low-quality scan: lower resolution, thick slices, or a lower field.

    Exit code 0: all scans are done. 1: at least one scan failed, and the others are done. 2: the command was wrong, and
    nothing was done.
    """
    if degradation is None:
        degradation = "blur" if slice_thickness is None and slice_spacing is None else "thick-slices"
    refuse_unused(ctx, _WITHOUT_EFFECT[degradation], reason=f"has no effect with --degradation {degradation}")

    from dnsp.acquisition import DegradationSettings, make_low_field
    from dnsp.cohorts import FileOptions, degrade_files

    low_field = None
    if degradation == "low-field":
        low_field = make_low_field(
            repetition_time_ms=repetition_time,
            echo_time_ms=echo_time,
            flip_angle_deg=flip_angle,
            low_tesla=low_tesla,
            high_tesla=high_tesla,
            bandwidth_ratio=bandwidth_ratio,
        )
    settings = DegradationSettings(
        degradation=degradation,
        scale=scale,
        plane=plane,
        sigma_px=sigma_px,
        slice_spacing_mm=slice_spacing,
        slice_thickness_mm=slice_thickness,
        slice_profile=slice_profile,
        low_field=low_field,
        noise_sigma=noise_sigma,
        seed=seed,
    )
    if low_field is not None:
        typer.echo(
            f"f = {low_field.relaxation_correction:.4f}, signal x {low_field.signal_gain:.4f}, "
            f"added noise {low_field.added_noise_gain:.4f} of the scan's own"
        )
    options = FileOptions(series_uid=series, volume=volume, overwrite=overwrite)
    with JobProgress("degrading") as progress:
        results = degrade_files(source, output, settings, options=options, callback=progress)
    failed = sum(result.error is not None for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} scans degraded", err=True)
    if failed:
        raise typer.Exit(1)
