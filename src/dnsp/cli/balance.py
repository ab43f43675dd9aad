"""`dnsp balance`: measure how strongly each term of the loss pulls on your data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dnsp.cli.options import Cohort, Entities, Pattern, Subjects, Suffix, read_entities, split_commas

__all__ = ["balance"]


def balance(
    cohort: Cohort,
    recipe: Annotated[Path | None, typer.Option(help="The recipe that dnsp train will use.")] = None,
    subject: Subjects = None,
    suffix: Suffix = "T1w",
    entity: Entities = None,
    pattern: Pattern = "",
    ratio: Annotated[
        float, typer.Option(help="The size of a prior's gradient, relative to that of the data term.")
    ] = 0.1,
    model: Annotated[
        str,
        typer.Option(help="Measure at the output of this model; by default half-way between bicubic and reference."),
    ] = "",
    trust: Annotated[
        str,
        typer.Option(
            metavar="PACKAGE.MODULE:CLASS",
            help="Import this network class. A model of your own network needs it; give it only for code that you trust.",
        ),
    ] = "",
    batches: Annotated[int, typer.Option(min=1, help="Batches to average over.")] = 10,
) -> None:
    """Measure the gradient of every term of the loss.

    Printed are the gradient norms on your data, and the weights that give every prior the chosen ratio to the data term.
    """
    from dnsp.data import find_cohort
    from dnsp.training import make_config, measure_balance

    scans = find_cohort(
        cohort,
        subjects=split_commas(subject, "--subject"),
        suffix=suffix,
        entities=read_entities(entity),
        pattern=pattern,
    )
    config = make_config(recipe)
    terms = measure_balance(scans, config=config, model=model, trust=trust, batches=batches, ratio=ratio)
    where = f"the output of {model}" if model else "half-way between bicubic and reference"
    caption = (
        f"L2 norms with respect to the estimate, {where}; means of at most {batches} batches of "
        f"{config.optimiser.batch_size} patches of {config.patches.size} x {config.patches.size}; data term reduced by "
        f"{'sum' if config.loss.sums_pixels else 'mean'}"
    )
    table = Table("term", "gradient norm", "weight now", "ratio now", f"weight for {ratio:g}", caption=caption)
    for term in terms:
        table.add_row(
            f"{term.term} ({term.setting})" if term.setting else term.term,
            f"{term.norm:.3e}",
            f"{term.weight:.1e}",
            f"{term.ratio:.3f}",
            f"{term.balanced_weight:.2e}" if term.setting else "-",
        )
    Console().print(table)
