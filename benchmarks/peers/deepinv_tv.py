"""Total variation with deepinv: proximal gradient steps on the mean over each block, from an interpolation, weight 1e-3."""

import sys

import nibabel as nib
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, avg_pool3d, interpolate

# deepinv imports torchvision, whose compiled operators do not fit every build of torch. None of them is used here, but
# these must have a name for the import.
library = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, operator):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import deepinv  # noqa: E402


def main(source, target, *factors):
    factors = tuple(map(int, factors))
    low = torch.from_numpy(nib.load(source).get_fdata(dtype=np.float32))
    bright = float(low.max())
    low = low[None, None] / bright
    if factors[2] == 1:  # slices are images of one batch
        low = low[0].permute(3, 0, 1, 2)
        pool, factors = avg_pool2d, factors[:2]
    else:
        pool = avg_pool3d
    count = int(np.prod(factors))

    def mean(images):
        return pool(images, factors)

    def spread(blocks):  # the adjoint of the mean
        return interpolate(blocks, scale_factor=factors, mode="nearest") / count

    denoiser = deepinv.models.TVDenoiser(n_it_max=20)
    estimate = interpolate(low, scale_factor=factors, mode="bicubic" if pool is avg_pool2d else "trilinear")
    for _ in range(30):
        step = estimate - count * spread(mean(estimate) - low)
        estimate = denoiser(step, ths=1e-3)
    result = estimate.permute(1, 2, 3, 0)[0] if pool is avg_pool2d else estimate[0, 0]
    nib.save(nib.Nifti1Image(result.detach().numpy() * bright, np.eye(4)), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
