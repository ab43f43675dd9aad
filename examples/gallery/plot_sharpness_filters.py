"""
The sharpness filters
=====================

The sharpness prior is the variance of an image under the Laplacian. The learnable version replaces the Laplacian by
several filters that learn to tell sharp patches from smooth ones.
"""

# %%
# Sharp and smooth patches
# ------------------------
# `dnsp.priors.find_extreme_patches` finds the patch of each slice with the largest and the smallest Laplacian response.

import matplotlib.pyplot as plt
import torch
from nilearn.datasets import load_mni152_template

from dnsp.priors import LearnableSharpnessPrior, SharpnessPrior, find_extreme_patches

voxels = torch.from_numpy(load_mni152_template(resolution=1).get_fdata(dtype="float32"))
slices = [voxels[..., k] / voxels.max() for k in range(50, 130, 8)]


def cut(image, place):
    """Cut the patch of 24 x 24 pixels at a place."""
    return image[place.row : place.row + 24, place.column : place.column + 24]


extremes = [find_extreme_patches(image, patch_size=24) for image in slices]
sharp = torch.stack([cut(image, one.sharpest) for image, one in zip(slices, extremes, strict=True)])[:, None]
smooth = torch.stack([cut(image, one.smoothest) for image, one in zip(slices, extremes, strict=True)])[:, None]

laplacian = SharpnessPrior()
print(f"variance under the Laplacian: sharp {float(laplacian(sharp)):.4f}, smooth {float(laplacian(smooth)):.4f}")

figure, axes = plt.subplots(2, 6, figsize=(8, 2.9), layout="constrained")
for row, patches, name in zip(axes, (sharp, smooth), ("sharp", "smooth"), strict=True):
    for axis, patch in zip(row, patches[:, 0], strict=False):
        axis.imshow(patch.T, origin="lower", cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
    row[0].set_title(name, fontsize=10)

# %%
# Learn the filters
# -----------------
# The filters start as the Laplacian plus noise. Minimising `LearnableSharpnessPrior.filter_response` makes them respond
# more to the sharp patches and less to the smooth ones. They are bounded, so they cannot simply grow.

prior = LearnableSharpnessPrior(filters=4)
start = prior.filters().detach()
optimiser = torch.optim.Adam(prior.parameters(), lr=0.05)
responses = []
for _ in range(60):
    response = prior.filter_response(smooth, sharp)
    response.backward()
    optimiser.step()
    optimiser.zero_grad()
    responses.append(float(response.detach()))
print(f"response, smooth minus sharp: {responses[0]:.1f} at the start, {responses[-1]:.1f} after 60 steps")

figure, axes = plt.subplots(2, 4, figsize=(7, 3.6), layout="constrained")
for row, filters, name in zip(axes, (start, prior.filters().detach()), ("start", "learned"), strict=True):
    for axis, one in zip(row, filters, strict=True):
        drawn = axis.imshow(one, cmap="RdBu", vmin=-4, vmax=4)
        axis.axis("off")
    row[0].set_title(name, fontsize=10)
figure.colorbar(drawn, ax=axes)

# %%
# In training, `dnsp.priors.SpatioStructuralLoss` learns the filters together with the network.
#
# .. seealso:: :doc:`/priors`
