"""Train a part of the default model on virtual scans.

    train.py REFERENCES estimator OUT --minutes 20
    train.py REFERENCES network OUT --from OUT --minutes 60 --rate 8e-4 --first
    train.py REFERENCES network OUT --from OUT --minutes 21 --rate 5e-4 [--prior AP]
    train.py REFERENCES uncertainty OUT --from OUT --minutes 5 --rate 3e-3

    train.py REFERENCES network OUT --from default --size 10x32 --steps 2500

OUT and --from are model files; `--from default` starts from the included weights. A run is written every 500 steps, so an
interrupted one goes on from its own file, with a new cosine of the learning rate. See README.md for the recipe as it was run.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from virtual_scans import FIRST, FOR_ESTIMATOR, PATCH, Mixture, VirtualScan, draw, load_references, patches

from dnsp.acquisition.description import AcquisitionBelief
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription, load_model, save_model
from dnsp.priors import SpatioStructuralLoss, find_extreme_patches

CROP = 96  # input pixels the estimator is trained on
QUANTILES = (0.2, 0.5, 0.8)
SMALLEST_ERROR = 3e-6  # squared, on the unit scale: 55 dB
MISTAKEN = {"gaussian": 0.25, "box": 0.6, "sinc": 0.6}  # slice profiles told as Gaussian, of a width a little wrong
PER_AXIS = 7  # numbers of a condition that belong to one axis


class Samples(IterableDataset):
    """Samples of virtual scans without end, another stream in each worker."""

    def __init__(self, folder: Path, mixture: Mixture, part: str, estimator) -> None:
        self.folder, self.mixture, self.part, self.estimator = folder, mixture, part, estimator

    def __iter__(self):
        torch.set_num_threads(1)
        worker = torch.utils.data.get_worker_info()
        rng, references = np.random.default_rng(worker.seed if worker else 0), load_references(self.folder)
        while True:
            scan = draw(rng, references, self.mixture)
            if self.part == "estimator":
                yield from _crops(scan, rng)
            else:
                yield from patches(scan, _belief(scan, self.estimator, rng), rng)


def _crops(scan: VirtualScan, rng: np.random.Generator):
    height, width = scan.low.shape[1:]
    if min(height, width) < 20:
        return
    top, left = (int(rng.integers(0, max(n - CROP, 0) + 1)) for n in (height, width))
    chosen = torch.from_numpy(rng.choice(len(scan.low), 4, replace=False))
    cut = scan.low[chosen, top : top + CROP, left : left + CROP]
    image, valid = torch.zeros(4, CROP, CROP), torch.zeros(1, CROP, CROP)
    image[:, : cut.shape[1], : cut.shape[2]] = cut
    valid[:, : cut.shape[1], : cut.shape[2]] = 1
    rows, columns = scan.truth.transfers
    yield image, valid, torch.tensor([math.log(scan.noise_sigma + 0.002), *rows, *columns])


def _belief(scan: VirtualScan, estimator, rng: np.random.Generator) -> AcquisitionBelief:
    """Give the truth for half of the scans, what the estimator finds for most others, and one of both for the rest."""
    truth = scan.truth
    if "slice" in (scan.acquisition.rows.kind, scan.acquisition.columns.kind):
        return _belief_of_slices(scan, rng)
    kind = str(rng.choice(["truth", "estimate", "noise given", "blur given"], p=[0.38, 0.44, 0.09, 0.09]))
    if scan.as_acquired and kind != "noise given":
        kind = "estimate"  # nobody knows the blur of a scan as acquired: what is known keeps its meaning
    if kind == "truth":
        return truth
    blur = (scan.acquisition.rows, scan.acquisition.columns) if kind == "blur given" else None
    noise = scan.noise_sigma if kind == "noise given" else None
    return replace(estimator.believe(scan.low, truth.factors, blur=blur, noise_sigma=noise), factors=truth.factors)


def _belief_of_slices(scan: VirtualScan, rng: np.random.Generator) -> AcquisitionBelief:
    """Tell the slice profile, as headers do: exactly, or a little wrong. The noise is known, or what an estimator finds."""
    told = [
        replace(axis, thickness=axis.thickness * float(np.exp(rng.normal(0, 0.07))), profile="gaussian")
        if axis.kind == "slice" and rng.random() < MISTAKEN[axis.profile] else axis
        for axis in (scan.acquisition.rows, scan.acquisition.columns)
    ]  # fmt: skip
    belief = replace(scan.truth, transfers=(told[0].transfer(), told[1].transfer()))
    smooth = min(scan.noise_band) < 1  # within the slices: an estimator that looks there finds little
    if rng.random() < (0.3 if smooth else 0.5):
        return belief
    level = max(scan.noise_sigma, 3e-4 * float(rng.random())) * float(np.exp(rng.normal(0, 0.15)))
    level *= float(rng.choice([0, rng.uniform(0, 0.5)])) if smooth else 1.0
    return replace(belief, noise_sigma=level, noise_spread=float(np.exp(rng.uniform(-4.5, 0.2))), noise_known=False)


def turn(samples: list[Tensor], part: str) -> list[Tensor]:
    """Flip and transpose a batch, with what belongs to its axes."""
    images = [0, 1] if part == "estimator" else [0, 1, 2]
    if random.random() < 0.5:
        for index in images:
            samples[index] = samples[index].transpose(-1, -2)
        index, start, length = (2, 1, 5) if part == "estimator" else (3, 0, PER_AXIS)
        numbers = samples[index]
        first, second, rest = start + length, start + 2 * length, numbers[:, start + 2 * length :]
        samples[index] = torch.cat([numbers[:, :start], numbers[:, first:second], numbers[:, start:first], rest], 1)
    for axis in (-1, -2):
        if random.random() < 0.5:
            for index in images:
                samples[index] = samples[index].flip(axis)
    return samples


def estimator_loss(model: AcquisitionAware, samples: list[Tensor]) -> tuple[Tensor, Tensor]:
    images, valid, truth = samples
    with torch.autocast("cpu", torch.bfloat16):
        found = model.estimator(images, valid)

    def pinball(estimate: Tensor, target: Tensor, quantile: float) -> Tensor:
        above = target - estimate
        return torch.maximum(above * quantile, above * (quantile - 1)).mean()

    loss = torch.zeros(())
    for index, quantile in enumerate(QUANTILES):
        loss = loss + pinball(found.log_noise[:, index], truth[:, 0], quantile)
        loss = loss + 4 * pinball(found.transfers[:, index].flatten(1), truth[:, 1:], quantile)
    return loss, loss.detach()


def network_loss(
    model: AcquisitionAware, samples: list[Tensor], objective: SpatioStructuralLoss | None
) -> tuple[Tensor, Tensor]:
    """Squared error over that of the best simple method on the same scan: harm to a sharp scan weighs most."""
    starts, reference, head, condition, base = samples
    reference = reference[:, None].contiguous()
    result = model(starts.contiguous(), condition)
    error = ((result - reference).square() * (0.12 + 0.88 * head[:, None].float())).mean((1, 2, 3))
    relative = (error / (base + SMALLEST_ERROR)).mean()
    loss = relative
    if objective is not None:
        # The weights of the priors balance half the mean squared error; the median error brings the two to one scale.
        terms, settings = objective.unweighted(result, reference), objective.settings
        scale = (2 / (base + SMALLEST_ERROR)).median()
        loss = loss + scale * sum(
            abs(settings.weight(name)) * term for name, term in terms.items() if name not in {"data", "filters"}
        )
        loss = loss + settings.weight("filters") * terms["filters"]
    return loss, relative.detach()


def uncertainty_loss(model: AcquisitionAware, samples: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Pinball loss of the 95 % quantile of the error's logarithm, away from the patch's border."""
    starts, reference, head, condition, _ = samples
    with torch.no_grad():
        features = model._features(starts, condition)  # noqa: SLF001
        wrong = (model._result(starts, condition, features) - reference[:, None]).abs()  # noqa: SLF001
        weight = functional.pad(torch.ones(1, 1, PATCH - 20, PATCH - 20), (10,) * 4) * head[:, None].float()
    above = (wrong + 1e-6).log() - (1.959964 * model.uncertainty(features, condition)).log()
    loss = (torch.maximum(0.95 * above, -0.05 * above) * weight).sum() / weight.sum().clamp(min=1)
    return loss, ((above.detach() < 0) * weight).sum() / weight.sum().clamp(min=1)


