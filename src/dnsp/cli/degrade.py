"""`dnsp degrade`: simulate a scan of lower resolution or of a lower field."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import track

from dnsp.errors import DnspError, SettingError
from dnsp.volume import Plane, Volume

if TYPE_CHECKING:
    from dnsp.acquisition import LowField, Resolution
    from dnsp.cohorts import Changed

__all__ = ["degrade"]

Kind: TypeAlias = Literal["blur", "kspace", "low-field"]


def degrade(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A scan (NIfTI, DICOM folder, zip or file), or a folder of scans.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The scan to write, or a folder for them.")],
    kind: Annotated[
        Kind, typer.Option(help="blur: Gaussian and block means; kspace: its central part; low-field: a lower field.")
    ] = "blur",
    scale: Annotated[int, typer.Option(help="Divide the resolution by 2, 3 or 4 along both axes of the plane.")] = 2,
    sigma_px: Annotated[
        float, typer.Option(min=0.0, help="Standard deviation of the blur, in voxels of the scan.")
    ] = 1.0,
    plane: Annotated[Plane, typer.Option(help="The plane of the slices, found by the scan's affine.")] = "axial",
    low_tesla: Annotated[float, typer.Option(help="low-field: the field to simulate, 0.1 to 3 T.")] = 1.5,
    high_tesla: Annotated[float, typer.Option(help="low-field: the field of the scan.")] = 3.0,
    repetition_time: Annotated[float | None, typer.Option("--tr", help="low-field: repetition time in ms.")] = None,
    echo_time: Annotated[float | None, typer.Option("--te", help="low-field: echo time in ms.")] = None,
    flip_angle: Annotated[float | None, typer.Option("--flip", help="low-field: flip angle in degrees.")] = None,
    bandwidth_ratio: Annotated[
        float, typer.Option(help="low-field: readout bandwidth at low field over that of the scan.")
    ] = 1.0,
    noise_sigma: Annotated[
        float | None, typer.Option(help="low-field: the scan's own noise in its units; estimated by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="low-field: what the noise follows from, with the file's name.")] = 0,
    series: Annotated[
        str | None, typer.Option(help="The end of the SeriesInstanceUID to read, where a folder holds more than one.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Make the low-quality scan that a method is to enhance, as the paper does: lower resolution, or a lower field.

    Exit code 0: all done. 1: some scan failed, the others are done. 2: the call was wrong and nothing was done.
    """
    from dnsp.acquisition import LowField
    from dnsp.cohorts import FileOptions, change_file, find_inputs
    from dnsp.io import nifti_stem

    low_field = None
    if kind == "low-field":
        if repetition_time is None or echo_time is None or flip_angle is None:
            raise SettingError(
                "a lower field needs the sequence of the scan: give --tr, --te (ms) and --flip (degrees)"
            )
        low_field = LowField(
            repetition_time_ms=repetition_time,
            echo_time_ms=echo_time,
            flip_angle_deg=flip_angle,
            low_tesla=low_tesla,
            high_tesla=high_tesla,
            bandwidth_ratio=bandwidth_ratio,
        )
        typer.echo(
            f"f = {low_field.relaxation_correction:.4f}, signal x {low_field.signal_gain:.4f}, "
            f"added noise {low_field.added_noise_gain:.4f} of the scan's own"
        )
    elif scale not in (2, 3, 4):
        raise SettingError(f"--scale must be 2, 3 or 4, not {scale}")
    options = FileOptions(series_uid=series, overwrite=overwrite)
    inputs = find_inputs(source, output, options=options)
    errors = Console(stderr=True)
    failed = 0
    for scan, target in track(inputs, "degrading", console=errors, transient=True):
        if low_field is not None:
            change = partial(
                _lower_field, settings=low_field, name=nifti_stem(scan), seed=seed, noise_sigma=noise_sigma
            )
        else:
            change = partial(_lower_resolution, kind=kind, scale=scale, plane=plane, sigma_px=sigma_px)  # type: ignore[arg-type]  # low-field is done with
        try:
            if len(inputs) > 1 or output.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
            change_file(scan, target, change, options=options)
        except DnspError as error:
            if len(inputs) == 1:
                raise
            failed += 1
            errors.print(f"dnsp: error: {error}", highlight=False, soft_wrap=True, markup=False)
    if failed:
        errors.print(f"{len(inputs) - failed} of {len(inputs)} scans degraded", highlight=False)
        raise typer.Exit(1)


def _lower_resolution(volume: Volume, *, kind: Resolution, scale: int, plane: Plane, sigma_px: float) -> Changed:
    from dnsp.acquisition import degrade_volume
    from dnsp.cohorts import Changed

    degraded = degrade_volume(volume, scale=scale, plane=plane, sigma_px=sigma_px, kind=kind)
    facts = {"Kind": kind, "Scale": scale, "Plane": plane} | ({"SigmaPixels": sigma_px} if kind == "blur" else {})
    return Changed(degraded, f"Resolution lowered x{scale} ({kind})", facts)


def _lower_field(volume: Volume, *, settings: LowField, name: str, seed: int, noise_sigma: float | None) -> Changed:
    from dataclasses import asdict

    from dnsp.acquisition import estimate_noise_sigma, lower_field_volume
    from dnsp.cohorts import Changed

    sigma = estimate_noise_sigma(volume.voxels) if noise_sigma is None else noise_sigma
    lowered = lower_field_volume(volume, settings=settings, subject_id=name, seed=seed, noise_sigma=sigma)
    facts = {
        "Kind": "low-field",
        **asdict(settings),
        "f": settings.relaxation_correction,
        "SignalGain": settings.signal_gain,
        "NoiseSigmaOfScan": sigma,
        "AddedNoiseGain": settings.added_noise_gain,
        "Seed": seed,
    }
    return Changed(lowered, f"Field lowered {settings.high_tesla:g} T to {settings.low_tesla:g} T", facts)
