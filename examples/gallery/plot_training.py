"""
Train with the priors in plain torch
====================================

`dnsp.priors.SpatioStructuralLoss` is a criterion like those of ``torch.nn``. This loop trains a small network with it.
"""

# %%
# Pairs of patches
# ----------------
# Patches of the ICBM152 template are the references. A network is given the same patches at half the resolution, enlarged.

import matplotlib.pyplot as plt
import torch
from nilearn.datasets import load_mni152_template

from dnsp.acquisition import bicubic_enlarge, blur_downsample
from dnsp.networks import build_network
from dnsp.priors import SpatioStructuralLoss, find_extreme_patches

voxels = torch.from_numpy(load_mni152_template(resolution=1).get_fdata(dtype="float32"))
slices = (voxels[2:194, 20:212, 60:120:4] / voxels.max()).permute(2, 0, 1)[:, None]
enlarged = bicubic_enlarge(blur_downsample(slices, scale=2), scale=2)


def patches(images):
    """Cut the middle of every slice into patches of 32 x 32 pixels."""
    tiles = images[:, :, 32:160, 32:160].unfold(2, 32, 32).unfold(3, 32, 32)
    return tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, 1, 32, 32)


reference, inputs = patches(slices), patches(enlarged)
print(len(reference), "pairs of", tuple(reference.shape[2:]), "pixels")

# %%
# The loss
# --------
# ``AP`` has the low-rank prior and learnable sharpness filters. The filters learn from sharp and smooth patches and are
# parameters of the loss, so the optimiser gets them too.

places = [find_extreme_patches(image, patch_size=24) for image in slices[:, 0]]
sharp, smooth = (
    torch.stack(
        [
            image[:, place.row : place.row + 24, place.column : place.column + 24]
            for image, place in zip(slices, chosen, strict=True)
        ]
    )
    for chosen in ([one.sharpest for one in places], [one.smoothest for one in places])
)

torch.manual_seed(0)
network = build_network("edsr-small", {"blocks": 2, "filters": 16})
criterion = SpatioStructuralLoss("AP", form="matched", smooth=smooth, sharp=sharp)
optimiser = torch.optim.Adam([*network.parameters(), *criterion.parameters()], lr=2e-3)

# %%
# The loop
# --------
# ``criterion.terms`` holds the weighted terms of the last call, for a log.

generator = torch.Generator().manual_seed(0)
history = []
for _ in range(120):
    batch = torch.randint(len(reference), (16,), generator=generator)
    loss = criterion(network(inputs[batch]), reference[batch])
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    history.append({term: float(value) for term, value in criterion.terms.items()})
print({term: f"{value:.2e}" for term, value in history[-1].items()})

# %%
# What it learned
# ---------------
# The figures are of the slices it was trained on: this shows that the loop works, not that the network is good.


def psnr(images):
    """PSNR in dB of the middle of all slices, intensities on [0, 1]."""
    error = (images - slices)[:, :, 32:160, 32:160].square().mean()
    return -10 * float(error.log10())


with torch.inference_mode():
    estimate = network(enlarged)
print(f"bicubic {psnr(enlarged):.2f} dB, network {psnr(estimate):.2f} dB")

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for term in history[0]:
    axes[0].plot([abs(step[term]) for step in history], label=term.replace("_", " "))
axes[0].set(xlabel="step", ylabel="weighted term, magnitude", yscale="log")
axes[0].legend(fontsize=8)
rows = torch.cat([slices[5, 0], enlarged[5, 0], estimate[5, 0]])[:, 40:150]
axes[1].imshow(torch.cat(list(rows.split(192)), dim=1).T[:, 30:170], origin="lower", cmap="gray", vmin=0, vmax=1)
axes[1].set_title("reference (bottom), bicubic, network (top)", fontsize=9)
axes[1].axis("off")

# %%
# .. seealso:: :doc:`/priors`, and :doc:`/train` for ``dnsp train``, which does all of this for a cohort.
