"""
The low-rank prior and its gradient
===================================

The prior counts the singular values of an image that stand out from zero. Its gradient needs no singular value
decomposition.
"""

# %%
# Rank of a patch
# ---------------
# Patches of brain images have few large singular values. Noise raises the small ones, and with them the rank.

import matplotlib.pyplot as plt
import torch
from nilearn.datasets import load_mni152_template

from dnsp.priors import LowRankPrior

slices = torch.from_numpy(load_mni152_template(resolution=1).get_fdata(dtype="float32"))
patch = slices[80:120, 120:160, 85][None, None] / slices.max()
noise = 0.004 * torch.randn(patch.shape, generator=torch.Generator().manual_seed(0))
noisy = patch + noise

prior = LowRankPrior(delta=0.01)
print(f"rank of the patch          {float(prior(patch)):5.2f}")
print(f"rank of the patch + noise  {float(prior(noisy)):5.2f}")

figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.semilogy(torch.linalg.svdvals(patch)[0, 0], label="patch")
axis.semilogy(torch.linalg.svdvals(noisy)[0, 0], label="patch + noise")
axis.axhline(prior.delta, color="0.5", linestyle="--", label=r"$\delta$")
axis.set(xlabel="index", ylabel="singular value")
axis.legend()

# %%
# Gradient
# --------
# Autograd gives :math:`\exp(-Y Y^T / 2 \delta^2) \, Y / \delta^2`. Steps along the negative gradient lower the rank: they
# shrink the singular values near :math:`\delta` and leave the large ones, so the structure of the patch stays.

stepped = noisy.clone()
for _ in range(40):
    stepped.requires_grad_()
    (gradient,) = torch.autograd.grad(prior(stepped), stepped)
    stepped = stepped.detach() - 2e-5 * gradient
print(f"rank after 40 steps        {float(prior(stepped)):5.2f}")
print(f"error before and after     {float((noisy - patch).norm()):.3f}, {float((stepped - patch).norm()):.3f}")

figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
for axis, (name, image) in zip(
    axes,
    {"patch": patch, "patch + noise": noisy, "gradient (last step)": gradient, "after 40 steps": stepped}.items(),
    strict=True,
):
    limits = {"vmin": 0, "vmax": float(patch.max())} if image is not gradient else {}
    axis.imshow(image.detach()[0, 0].T, origin="lower", cmap="gray" if limits else "RdBu", **limits)
    axis.set_title(name, fontsize=10)
    axis.axis("off")

# %%
# The gradient is finite where a decomposition has none: for zero, constant and rank-one images.

flat = torch.full((1, 1, 40, 40), 0.5, requires_grad=True)
(gradient,) = torch.autograd.grad(prior(flat), flat)
print("gradient of a constant image is finite:", bool(gradient.isfinite().all()))

# %%
# .. seealso:: :doc:`/priors` and `dnsp.priors.soft_rank`.
