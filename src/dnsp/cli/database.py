"""`dnsp database`: draw the patches of training subjects that SRSW searches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnsp.cli.options import Cohort, Entities, Overwrite, Pattern, Subjects, Suffix, read_entities, split_commas
from dnsp.cli.progress import JobProgress

__all__ = ["database"]


def database(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")],
    scale: Annotated[int, typer.Option(help="The scale of the enhancement: 2, 3 or 4.")] = 2,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    slices: Annotated[int, typer.Option(min=1, help="Slices of each subject.")] = 40,
    patches: Annotated[int, typer.Option(min=1, help="Patches of each subject.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the draw, which also depends on each subject's name.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw a database of patches for SRSW.

    Use training subjects only. Give the database to dnsp enhance --method srsw with --database.
    """
    from dnsp.data import find_cohort
    from dnsp.io.inputs import require_not_input
    from dnsp.training import draw_database

    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
    )
    if cohort.is_file():
        require_not_input(output, cohort)
    with JobProgress("reading") as progress:
        drawn = draw_database(
            scans,
            output,
            scale=scale,
            slices=slices,
            patches=patches,
            seed=seed,
            overwrite=overwrite,
            callback=progress,
        )
    typer.echo(f"{output}: {len(drawn.low)} patches of {len(scans)} subjects")