def prior(folder: Path) -> SpatioStructuralLoss:
    """Make the paper's priors in their matched form, with filters learned on the smoothest and sharpest patches."""
    smooth, sharp = [], []
    for path in sorted(folder.glob("*.npz")):
        if "label_maps" in path.name:
            continue
        slices = np.load(path)["slices"]
        for index in (len(slices) // 3, len(slices) // 2):
            image = torch.from_numpy(slices[index].clip(0, 1))
            extremes = find_extreme_patches(image, patch_size=40)
            for found, place in ((smooth, extremes.smoothest), (sharp, extremes.sharpest)):
                found.append(image[None, place.row : place.row + 40, place.column : place.column + 40])
    return SpatioStructuralLoss(
        "AP",
        form="matched",
        smooth=torch.stack(smooth),
        sharp=torch.stack(sharp),
        generator=torch.Generator().manual_seed(0),
    )


def read_settings() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("references", type=Path, help="The folder that references.py wrote.")
    parser.add_argument("part", choices=["estimator", "network", "uncertainty"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--from", dest="start", help="A model file, or default; fresh weights without it.")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int)
    parser.add_argument("--size", help="BLOCKSxFILTERS of a network with fresh weights; the estimator of --from stays.")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--batch", type=int, help="By default 48 for the estimator, else 16.")
    parser.add_argument("--first", action="store_true", help="The broader mixture of the first phase.")
    parser.add_argument("--prior", choices=["AP"], help="Add the priors to the loss.")
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    settings.batch = settings.batch or (48 if settings.part == "estimator" else 16)
    return settings


def begin(settings: argparse.Namespace) -> tuple[AcquisitionAware, ModelCard]:
    torch.manual_seed(settings.seed)
    random.seed(settings.seed)
    torch.set_num_threads(1)  # the halves of a batch run side by side: nobody waits inside an operation
    if settings.start:
        model, card = load_model(settings.start)
    else:
        model = AcquisitionAware(widened=1.0)
        card = ModelCard(NetworkDescription("acquisition-aware", {"widened": 1.0}), (2, 3, 4))
    if settings.size:
        blocks, filters = map(int, settings.size.split("x"))
        options = {"blocks": blocks, "filters": filters, "widened": model.widened}
        fresh = AcquisitionAware(**options)
        fresh.estimator.load_state_dict(model.estimator.state_dict())
        model, card = fresh, msgspec.structs.replace(card, network=NetworkDescription("acquisition-aware", options))
    model.float().requires_grad_(requires_grad=True).train().to(memory_format=torch.channels_last)
    model.convolution_dtype = torch.bfloat16
    return model, card


class Ring:
    """The newest samples; each is used one and a half times on average."""

    def __init__(self, samples: Samples, most: int = 30_000) -> None:
        self.stream = iter(DataLoader(samples, batch_size=None, num_workers=1))
        self.most = most
        self.samples = [self._next() for _ in range(1024)]

    def _next(self) -> list[Tensor]:
        return [part.clone() for part in next(self.stream)]  # a tensor as it came keeps a file open

    def draw(self, count: int) -> list[Tensor]:
        """Stack samples drawn at random."""
        return [torch.stack(part) for part in zip(*random.choices(self.samples, k=count), strict=True)]

    def renew(self, count: int) -> None:
        """Take new samples in; a full ring loses as many."""
        for _ in range(count):
            if len(self.samples) < self.most:
                self.samples.append(self._next())
            else:
                self.samples[random.randrange(self.most)] = self._next()


def main() -> None:
    settings = read_settings()
    model, card = begin(settings)
    training = settings.references / "training"
    objective = prior(training) if settings.prior else None
    parameters = [*getattr(model, settings.part).parameters(), *(objective.parameters() if objective else ())]
    loss_of = {
        "estimator": estimator_loss,
        "uncertainty": uncertainty_loss,
        "network": lambda network, samples: network_loss(network, samples, objective),
    }[settings.part]
    optimiser = torch.optim.Adam(parameters, settings.rate, betas=(0.9, 0.99))
    mean = {name: weight.clone() for name, weight in model.state_dict().items()}
    mixture = FOR_ESTIMATOR if settings.part == "estimator" else FIRST if settings.first else Mixture()
    ring = Ring(Samples(training, mixture, settings.part, model.estimator))
    pool = ThreadPoolExecutor(2)

    def half(_: int):
        with torch.enable_grad():
            loss, figure = loss_of(model, turn(ring.draw(settings.batch // 2), settings.part))
            return figure, torch.autograd.grad(loss, parameters, allow_unused=True)

    start, figures, step = time.monotonic(), [], 0

    def progress() -> float:
        return step / settings.steps if settings.steps else (time.monotonic() - start) / 60 / settings.minutes

    while (spent := progress()) < 1:
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1, (step + 1) / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * spent)))
        (figure, first), (other, second) = pool.map(half, range(2))
        for parameter, a, b in zip(parameters, first, second, strict=True):
            parameter.grad = None if a is None else (a + b) / 2
        if torch.nn.utils.clip_grad_norm_(parameters, 1.0).isfinite():
            optimiser.step()
        figures.append(float(figure + other) / 2)
        step += 1
        for name, weight in model.state_dict().items():
            mean[name].lerp_(weight, 1 - min(0.999, (1 + step) / (10 + step)))
        ring.renew(settings.batch * 2 // 3)
        if step % 100 == 0:
            print(f"{spent:6.1%} step {step}: {sum(figures[-100:]) / 100:.4f}", flush=True)
        if step % 500 == 0:
            _write(settings.out, model, mean, card)
    _write(
        settings.out,
        model,
        mean,
        msgspec.structs.replace(card, settings={**card.settings, settings.part: _values_of(settings)}),
    )


def _values_of(settings: argparse.Namespace) -> dict[str, object]:
    return {name: value for name, value in vars(settings).items() if isinstance(value, str | int | float | bool)}


def _write(path: Path, model: AcquisitionAware, mean: dict[str, Tensor], card: ModelCard) -> None:
    own = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.load_state_dict(mean)
    save_model(path, model, card, overwrite=True)
    model.load_state_dict(own)


if __name__ == "__main__":
    main()
