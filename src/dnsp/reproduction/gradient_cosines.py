"""Experiment F: whether the priors' gradients lead towards the truth, for every finished network without priors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnsp.acquisition import LowField
from dnsp.data import choose_subjects
from dnsp.errors import DataError
from dnsp.networks import load_model
from dnsp.priors import LossSettings, SpatioStructuralLoss
from dnsp.reproduction.data import DataKey, DataSet
from dnsp.reproduction.results_files import read_cell_facts, read_run, write_rows
from dnsp.reproduction.run_cell import folder_of, is_finished
from dnsp.reproduction.schema import COSINES, RUN, CosineRow
from dnsp.training import PairSettings, Patches, PatchSettings, SlicePairs, cache_pairs

__all__ = ["PriorGradient", "measure_prior_gradients", "screen_networks"]

# The priors alone, each in both forms; learned filters belong to a training with them, which these networks are not.
_PRIORS: Mapping[str, LossSettings] = {
    "low rank": LossSettings(prior="LR"),
    "low rank, matched": LossSettings(prior="LR", form="matched"),
    "sharpness": LossSettings(prior="FS"),
    "sharpness, matched": LossSettings(prior="FS", form="matched"),
    "total variation": LossSettings(prior="TVLR", alpha=0.0),
}
_PATCHES = PatchSettings(per_slice=4)
_DATA = ("adni", "brainweb")  # the cohorts whose scans are degraded here


class PriorGradient(NamedTuple):
    """The gradient of a prior on one estimate.

    Parameters
    ----------
    cosine : float
        Cosine between the step that lowers the prior and the error (reference less estimate), from -1 to 1, mean over
        images. Above 0 the prior leads towards the truth, below 0 away from it, near 0 sideways.
    ratio : float
        L2 norm of the prior's weighted gradient over that of the data term's.
    """

    cosine: float
    ratio: float


def measure_prior_gradients(estimate: Tensor, reference: Tensor) -> dict[str, PriorGradient]:
    """Measure where the gradient of each prior leads, beside the error.

    Parameters
    ----------
    estimate, reference : Tensor, shape (B, 1, H, W)
        What a network made and the truth, on [0, 1]; at least 3 x 3 pixels. Not changed.

    Returns
    -------
    dict of str to PriorGradient
        By prior: low rank, sharpness (fixed Laplacian), each as the paper has it and matched, and total variation. A prior
        without a gradient has cosine 0.

    Raises
    ------
    SettingError
        If the shapes differ.

    Examples
    --------
    >>> reference = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> noisy = reference + 0.1 * torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    >>> measure_prior_gradients(noisy, reference)["total variation"].cosine > 0
    True
    """
    leaf = estimate.detach().double().requires_grad_()
    truth = reference.detach().double()
    error = truth - leaf.detach()
    found = {}
    for name, settings in _PRIORS.items():
        terms = SpatioStructuralLoss.from_settings(settings).double().unweighted(leaf, truth)
        (of_data,) = torch.autograd.grad(terms.pop("data"), leaf)
        weighted = torch.stack([settings.weight(term) * value for term, value in terms.items()]).sum()
        (of_prior,) = torch.autograd.grad(weighted, leaf)
        cosines = torch.nn.functional.cosine_similarity(-of_prior.flatten(1), error.flatten(1), eps=1e-30)
        ratio = torch.linalg.vector_norm(of_prior) / torch.linalg.vector_norm(of_data).clamp_min(1e-30)
        found[name] = PriorGradient(float(cosines.mean()), float(ratio))
    return found


def screen_networks(
    results: Path,
    data: Mapping[DataKey, DataSet],
    *,
    low_field: LowField,
    workers: int = 1,
    on_network: Callable[[int, int], None] | None = None,
) -> int:
    """Measure the priors' gradients for every finished network without priors, under every degradation.

    Each cell of such a network gets a ``cosines.csv``, whole or not at all; cells that have one are left as they are.
    `dnsp.reproduction.assemble` puts them together.

    Parameters
    ----------
    results : Path
        The folder of a run.
    data : mapping of str to DataSet
        Networks trained on data sets that are not given are left out.
    low_field : LowField
        Fields and sequence of the simulated low field.
    workers : int
        Scans read at the same time.
    on_network : callable, optional
        Called with the networks done and all networks.

    Returns
    -------
    int
        How many networks were screened by this call.

    Raises
    ------
    DataError, VolumeError, ModelError
        If there is no such network, a scan, a model or a record cannot be read, or a file cannot be written.
    """
    networks = list(_find_networks(results, data))
    if not networks:
        raise DataError(f"{results}: holds no finished network without priors (NP); run other experiments first")
    found = [folder for folder in networks if not (folder / COSINES).exists()]
    for done, folder in enumerate(found):
        if on_network is not None:
            on_network(done, len(found))
        rows = list(_screen(folder, data, low_field=low_field, cache=results / "cache", workers=workers))
        write_rows(folder / COSINES, rows, CosineRow)
    return len(found)


def _find_networks(results: Path, data: Mapping[DataKey, DataSet]) -> Iterator[Path]:
    for name in read_run(results / RUN).plan:
        folder = folder_of(name, results)
        if not is_finished(name, results) or not (folder / "model.safetensors").exists():
            continue
        cell = read_cell_facts(folder)
        if cell.method.endswith("-NP") and cell.dataset in _DATA and cell.dataset in data and not cell.is_fold:
            yield folder


def _screen(
    folder: Path, data: Mapping[DataKey, DataSet], *, low_field: LowField, cache: Path, workers: int
) -> Iterator[CosineRow]:
    cell = read_cell_facts(folder)
    scans = choose_subjects(data[cell.dataset].scans, cell.follows_from["split"]["test"])  # type: ignore[index]
    network, _ = load_model(folder / "model.safetensors")
    network.eval()
    slices = int(cell.follows_from["images"]["slices_per_subject"])
    for degradation, settings in _degradations(cell.scale, slices, low_field).items():
        sums: dict[str, list[PriorGradient]] = {}
        for subject in cache_pairs(scans, settings=settings, folder=cache, workers=workers):
            estimated = SlicePairs(subject.subject_id, _apply(network, subject.enlarged), subject.reference)
            patches = Patches([estimated], settings=_PATCHES, seed=0, epoch=0)
            batch = patches.cut(range(len(patches)))
            for prior, gradient in measure_prior_gradients(batch.enlarged, batch.reference).items():
                sums.setdefault(prior, []).append(gradient)
        for prior, gradients in sums.items():
            cosine, ratio = (sum(values) / len(gradients) for values in zip(*gradients, strict=True))
            count = len(scans) * slices
            yield CosineRow(cell.dataset, cell.method, cell.seed, degradation, prior, count, cosine, ratio)


@torch.inference_mode()
def _apply(network: nn.Module, enlarged: Tensor) -> Tensor:
    return torch.cat([network(image[None]).clamp(0, 1) for image in enlarged])


def _degradations(scale: int, slices: int, low_field: LowField) -> dict[str, PairSettings]:
    """Name the degradations of the acquisition model, at a network's scale."""
    blur = PairSettings(scale=scale, slices_per_subject=slices)
    return {
        "blur": blur,
        "blur, 1 % noise": replace(blur, noise_percent=1.0),
        "blur, 4 % noise": replace(blur, noise_percent=4.0),
        "k-space": replace(blur, degradation="kspace"),
        "low field": replace(blur, degradation="low-field", scale=1, low_field=low_field),
    }
