"""Virtual scans: slices of a reference, changed at random, as a scanner drawn at random would have acquired them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from dnsp.acquisition.deconvolution import cosine_matrix
from dnsp.acquisition.description import Acquisition, AcquisitionBelief
from dnsp.acquisition.noise import add_rician_noise, noise_reference
from dnsp.acquisition.resampling import sinc_enlarge, spline_enlarge
from dnsp.acquisition.sampling import AxisSampling
from dnsp.errors import VolumeError
from dnsp.networks import AcquisitionAware
from dnsp.volume import robust_scaling

SLICES = 9  # of a virtual scan: three threes of neighbours
PATCH = 80  # output pixels on a side
WINDOW = 240  # pixels of a reference on a side, at most


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How often each thing happens. The defaults are those of the second phase; `FIRST` is the first."""

    families: tuple[tuple[str, float], ...] = (
        ("ds002748", 0.30), ("T1w", 0.24), ("inplaneT2", 0.14), ("open_ms", 0.22), ("label_maps", 0.10),
    )  # fmt: skip
    bias_field: float = 0.25
    gamma: float = 0.35
    inversion: float = 0.08
    oversampled: float = 0.08  # a smooth object, sampled finely
    coarser: float = 0.14
    smoothed: float = 0.05
    as_acquired: float = 0.12  # the scan itself, oversampled, sampled sharply: what must come out is its interpolation
    masked_stripped: float = 0.4
    masked: float = 0.2
    gaussian: float = 0.40
    block: float = 0.17
    windows: tuple[float, float, float, float] = (0.5, 0.26, 0.1, 0.14)  # none, Hamming, Hann, Fermi
    whole_kspace: float = 0.8
    slice_profile: float = 0.28
    interpolated: float = 0.3  # of scans with noise: interpolated by the scanner, so their noise lacks fine detail


FIRST = Mixture(
    families=(("ds002748", 0.27), ("T1w", 0.2), ("inplaneT2", 0.12), ("open_ms", 0.2), ("label_maps", 0.21)),
    bias_field=0.4, gamma=0.5, inversion=0.18, oversampled=0.12, coarser=0.18, smoothed=0.07, as_acquired=0.15,
    masked_stripped=0.5, masked=0.3, gaussian=0.45, windows=(0.42, 0.26, 0.14, 0.18), whole_kspace=0.75, slice_profile=0.28,
)  # fmt: skip
FOR_ESTIMATOR = replace(FIRST, as_acquired=0.2, slice_profile=0.05)


@dataclass(frozen=True)
class VirtualScan:
    """Low-resolution slices on their unit scale, what they were, and how they were acquired."""

    low: Tensor
    high: Tensor
    head: Tensor
    acquisition: Acquisition
    noise_sigma: float
    noise_band: tuple[float, float]
    as_acquired: bool

    @property
    def factors(self) -> tuple[float, float]:
        """Fine pixels per coarse pixel along rows and columns."""
        return self.acquisition.rows.factor, self.acquisition.columns.factor

    @property
    def truth(self) -> AcquisitionBelief:
        """What somebody who knows the acquisition tells the network."""
        rows, columns = self.acquisition.rows, self.acquisition.columns
        return AcquisitionBelief(
            factors=self.factors, transfers=(rows.transfer(), columns.transfer()), noise_sigma=self.noise_sigma
        )


