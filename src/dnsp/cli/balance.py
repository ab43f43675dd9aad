"""`dnsp balance`: how strongly each term of the objective pulls on one's own data, and weights that make them comparable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dnsp.cli.cohort import Cohort, Entities, Series, Subjects, Suffix, find_cohort

__all__ = ["balance"]

_OPTION_OF_TERM = {"low_rank": "alpha", "sharpness": "beta", "total_variation": "total_variation_weight"}


def balance(
    cohort: Cohort,
    recipe: Annotated[Path | None, typer.Option(help="The recipe of the training to come.")] = None,
    subjects: Subjects = "",
    suffix: Suffix = "T1w",
    entity: Entities = None,
    series: Series = "",
    ratio: Annotated[float, typer.Option(help="Wanted size of a prior's gradient beside the data term's.")] = 0.1,
    model: Annotated[
        str, typer.Option(help="Measure at this model's output; by default half-way between bicubic and reference.")
    ] = "",
    network_class: Annotated[
        str,
        typer.Option("--network", help="package.module:Class, if the model is of your own network: it is imported."),
    ] = "",
    batches: Annotated[int, typer.Option(min=1, help="Batches to average over.")] = 10,
) -> None:
    """Print the gradient norm of every term, and the weights at which the priors are of a chosen ratio to the data term."""
    import torch

    from dnsp.networks import load_model
    from dnsp.priors import Objective, balanced_weights, gradient_norms
    from dnsp.training import Patches, TrainingConfig, make_pairs, read_recipe, shuffled_batches

    config = read_recipe(recipe) if recipe else TrainingConfig()
    scans = find_cohort(cohort, subjects=subjects, suffix=suffix, entities=entity, series=series)
    network = load_model(model, scale=config.pairs.scale, trusted_class=network_class).network if model else None
    pairs = [make_pairs(scan, settings=config.pairs, network=network) for scan in scans]
    patches = Patches(pairs, settings=config.patches, seed=config.seed, epoch=0)
    # Fixed filters stand for the learned ones, which start there; total variation is measured beside them.
    objectives = [Objective(replace(config.objective, preset=preset)) for preset in ("LR", "FS", "TVLR")]
    sums: dict[str, float] = {}
    used = 0
    for used, batch in enumerate(
        shuffled_batches(patches, batch_size=config.optimiser.batch_size, seed=config.seed, epoch=0), start=1
    ):
        with torch.inference_mode():
            estimate = network(batch.enlarged) if network else (batch.enlarged[:, :1] + batch.reference) / 2
        norms = {term: norm for o in objectives for term, norm in gradient_norms(o, estimate, batch.reference).items()}
        sums = {term: sums.get(term, 0.0) + norm for term, norm in norms.items()}
        if used == batches:
            break
    means = {term: total / used for term, total in sums.items()}
    wanted = balanced_weights(means, ratio=ratio)  # type: ignore[arg-type]  # the keys are terms

    where = f"the output of {model}" if model else "half-way between bicubic and reference"
    caption = (
        f"L2 norms with respect to the estimate, {where}; means of {used} batches of {config.optimiser.batch_size} patches of "
        f"{config.patches.size} x {config.patches.size}; data term reduced by {config.objective.reduction}"
    )
    table = Table("term", "gradient norm", "weight now", "ratio now", f"weight for {ratio:g}", caption=caption)
    for term, norm in means.items():
        now = 1.0 if term == "data" else getattr(config.objective, _OPTION_OF_TERM[term])
        table.add_row(
            term if term == "data" else f"{term} ({_OPTION_OF_TERM[term]})",
            f"{norm:.3e}",
            f"{now:.1e}",
            f"{now * norm / means['data']:.3f}",
            "-" if term == "data" else f"{wanted[term]:.2e}",  # type: ignore[index]
        )
    Console().print(table)
