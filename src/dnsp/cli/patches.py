"""`dnsp patches`: the sharpest and smoothest training patches, for a person to look through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from dnsp.cli.cohort import Cohort, Entities, Series, Subjects, Suffix, find_cohort, split_cohort

__all__ = ["patches"]


def patches(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for patches.tsv and the two contact sheets.")],
    recipe: Annotated[Path | None, typer.Option(help="The recipe of the training to come.")] = None,
    subjects: Subjects = "",
    suffix: Suffix = "T1w",
    entity: Entities = None,
    series: Series = "",
    split: Annotated[Path | None, typer.Option(help="The split.json of the training to come.")] = None,
    test: Annotated[int, typer.Option(min=0, help="As dnsp train will have it: subjects kept for testing.")] = 0,
    validation: Annotated[int | None, typer.Option(min=0, help="As dnsp train will have it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier list, edits and all.")] = False,
) -> None:
    """Find the candidates for the learnable sharpness filters.

    Look at sharp.png and smooth.png, write no for yes in the list's first column to drop a patch, and give the list to dnsp
    train --patch-list.
    """
    from dnsp.io.atomic import require_writable
    from dnsp.plotting import ContactPrint, draw_contact_sheet
    from dnsp.training import find_candidates, make_config, make_pairs, write_patch_list

    config = make_config(recipe)
    scans = find_cohort(cohort, subjects=subjects, suffix=suffix, entities=entity, series=series)
    training, _, _ = split_cohort(
        scans,
        split_file=split,
        test=test,
        validation=config.validation_subjects if validation is None else validation,
        seed=config.seed,
    )
    output.mkdir(parents=True, exist_ok=True)
    require_writable(output / "patches.tsv", overwrite=overwrite)
    errors = Console(stderr=True)
    pairs = [
        make_pairs(scan, settings=config.pairs)
        for scan in track(training, "reading scans", console=errors, transient=True)
    ]
    candidates = find_candidates(
        pairs, patch_size=config.filter_patch_size, minimum_head=config.filter_patches.minimum_head
    )
    references = {subject.subject_id: subject.reference for subject in pairs}
    for kind in ("sharp", "smooth"):
        prints = [
            ContactPrint(
                references[patch.subject_id][
                    patch.slice, 0, patch.top : patch.top + patch.size, patch.left : patch.left + patch.size
                ].numpy(),
                f"{line}: {patch.subject_id}, {patch.slice}",
            )
            for line, patch in enumerate(candidates, start=2)
            if patch.kind == kind
        ]
        title = f"{kind} candidates (line of patches.tsv: subject, slice)"
        draw_contact_sheet(prints, output / f"{kind}.png", title=title, overwrite=True)
    write_patch_list(candidates, output / "patches.tsv", overwrite=overwrite)
    typer.echo(f"{len(candidates)} candidates are in {output}: patches.tsv, sharp.png, smooth.png")
