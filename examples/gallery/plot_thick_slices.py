"""
Thick slices
============

Turn a scan with thick slices into one with voxels of equal sides.
"""

# %%
# A scan with slices of 4 mm
# --------------------------
# A part of the ICBM152 template is the reference. The mean of every four neighbouring slices is the scan.

import matplotlib.pyplot as plt
import numpy as np
from nilearn.datasets import load_mni152_template

import dnsp

template = load_mni152_template(resolution=1)
reference = dnsp.Volume.from_nibabel(template.slicer[40:140, 30:190, 60:124])
voxels = reference.voxels.reshape(100, 160, 16, 4).mean(axis=3)
affine = reference.affine @ np.diag([1, 1, 4, 1])
affine[:3, 3] = (reference.affine @ [0, 0, 1.5, 1])[:3]  # the centre of the first thick slice
scan = dnsp.Volume(voxels, affine)
print(scan)

# %%
# One call
# --------
# ``spacing_mm=1.0`` asks for voxels of 1 mm along every axis. A mean of slices is a box; the slices of a scanner are nearer
# to the default, a Gaussian.

sharp = dnsp.enhance(scan, spacing_mm=1.0, slice_profile="box")
spline = dnsp.enhance(scan, spacing_mm=1.0, method="spline")
print(sharp)

# %%
# What was gained
# ---------------

report = {name: dnsp.evaluate(reference, estimate) for name, estimate in (("spline", spline), ("dnsp", sharp))}
for name, figures in report.items():
    print(f"{name:6}  PSNR {figures.psnr_db:.2f} dB  SSIM {figures.ssim:.4f}")

# %%
# A sagittal cut shows the direction in which the slices were thick.

images = {"scan": scan, "spline": spline, "dnsp": sharp, "reference": reference}
figure, axes = plt.subplots(2, 2, figsize=(9, 4.2), layout="constrained")
for axis, (name, volume) in zip(axes.flat, images.items(), strict=True):
    axis.imshow(
        volume.voxels[45].T,
        origin="lower",
        cmap="gray",
        vmin=0,
        vmax=reference.voxels.max(),
        aspect=volume.spacing_mm[2] / volume.spacing_mm[1],
    )
    axis.set_title(name, fontsize=10)
    axis.axis("off")

# %%
# .. seealso:: :doc:`/thick-slices` for slice gaps, profiles and coronal or sagittal scans.
