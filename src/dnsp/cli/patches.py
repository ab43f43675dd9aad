"""`dnsp patches`: list the sharpest and smoothest training patches for a person to check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnsp.cli.options import Cohort, Entities, Pattern, Subjects, Suffix, read_entities, split_commas
from dnsp.cli.progress import JobProgress

__all__ = ["patches"]


def patches(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for patches.tsv and the two contact sheets.")],
    recipe: Annotated[Path | None, typer.Option(help="The recipe that dnsp train will use.")] = None,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    split: Annotated[Path | None, typer.Option(help="The split.json that dnsp train will use.")] = None,
    test: Annotated[int | None, typer.Option(min=0, help="The --test that dnsp train will use.")] = None,
    validation: Annotated[int | None, typer.Option(min=0, help="The --validation that dnsp train will use.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier list and its edits.")] = False,
) -> None:
    """List patches for the sharpness filters.

    The learnable sharpness filters are trained on the sharpest and the smoothest patches of the training slices.
    Look at sharp.png and smooth.png. To drop a patch, change yes to no in the first column of patches.tsv. Then run
    dnsp
    train with --patch-list patches.tsv.
    """
    from dnsp.data import find_cohort
    from dnsp.training import make_config, write_filter_patches

    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
    )
    config = make_config(recipe, {"validation_subjects": validation, "test_subjects": test})
    with JobProgress("reading") as progress:
        count = write_filter_patches(scans, output, config=config, split=split, overwrite=overwrite, callback=progress)
    typer.echo(f"{count} candidates are in {output}: patches.tsv, sharp.png, smooth.png")
