"""What Eq. 10 does in each way that it can be read: how strong the priors are beside the data term, and where they lead.

The paper does not say whether the data term is a sum or a mean over pixels, whether intensities lie on [0, 1] or [0, 255], or
whether the priors are averaged or summed over a batch, and Eq. 10 speaks of an image where training sees patches. For networks
that were trained without priors, this gives the length of each prior's weighted gradient over that of the data term, and the
cosine between the step that lowers the loss and the error (reference less estimate), on the last ten subjects of a cohort.

    dnsp reproduce -o RESULTS --budget evidence --cohort ../shared/data/ds002748 --experiment A
    python benchmarks/loss_readings.py ../shared/data/ds002748 RESULTS/cells/*edsr-NP*/model.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from dnsp.data import find_scans
from dnsp.networks import load_model
from dnsp.priors import LossSettings, laplacian_variance, soft_rank
from dnsp.training import PairSettings, Patches, PatchSettings, SlicePairs, make_pairs

WEIGHTS = LossSettings(prior="FS")  # the paper's alpha, beta and delta
BATCH = 64


class Reading(NamedTuple):
    """A way to read Eq. 10."""

    name: str
    whole_slices: bool = False
    sums_pixels: bool = False
    unit: float = 1.0  # what white is
    sums_batch: bool = False


READINGS = (
    Reading("sum over the pixels of a patch (`paper`)", sums_pixels=True),
    Reading("mean over pixels (`balanced`)"),
    Reading("sum, intensities of 0 to 255", sums_pixels=True, unit=255.0),
    Reading("mean, intensities of 0 to 255", unit=255.0),
    Reading("mean, the priors summed over a batch of 64", sums_batch=True),
    Reading("sum over a whole slice", whole_slices=True, sums_pixels=True),
    Reading("mean over a whole slice", whole_slices=True),
)


def compare(reading: Reading, estimate: torch.Tensor, reference: torch.Tensor) -> list[float]:
    """Give ratio and cosine of the low-rank prior, then of the sharpness prior."""
    leaf = estimate.double().requires_grad_()
    images, truth = reading.unit * leaf, reading.unit * reference.double()
    squared = 0.5 * (images - truth).square()
    data = squared.sum() / len(images) if reading.sums_pixels else squared.mean()
    priors = (
        WEIGHTS.alpha * soft_rank(images, delta=WEIGHTS.delta).mean(),
        -WEIGHTS.beta * laplacian_variance(images).mean(),
    )
    (of_data,) = torch.autograd.grad(data, leaf, retain_graph=True)
    found = []
    for prior in priors:
        (gradient,) = torch.autograd.grad(prior, leaf, retain_graph=True)
        gradient = gradient * (BATCH if reading.sums_batch else 1)
        cosines = functional.cosine_similarity(-gradient.flatten(1), (truth - images).detach().flatten(1), eps=1e-300)
        found += [float(gradient.norm() / of_data.norm()), float(cosines.mean())]
    return found


@torch.inference_mode()
def estimate_slices(network, subject):
    made = torch.cat([network(image[None]).clamp(0, 1) for image in subject.enlarged])
    return SlicePairs(subject.subject_id, made, subject.reference)


def main(cohort: str, *models: str) -> None:
    """Print the table, means over networks with their range."""
    settings = PairSettings(slices_per_subject=10)
    subjects = [make_pairs(scan, settings=settings) for scan in find_scans(Path(cohort))[-10:]]
    found: dict[Reading, list[np.ndarray]] = {reading: [] for reading in READINGS}
    for model in models:
        network = load_model(Path(model))[0].eval()
        estimates = [estimate_slices(network, subject) for subject in subjects]
        patches = Patches(estimates, settings=PatchSettings(per_slice=4), seed=0, epoch=0)
        cut = patches.cut(range(len(patches)))
        slices = [(one.enlarged, one.reference) for one in estimates]
        for reading in READINGS:
            images = slices if reading.whole_slices else [(cut.enlarged, cut.reference)]
            found[reading].append(np.mean([compare(reading, *pair) for pair in images], axis=0))
    print(f"{len(models)} networks; ratio of gradients, cosine with the error (range over networks)")
    print("| reading | low rank: ratio | cosine | sharpness: ratio | cosine |")
    print("|---|---|---|---|---|")
    for reading, rows in found.items():
        (low, mean, high) = np.min(rows, 0), np.mean(rows, 0), np.max(rows, 0)
        shown = [
            f"{mean[i]:.2g} | {mean[i + 1]:+.3f} ({low[i + 1]:+.3f} to {high[i + 1]:+.3f})"
            for i in range(0, len(mean), 2)
        ]
        print(f"| {reading.name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
