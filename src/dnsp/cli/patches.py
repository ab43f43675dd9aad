"""`dnsp patches`: the sharpest and smoothest training patches, for a person to look through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from dnsp.cli.options import Cohort, Entities, Pattern, Subjects, Suffix, read_entities, split_commas

__all__ = ["patches"]


def patches(
    cohort: Cohort,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for patches.tsv and the two contact sheets.")],
    recipe: Annotated[Path | None, typer.Option(help="The recipe of the training to come.")] = None,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    split: Annotated[Path | None, typer.Option(help="The split.json of the training to come.")] = None,
    test: Annotated[int, typer.Option(min=0, help="As dnsp train will have it: subjects kept for testing.")] = 0,
    validation: Annotated[int | None, typer.Option(min=0, help="As dnsp train will have it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier list, edits and all.")] = False,
) -> None:
    """Find the candidates for the learnable sharpness filters.

    Look at sharp.png and smooth.png, write no for yes in the list's first column to drop a patch, and give the list to dnsp
    train --patch-list.
    """
    from dnsp.data import find_cohort, split_cohort
    from dnsp.io.atomic import make_folder, require_writable
    from dnsp.plotting import ContactPrint, draw_contact_sheet
    from dnsp.training import TrainingConfig, find_candidates, make_pairs, read_recipe, write_patch_list

    config = read_recipe(recipe) if recipe else TrainingConfig()
    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
    )
    training, _, _ = split_cohort(
        scans,
        split_file=split,
        test=test,
        validation=config.validation_subjects if validation is None else validation,
        seed=config.seed,
    )
    make_folder(output)
    require_writable(output / "patches.tsv", overwrite=overwrite)
    errors = Console(stderr=True)
    pairs = [
        make_pairs(scan, settings=config.pairs)
        for scan in track(training, "reading scans", console=errors, transient=True)
    ]
    candidates = find_candidates(pairs, patch_size=config.patches.size)
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
