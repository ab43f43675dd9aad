"""MONAI transforms that enhance scans: one for an image, one for a dictionary."""

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

import dnsp


class Enhance(Transform):
    def __init__(self, scale=2, method="network"):
        self.settings = {"scale": scale, "method": method}

    def __call__(self, image):  # a MetaTensor of one channel, as LoadImage(ensure_channel_first=True) gives it
        sharp = dnsp.enhance(image, **self.settings)
        return MetaTensor(torch.from_numpy(sharp.voxels)[None], affine=torch.from_numpy(sharp.affine))


class Enhanced(MapTransform):
    def __init__(self, keys, *, allow_missing_keys=False, **settings):
        super().__init__(keys, allow_missing_keys)
        self.enhance = Enhance(**settings)

    def __call__(self, data):
        return dict(data) | {key: self.enhance(data[key]) for key in self.key_iterator(data)}
