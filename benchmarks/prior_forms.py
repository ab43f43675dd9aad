"""Look for a form of the priors that gives a clear gain where it matters: with few data, noise or thick slices.

The forms below are not in the paper. Each is first screened: where does its gradient lead beside the error of a network trained
without priors? Then it trains edsr-small beside the data term, on the first eight subjects of a cohort; the next two are
measured. With --test the first ten train and the next ten are measured. A finished training is not run again.

    python benchmarks/prior_forms.py ../shared/data/ds002748 screen
    python benchmarks/prior_forms.py ../shared/data/ds002748 train FORMS.jsonl --form none --form "bands, matched" --seeds 3
    python benchmarks/prior_forms.py ../shared/data/ds002748 table FORMS.jsonl
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dnsp.data import Scan
from dnsp.metrics import fit_crossed_model, psnr
from dnsp.networks import Network, build_network
from dnsp.priors import laplacian_variance, soft_rank
from dnsp.training import PairSettings, Patches, PatchSettings, SlicePairs, SliceSettings, make_pairs, shuffled_batches

PATCH, STRIDE, SEARCH, ALIKE = 6, 4, 2, 12  # similar patches: side, step, step of the others, how many
WIDE_DELTA = 0.05  # of stacks of patches without their mean


@dataclass(frozen=True, kw_only=True)
class Regime:
    """The data that a network learns from."""

    pairs: PairSettings
    patches: PatchSettings
    subjects: int | None
    steps: int


REGIMES = {
    "few data": Regime(
        pairs=PairSettings(slices_per_subject=8), patches=PatchSettings(), subjects=1, steps=900
    ),
    "noise 4 %": Regime(
        pairs=PairSettings(slices_per_subject=20, noise_percent=4.0),
        patches=PatchSettings(per_slice=8, fresh_each_epoch=True, augment=True), subjects=None, steps=360,
    ),
    "thick slices": Regime(
        pairs=PairSettings(
            degradation="slices", scale=1, slices_per_subject=20, slices=SliceSettings(spacing_px=4, thickness_px=4)
        ),
        patches=PatchSettings(per_slice=8, fresh_each_epoch=True, augment=True), subjects=None, steps=360,
    ),
}  # fmt: skip


def stacked_rank(images: Tensor, reference: Tensor) -> Tensor:
    """Rank of stacks of similar patches, which are found in the reference: shape (B, stacks)."""
    stacks = []
    for image, true in zip(images, reference, strict=True):
        found = functional.unfold(true[None], PATCH, stride=SEARCH)[0].T
        asked = functional.unfold(true[None], PATCH, stride=STRIDE)[0].T
        alike = torch.cdist(asked, found).topk(ALIKE, largest=False).indices
        patches = functional.unfold(image[None], PATCH, stride=SEARCH)[0].T[alike]
        stacks.append(patches - patches.mean(1, keepdim=True))
    return soft_rank(torch.cat(stacks)[:, None], delta=WIDE_DELTA).reshape(len(images), -1)


def gradient_rank(images: Tensor) -> Tensor:
    """Rank of the images' differences along rows and along columns: shape (B, 2)."""
    return torch.cat([soft_rank(images.diff(dim=axis)) for axis in (2, 3)], dim=1)


def band_sharpness(images: Tensor) -> Tensor:
    """Logarithm of the variance of the Laplacian at three widths, one for each band of frequencies: shape (B, 3)."""
    variances = []
    for _ in range(3):
        variances.append(laplacian_variance(images)[:, 0])
        images = functional.avg_pool2d(images, 2)
    return (torch.stack(variances, dim=1) + 1e-8).log()


def apart(measure, estimate: Tensor, reference: Tensor) -> Tensor:
    with torch.no_grad():
        of_reference = measure(reference)
    return (measure(estimate) - of_reference).abs().mean()


FORMS = {
    "rank, matched": lambda y, true: apart(soft_rank, y, true),
    "stacked rank": lambda y, true: stacked_rank(y, true).mean(),
    "stacked rank, matched": lambda y, true: apart(lambda images: stacked_rank(images, true), y, true),
    "rank of the residual": lambda y, true: soft_rank(y - true).mean(),
    "rank of the gradient, matched": lambda y, true: apart(gradient_rank, y, true),
    "sharpness, matched": lambda y, true: apart(laplacian_variance, y, true),
    "bands, matched": lambda y, true: apart(band_sharpness, y, true),
}


def data_term(estimate: Tensor, reference: Tensor) -> Tensor:
    return 0.5 * (estimate - reference).square().mean()


