"""`dnsp enhance`: enlarge and sharpen a scan, or every scan of a folder or a BIDS data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from dnsp.cli.cohort_options import (
    BidsFilterFile,
    Cluster,
    Compression,
    Inputs,
    Jobs,
    MoreInputs,
    ParticipantLabels,
    Preview,
    Quiet,
    Report,
    ScanSuffixes,
    SessionLabels,
    StoredTypeOption,
    Verbose,
    folder_of_log,
    read_call,
    read_report,
    read_selection,
    read_workers,
)
from dnsp.cli.messages import warn
from dnsp.cli.options import Overwrite, SeriesUid, VolumeNumber
from dnsp.cli.progress import JobProgress
from dnsp.cli.run_log import Level, RunLog
from dnsp.errors import SettingError
from dnsp.volume import Plane

__all__ = ["enhance"]

MethodName: TypeAlias = Literal["network", "bicubic", "spline", "sinc", "lrtv", "lrtv-tuned", "srsw"]

ProfileName: TypeAlias = Literal["auto", "gaussian", "box", "sinc"]

PAPER_MODEL_WARNING = (
    "this model undoes a Gaussian blur of 1 pixel with block means and harms scans that have another blur or noise (by up to "
    "10 dB); use the default model (leave out --model) unless you know that your scan has this blur"
)
_MOST_THREADS = 1024


def enhance(
    paths: Inputs = None,
    inputs: MoreInputs = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, or a folder for the results.")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            help="Enlarge by 2, 3 or 4 along both axes of the plane. The default is the scale of the model, or 2. "
            "Use 1 for a model that keeps the grid."
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="MM[,MM,MM]",
            help="Instead of --scale: the spacing of the result in mm, one number for all axes or three for i, j and k. native "
            "keeps the spacing of an axis. For the default model, the interpolations and lrtv.",
        ),
    ] = None,
    isotropic: Annotated[
        bool,
        typer.Option("--isotropic", help="Instead of --scale: the finest spacing of the scan, for all axes."),
    ] = False,
    slice_thickness: Annotated[
        float | None,
        typer.Option(
            metavar="MM",
            help="The thickness of the slices. By default what the DICOM header or the JSON file beside the scan says, else "
            "the distance between slices.",
        ),
    ] = None,
    slice_profile: Annotated[
        ProfileName, typer.Option(help="The shape of the slices. auto: a Gaussian is assumed, and not relied on.")
    ] = "auto",
    method: Annotated[
        MethodName,
        typer.Option(
            help="A trained network; bicubic, spline or sinc interpolation, which invent nothing; lrtv, or "
            "lrtv-tuned for scans without noise; or srsw, "
            "which needs --database."
        ),
    ] = "network",
    blur: Annotated[
        str,
        typer.Option(
            metavar="auto|SIGMA|kspace|hamming|hann|fermi",
            help="How the scan was sampled, for the default model. auto estimates it and leans to the sharper side. SIGMA is "
            "a Gaussian before block means, in output voxels; 0 is block means alone. kspace is truncated k-space; the "
            "others are its windows. Where it is given, the network looks at each slice twice and takes twice the time.",
        ),
    ] = "auto",
    noise: Annotated[
        str,
        typer.Option(
            metavar="auto|FRACTION",
            help="Noise of the scan, for the default model: its standard deviation as a fraction of the 99.9th percentile.",
        ),
    ] = "auto",
    refine: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            help="With --spacing or --isotropic, for the default model: go on training on the scan's own slices for so many "
            "minutes, and keep the result of the training if it is better on slices held out. After a stop, the same command "
            "goes on.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Treat the warnings about a result as errors: do not write it, and exit with code 1."
        ),
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Write a map of the standard error beside the result, NAME_uncertainty."),
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="The name of an included model, or a .safetensors file that dnsp train wrote.",
        ),
    ] = "default",
    trust: Annotated[
        str,
        typer.Option(
            metavar="PACKAGE.MODULE:CLASS",
            help="Import this network class. A model of your own network needs it; give it only for code that you trust.",
        ),
    ] = "",
    database: Annotated[
        Path | None, typer.Option(help="For --method srsw: the patches that dnsp database wrote.")
    ] = None,
    plane: Annotated[Plane, typer.Option(help="The plane of the slices.")] = "axial",
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="For a network: auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            metavar="PRECISION",
            help="For a network: auto, float32 or bfloat16. auto is bfloat16 on hardware that supports it, else float32.",
        ),
    ] = "auto",
    threads: Annotated[
        int, typer.Option(help="CPU threads of each scan. With 0, the cores are shared out among the --jobs.")
    ] = 0,
    fill_non_finite: Annotated[
        float | None,
        typer.Option(help="Replace NaN and infinite voxels by this intensity. By default they are an error."),
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Write a derived DICOM series (a folder). The scans must be DICOM.")
    ] = False,
    series: SeriesUid = None,
    volume: VolumeNumber = None,
    participant_label: ParticipantLabels = None,
    session_label: SessionLabels = None,
    suffix: ScanSuffixes = None,
    bids_filter_file: BidsFilterFile = None,
    dtype: StoredTypeOption = "auto",
    compression: Compression = None,
    report: Report = None,
    preview: Preview = False,
    jobs: Jobs = 1,
    cluster: Cluster = "",
    overwrite: Overwrite = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Enlarge and sharpen scans: one, several, a folder, or a BIDS data set.

    dnsp enhance scan.nii.gz -o sharp.nii.gz enhances a scan. dnsp enhance BIDS_DIR OUT participant enhances the anatomical
    scans of a BIDS data set; OUT may be BIDS_DIR/derivatives/dnsp. Scans that are done are skipped. After a stop, run the
    same command again.

    The default model estimates the noise and the blur of each scan and sharpens it accordingly. If you know how the scan was
    acquired, say so with --blur and --noise: the gain is larger. --spacing and --isotropic make thick slices thin. The .json
    beside the result says what was found, whether the result agrees with the scan, and how far it overshoots. --model
    paper-x2 (x3, x4) undoes the paper's blur alone.

    Exit code 0: all scans are done, now or before. 1: at least one scan failed, and the others are done. 2: the command was
    wrong, and nothing was done.
    """
    if not 0 <= threads <= max(_MOST_THREADS, os.cpu_count() or 1):
        raise SettingError(f"--threads must be from 0 to {_MOST_THREADS}, not {threads}")

    if isotropic and spacing is not None:
        raise SettingError("--isotropic and --spacing exclude each other: give one of them")
    call = read_call(paths, inputs, output)
    selection = read_selection(call, participant_label, session_label, suffix, bids_filter_file)

    from dnsp.cohorts import EnhancementSettings, FileOptions, enhance_bids, enhance_files, summarise_cohort
    from dnsp.io import COMPRESSION_LEVEL
    from dnsp.methods import set_threads
    from dnsp.methods.target_grid import read_spacing
    from dnsp.networks import included_models

    if call.of_group:
        typer.echo(f"the index is {summarise_cohort(call.output)}", err=True)
        return
    set_threads(threads)
    workers = read_workers(jobs, cluster, threads)
    settings = EnhancementSettings(
        method=method,
        scale=scale,
        spacing_mm="isotropic" if isotropic else None if spacing is None else read_spacing(spacing),
        slice_thickness_mm=slice_thickness,
        slice_profile=slice_profile,
        model=model,
        trust=trust,
        database=database,
        device=device,
        precision=precision,  # type: ignore[arg-type]  # checked there
        blur=blur,
        noise=noise,  # type: ignore[arg-type]  # likewise
        refine_minutes=refine,
        plane=plane,
        with_uncertainty=uncertainty,
        strict=strict,
    )
    settings.choose()
    if method == "network" and model != "default" and model in included_models():
        warn(PAPER_MODEL_WARNING)
    options = FileOptions(
        dicom=dicom,
        series_uid=series,
        volume=volume,
        fill_non_finite=fill_non_finite,
        overwrite=overwrite,
        stored_type=dtype,
        compression=COMPRESSION_LEVEL if compression is None else compression,
        page=read_report(call, report, dicom=dicom),
        preview=preview,
    )
    log = RunLog(Level.QUIET if quiet else Level.VERBOSE if verbose else Level.NORMAL, folder_of_log(call, dicom=dicom))
    with log, JobProgress("enhancing", log) as progress:
        if selection is not None:
            results = enhance_bids(
                call.sources[0],
                call.output,
                settings,
                selection=selection,
                options=options,
                workers=workers,
                callback=progress,
            )
        else:
            results = enhance_files(
                call.sources, call.output, settings, options=options, workers=workers, callback=progress
            )
        failed = sum(result.error is not None for result in results)
        before = sum(result.value == "done before" for result in results)
        log.summary(
            f"{len(results) - failed - before} of {len(results)} scans enhanced"
            + (f", {before} were done before" if before else "")
            + (f", {failed} failed" if failed else "")
        )
    if failed:
        raise typer.Exit(1)
