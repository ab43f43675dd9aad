"""
Enhance a scan
==============

Lower the resolution of a scan, enhance it, and compare the result with interpolation.
"""

# %%
# A scan with a known answer
# --------------------------
# Thirty axial slices of the ICBM152 template at 1 mm are the reference. The *scan* has half the resolution in the plane:
# a Gaussian of 1 pixel, then the mean of each block of 2 x 2 pixels.

import matplotlib.pyplot as plt
from nilearn.datasets import load_mni152_template

import dnsp

template = load_mni152_template(resolution=1)
reference = dnsp.Volume.from_nibabel(template.slicer[:196, :232, 80:110])
scan = dnsp.degrade_volume(reference, scale=2)
print("reference", reference)
print("scan     ", scan)

# %%
# One call
# --------
# The default model estimates the noise and the blur of the scan. ``blur=1.0`` says that we know the blur. What
# is known need not be estimated: the gain is larger.

sharp = dnsp.enhance(scan, scale=2)
told = dnsp.enhance(scan, scale=2, blur=1.0, noise=0.0)
spline = dnsp.enhance(scan, scale=2, method="spline")
print("result   ", sharp)

# %%
# What was gained
# ---------------
# PSNR and SSIM inside the head, under the protocol that `dnsp.evaluate` states.

figures = {}
for name, estimate in {"spline": spline, "default model": sharp, "blur given": told}.items():
    report = dnsp.evaluate(reference, estimate, slices=10)
    figures[name] = next(row for row in report.cohort if row.region == "head")
    print(f"{name:13}  PSNR {figures[name].psnr_db:.2f} dB  SSIM {figures[name].ssim:.4f}")

# %%
# Look at it
# ----------

images = {"reference": reference, "spline": spline, "default model": sharp, "blur given": told}
figure, axes = plt.subplots(1, 4, figsize=(10, 3.4), layout="constrained")
for axis, (name, volume) in zip(axes, images.items(), strict=True):
    axis.imshow(volume.voxels[50:150, 90:200, 15].T, origin="lower", cmap="gray", vmin=0, vmax=reference.voxels.max())
    gain = f"\n{figures[name].psnr_db - figures['spline'].psnr_db:+.2f} dB" if name in figures else "\n"
    axis.set_title(name + gain, fontsize=10)
    axis.axis("off")

# %%
# .. seealso:: :doc:`/enhance` says what the model does and how to judge a result.