def slopes(form: str, estimate: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Give the gradients of the data term and of a form."""
    leaf = estimate.detach().requires_grad_()
    terms = data_term(leaf, reference), FORMS[form](leaf, reference)
    data, prior = (torch.autograd.grad(term, leaf)[0] for term in terms)
    return data, prior


def read_pairs(cohort: Path, numbers: range, settings: PairSettings) -> list[SlicePairs]:
    folders = sorted(cohort.glob("sub-*"))
    paths = [min(folders[number].rglob("*_T1w.nii*")) for number in numbers]
    return [make_pairs(Scan(path.name, path), settings=settings) for path in paths]


def train(pairs: list[SlicePairs], regime: Regime, *, form: str, ratio: float, seed: int) -> Network:
    """Train a network; the weight of the form makes its gradient `ratio` of the data term's, anew in every step."""
    torch.manual_seed(seed)
    network = build_network("edsr-small")
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    step = epoch = 0
    while step < regime.steps:
        patches = Patches(pairs, settings=regime.patches, seed=seed, epoch=epoch)
        for batch in shuffled_batches(patches, batch_size=32, seed=seed, epoch=epoch):
            if step == regime.steps:
                break
            for group in optimiser.param_groups:
                group["lr"] = 1e-3 * (0.5 + 0.5 * cos(pi * step / regime.steps))
            estimate = network(batch.enlarged)
            if form == "none":
                data_term(estimate, batch.reference).backward()
            else:
                data, prior = slopes(form, estimate, batch.reference)
                weight = ratio * torch.linalg.vector_norm(data) / torch.linalg.vector_norm(prior).clamp_min(1e-30)
                estimate.backward(data + weight * prior)
            optimiser.step()
            optimiser.zero_grad()
            step += 1
        epoch += 1
    return network.eval()


@torch.inference_mode()
def measure(network: Network, pairs: list[SlicePairs]) -> dict[str, float]:
    """Give the PSNR of every subject: whole slices, clipped, data range 1, mean over slices."""
    found = {}
    for subject in pairs:
        estimates = [network(subject.enlarged[i : i + 1]).clamp(0, 1) for i in range(len(subject.reference))]
        found[subject.subject_id] = float(
            np.mean([
                psnr(true[0].numpy(), estimate[0, 0].numpy(), data_range=1.0)
                for true, estimate in zip(subject.reference, estimates, strict=True)
            ])
        )  # fmt: skip
    return found


def screen(cohort: Path) -> None:
    """Print where the gradients lead: the cosine with the error, on subjects that were not trained on."""
    for name, regime in REGIMES.items():
        network = train(
            read_pairs(cohort, range(regime.subjects or 8), regime.pairs), regime, form="none", ratio=0, seed=0
        )
        held_out = read_pairs(cohort, range(8, 10), replace(regime.pairs, slices_per_subject=8))
        patches = Patches(held_out, settings=PatchSettings(per_slice=4), seed=0, epoch=0)
        batch = patches.cut(range(len(patches)))
        with torch.no_grad():
            estimate = network(batch.enlarged)
        error = (batch.reference - estimate).flatten(1)
        for form in FORMS:
            _, prior = slopes(form, estimate, batch.reference)
            cosine = functional.cosine_similarity(-prior.flatten(1), error).mean()
            print(f"{name:10} {form:32} cosine with the error {float(cosine):+.3f}", flush=True)


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def train_all(options: argparse.Namespace) -> None:
    done = {(row["regime"], row["form"], row["ratio"], row["seed"], row["test"]) for row in read_rows(options.rows)}
    for name in options.regime or REGIMES:
        regime = REGIMES[name]
        learned = read_pairs(options.cohort, range(regime.subjects or (10 if options.test else 8)), regime.pairs)
        measured = range(10, 20) if options.test else range(8, 10)
        held_out = read_pairs(options.cohort, measured, replace(regime.pairs, slices_per_subject=10))
        for seed in range(options.seeds):
            for form in options.form:
                ratio = 0.0 if form == "none" else options.ratio
                if (name, form, ratio, seed, options.test) in done:
                    continue
                found = measure(train(learned, regime, form=form, ratio=ratio, seed=seed), held_out)
                row = {"regime": name, "form": form, "ratio": ratio, "seed": seed, "test": options.test, "psnr": found}
                with options.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"{name}, {form}, seed {seed}: {np.mean(list(found.values())):.3f} dB", flush=True)


def table(path: Path) -> None:
    """Print the gain of every form over none, with the crossed interval over subjects and trainings."""
    rows = read_rows(path)
    for regime, form, ratio, test in sorted({(r["regime"], r["form"], r["ratio"], r["test"]) for r in rows}):
        if form == "none":
            continue
        gains = {}
        for row in rows:
            if (row["regime"], row["form"], row["ratio"], row["test"]) != (regime, form, ratio, test):
                continue
            base = next(
                r["psnr"] for r in rows
                if (r["regime"], r["form"], r["seed"], r["test"]) == (regime, "none", row["seed"], test)
            )  # fmt: skip
            gains |= {(subject, row["seed"]): value - base[subject] for subject, value in row["psnr"].items()}
        found = fit_crossed_model(gains)
        role, seeds = "test" if test else "training", len({seed for _, seed in gains})
        low, high = found.interval
        print(f"| {regime} | {form} | {ratio} | {role} | {seeds} | {found.mean:+.3f} | {low:+.3f} to {high:+.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("action", choices=["screen", "train", "table"])
    parser.add_argument("rows", type=Path, nargs="?", help="The file of results, one line for each training.")
    parser.add_argument("--regime", action="append", choices=REGIMES)
    parser.add_argument("--form", action="append", choices=["none", *FORMS])
    parser.add_argument("--ratio", type=float, default=0.3, help="Gradient of the form over that of the data term.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", action="store_true", help="Train on ten subjects, and measure the next ten.")
    options = parser.parse_args()
    if options.action == "screen":
        screen(options.cohort)
    elif options.rows is None or (options.action == "train" and not options.form):
        parser.error("train needs a file and --form, table needs a file")
    elif options.action == "train":
        train_all(options)
    else:
        table(options.rows)


if __name__ == "__main__":
    main()