def load_references(folder: Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Read what references.py wrote, by family."""
    found: dict[str, list[dict[str, np.ndarray]]] = {}
    for path in sorted(folder.glob("*.npz")):
        family = next(f for f in ("label_maps", "open_ms", "ds002748", "inplaneT2", "T1w") if f in path.name)
        with np.load(path) as file:
            found.setdefault(family, []).append(dict(file))
    return found


def draw(rng: np.random.Generator, references, mixture: Mixture) -> VirtualScan:
    """Draw a virtual scan; one that shows too little is drawn again."""
    while (scan := _draw_once(rng, references, mixture)) is None:
        pass
    return scan


def patches(
    scan: VirtualScan, belief: AcquisitionBelief, rng: np.random.Generator, count: int = 16
) -> list[tuple[Tensor, ...]]:
    """Cut patches: both starts, reference, head, what the network is told, and the scan's error of the best simple method.

    Undoing the blur counts among the simple methods where the blur is known.
    """
    size = (scan.high.shape[1], scan.high.shape[2])
    if min(size) < PATCH or min(scan.low.shape[1:]) < 16:
        return []
    low = scan.low.unflatten(0, (-1, 3))[:, [1, 0, 2]]
    if rng.random() < 0.1:
        low = low[:, :1].expand(-1, 3, -1, -1)  # a slice without neighbours
    elif rng.random() < 0.5:
        low = low[:, [0, 2, 1]]
    starts = AcquisitionAware.begin(low, size, belief)
    scan = replace(scan, low=low[:, 0], high=scan.high[1::3], head=scan.head[1::3])
    inside = scan.head.float()
    simple = [starts[:, 0], sinc_enlarge(scan.low, size, scan.factors)]
    base = min(
        float(((image - scan.high).square() * inside).sum() / inside.sum())
        for image in (*simple, *([starts[:, 1]] if belief.blur_known else []))
    )
    condition, places, cut = belief.vector(), torch.nonzero(scan.head).numpy(), []
    for _ in range(count):
        slice_index, *centre = (
            places[rng.integers(len(places))] if rng.random() < 0.93 else [rng.integers(n) for n in scan.high.shape]
        )
        top, left = (
            int(np.clip(c + rng.integers(-30, 31) - PATCH // 2, 0, n - PATCH))
            for c, n in zip(centre, size, strict=True)
        )
        if rng.random() < 0.5:
            top, left = top - top % 2, left - left % 2  # as whole images begin
        window = (slice_index, slice(top, top + PATCH), slice(left, left + PATCH))
        cut.append(
            (
                starts[window[0], :, window[1], window[2]].clone(),
                scan.high[window].clone(),
                scan.head[window].clone(),
                condition,
                torch.tensor(base),
            )
        )
    return cut


def _draw_once(rng: np.random.Generator, references, mixture: Mixture) -> VirtualScan | None:
    as_acquired = float(rng.choice([2, 3, 4], p=[0.7, 0.2, 0.1])) if rng.random() < mixture.as_acquired else None
    family, high, head = _reference(rng, references, mixture, as_acquired)
    if head.mean() < 0.03 or float(high.std()) < 1e-3:
        return None
    acquisition = _sharp(rng, as_acquired) if as_acquired else _acquisition(rng, mixture)
    low = acquisition.apply(high)
    sigma = acquisition.noise * noise_reference(low)
    band = _noise_band(rng, acquisition, mixture)
    low = _with_noise(rng, low, sigma, band)
    if rng.random() < (mixture.masked_stripped if family == "ds002748" else mixture.masked):
        low, high, head = _masked(rng, low, high, head, acquisition, stripped=family == "ds002748")
    if rng.random() < 0.1:  # stored in steps
        low = torch.round(low / low.max() * 255) / 255 * low.max()
    try:
        unit = robust_scaling(low.numpy())
    except VolumeError:
        return None
    if head.sum() < 500:
        return None
    low, high = ((image - unit.low) / (unit.high - unit.low) for image in (low, high))
    inside = torch.from_numpy(np.ascontiguousarray(head))
    return VirtualScan(low, high, inside, acquisition, sigma / (unit.high - unit.low), band, bool(as_acquired))


def _noise_band(rng: np.random.Generator, acquisition: Acquisition, mixture: Mixture) -> tuple[float, float]:
    """Say up to which part of the Nyquist frequency the noise reaches along rows and columns."""
    axes = (acquisition.rows, acquisition.columns)
    interpolated = rng.random() < mixture.interpolated
    drawn = rng.uniform(0.35, 0.9, 2)
    bands = [
        1.0 if axis.kind == "slice" or (not interpolated and axis.kept == 1)  # nobody interpolates across slices
        else axis.kept if axis.kind == "kspace" and axis.kept < 1
        else float(band) if axis.factor == 1 else 1.0
        for axis, band in zip(axes, drawn, strict=True)
    ]  # fmt: skip
    return bands[0], bands[1]


def _with_noise(rng: np.random.Generator, low: Tensor, sigma: float, band: tuple[float, float]) -> Tensor:
    """Add Rician noise; where it is smooth within a plane, the neighbours of the plane share a part of it."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    if sigma == 0 or band == (1.0, 1.0):
        return add_rician_noise(low, sigma=sigma, generator=generator)
    rows, columns = (_low_pass(length, part) for length, part in zip(low.shape[1:], band, strict=True))
    shared = float(rng.uniform(0.5, 0.95))
    real, imaginary = (
        rows @ (
            (1 - shared) ** 0.5 * torch.randn(low.shape, generator=generator)
            + shared**0.5 * torch.randn(SLICES // 3, *low.shape[1:], generator=generator).repeat_interleave(3, 0)
        ) @ columns.T * sigma
        for _ in range(2)
    )  # fmt: skip
    return torch.hypot(low + real, imaginary)


def _low_pass(length: int, part: float) -> Tensor:
    """Give the matrix that keeps the low frequencies of noise, and its variance."""
    kept = max(int(length * part), 1)
    rows = cosine_matrix(length)[:kept].float()
    return rows.T @ rows * (length / kept) ** 0.5


def _reference(rng: np.random.Generator, references, mixture: Mixture, zoom: float | None):
    names, shares = zip(*mixture.families, strict=True)
    shares = [share * (name in references) for name, share in zip(names, shares, strict=True)]
    family = rng.choice(names, p=np.array(shares) / sum(shares))
    group = references[family][rng.integers(len(references[family]))]
    slices = group["slices"]
    span = min(len(slices), max(SLICES, int(rng.uniform(0.4, 1) * len(slices))))
    first = rng.integers(0, len(slices) - span + 1)
    distance = int(rng.choice([0, 1, 2, 3], p=[0.1, 0.7, 0.12, 0.08]))
    centres = first + np.linspace(min(distance, 1), span - 1 - min(distance, 1), SLICES // 3).astype(int)
    chosen = np.concatenate([[c - distance, c, c + distance] for c in centres]).clip(0, len(slices) - 1)
    # CONSEC
    if family == "label_maps":
        image, head = _from_labels(rng, slices[chosen])
    else:
        head = group["head"][chosen]
        window = _window(rng, head, WINDOW)
        image, head = torch.from_numpy(slices[chosen][window].astype(np.float32)), head[window]
    image = _contrast(rng, image, head, mixture)
    if zoom is None:
        chance = rng.random()
        zoom = (
            float(rng.choice([1.25, 1.5, 1.75, 2, 2.5])) if chance < mixture.oversampled
            else float(rng.choice([0.6, 0.7, 0.8, 0.9])) if chance < mixture.oversampled + mixture.coarser
            else 1.0
        )  # fmt: skip
        if min(image.shape[1:]) * zoom < 100:
            zoom = max(zoom, 1.0)
        smooth = rng.random() < mixture.smoothed
    else:
        smooth = False
    if zoom != 1:
        size = (int(image.shape[1] * zoom), int(image.shape[2] * zoom))
        image = _blur(image, float(rng.choice([0.35, 0.5])) / zoom) if zoom < 1 else image
        image = spline_enlarge(image, size, (zoom, zoom)).clamp(min=0)
        head = spline_enlarge(torch.from_numpy(head).float(), size, (zoom, zoom)).numpy() > 0.5
        window = _window(rng, head, WINDOW + 16)
        image, head = image[window], head[window]
    if smooth:
        image = _blur(image, float(rng.choice([0.4, 0.6, 0.8, 1.0, 1.3])))
    if rng.random() < 0.5:
        image, head = image.transpose(1, 2), head.transpose(0, 2, 1)
    for axis in (1, 2):
        if rng.random() < 0.5:
            image, head = image.flip(axis), np.flip(head, axis)
    return family, image.contiguous(), np.ascontiguousarray(head)


def _window(rng: np.random.Generator, head: np.ndarray, most: int):
    """Cut a window of at most so many pixels on a side around the head."""
    around = head.any(0)
    window = [slice(None)]
    for length, shown in ((around.shape[0], around.any(1)), (around.shape[1], around.any(0))):
        if length <= most:
            window.append(slice(0, length))
            continue
        places = np.flatnonzero(shown)
        low, high = max(places[0] - 8, 0), min(places[-1] + 9, length)
        first = (
            rng.integers(low, high - most + 1)
            if high - low > most
            else np.clip((low + high - most) // 2, 0, length - most)
        )
        window.append(slice(int(first), int(first) + most))
    return tuple(window)


def _from_labels(rng: np.random.Generator, labels: np.ndarray):
    labels = labels[_window(rng, labels > 0, WINDOW)]
    means = rng.uniform(0.05, 1, int(labels.max()) + 1)
    if rng.random() < 0.5:
        means[rng.random(len(means)) < 0.5] *= 0.5
    means[0] = 0 if rng.random() < 0.7 else rng.uniform(0, 0.05)
    if rng.random() < 0.4:  # tissues of equal brightness
        means[1:] = np.round(means[1:] * 4) / 4 + 0.05
    image = torch.from_numpy(means[labels]).float()
    texture = _blur(torch.randn(image.shape), rng.uniform(0.4, 1.2))
    image = image * (1 + rng.uniform(0, 0.06) * texture / texture.std())
    return _blur(image, float(rng.choice([0.4, 0.5, 0.6, 0.8]))), labels > 0


def _contrast(rng: np.random.Generator, image: Tensor, head: np.ndarray, mixture: Mixture) -> Tensor:
    if rng.random() < mixture.bias_field:
        field = torch.from_numpy(rng.normal(0, 0.25, (1, 1, 3, 3)).astype(np.float32))
        size = (image.shape[1], image.shape[2])
        image = image * torch.exp(torch.nn.functional.interpolate(field, size, mode="bicubic", align_corners=True)[0])
    if rng.random() < mixture.gamma:
        image = image.clamp(min=0) ** float(2 ** rng.uniform(-0.7, 0.7))
    if rng.random() < mixture.inversion:
        soft = torch.from_numpy(ndimage.gaussian_filter(head.astype(np.float32), (0, 0.7, 0.7)))
        image = (float(image.max()) * 0.9 + 0.1 - image).clamp(min=0) * soft
    return image


def _blur(images: Tensor, sigma: float) -> Tensor:
    sampling = AxisSampling(factor=1, sigma=sigma)
    return Acquisition(rows=sampling, columns=sampling).apply(images)


def _acquisition(rng: np.random.Generator, mixture: Mixture) -> Acquisition:
    if rng.random() < mixture.slice_profile:
        factor = round(float(rng.choice([rng.uniform(1.5, 8), rng.uniform(2, 6)])), 1)
        width = factor * float(rng.choice([1, 1, rng.uniform(0.5, 1), rng.uniform(1, 1.3)]))
        profile = str(rng.choice(["gaussian", "box", "sinc"], p=[0.66, 0.22, 0.12]))
        thick = AxisSampling(factor=factor, kind="slice", profile=profile, thickness=round(max(width, 0.8), 1))
        within = AxisSampling(factor=1)
        if rng.random() < 0.12:
            within = _sampling(rng, float(rng.choice([2, 3, 4], p=[0.6, 0.2, 0.2])), mixture)
        rows, columns = (thick, within)[:: 1 if rng.random() < 0.5 else -1]
    else:
        factor = (
            float(rng.choice([2, 3, 4], p=[0.54, 0.23, 0.23]))
            if rng.random() < 0.92
            else round(float(rng.uniform(1.5, 4)), 1)
        )
        rows = columns = _sampling(rng, factor, mixture)
        if rng.random() < 0.2:
            columns = _sampling(rng, factor if rng.random() < 0.7 else float(rng.choice([2, 3, 4])), mixture)
            if (columns.kind == "kspace") != (rows.kind == "kspace") and rng.random() < 0.5:
                columns = rows
    noise = 0.0 if rng.random() < 0.45 else float(np.exp(rng.uniform(log(0.003), log(0.065))))
    return Acquisition(rows=rows, columns=columns, noise=noise)


def _sampling(rng: np.random.Generator, factor: float, mixture: Mixture) -> AxisSampling:
    chance = rng.random()
    if chance < mixture.gaussian:
        return AxisSampling(factor=factor, sigma=round(float(rng.uniform(0, 2.2)), 2))
    if chance < mixture.gaussian + mixture.block:
        return AxisSampling(factor=factor)
    window = str(rng.choice(["none", "hamming", "hann", "fermi"], p=mixture.windows))
    kept = 1.0 if rng.random() < mixture.whole_kspace else round(float(rng.uniform(0.5, 1)), 2)
    sigma = round(float(rng.uniform(0.2, 1.4)), 1) if rng.random() < 0.18 else 0.0
    return AxisSampling(factor=factor, kind="kspace", window=window, kept=kept, sigma=sigma)


def _sharp(rng: np.random.Generator, factor: float) -> Acquisition:
    chance = rng.random()
    if chance < 0.25:
        sampling = AxisSampling(factor=factor, kind="kspace")
    else:
        sampling = AxisSampling(factor=factor, sigma=0.0 if chance < 0.75 else round(float(rng.uniform(0, 0.6)), 2))
    noise = 0.0 if rng.random() < 0.8 else float(np.exp(rng.uniform(log(0.003), log(0.03))))
    return Acquisition(rows=sampling, columns=sampling, noise=noise)


def _masked(
    rng: np.random.Generator, low: Tensor, high: Tensor, head: np.ndarray, acquisition: Acquisition, *, stripped: bool
):
    """Remove what lies outside a mask after the acquisition, as skull-stripping does: the rim is sharp."""
    inside = head
    if not stripped:
        rows, columns = np.indices(head.shape[1:])
        places = np.argwhere(head.any(0))
        centre, radii = (places.min(0) + places.max(0)) / 2, (np.ptp(places, 0) / 2 + 1) * rng.uniform(0.6, 0.95, 2)
        wobble = ndimage.gaussian_filter(rng.normal(0, 1, head.shape[1:]), 12)
        distance = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2
        inside = head & (distance + 0.15 * wobble / (wobble.std() + 1e-9) < 1)
    mask = torch.from_numpy(np.ascontiguousarray(inside))
    blocks = Acquisition(
        rows=AxisSampling(factor=acquisition.rows.factor), columns=AxisSampling(factor=acquisition.columns.factor)
    )
    return low * (blocks.apply(mask.float()) > 0.5), high * mask, head & inside
