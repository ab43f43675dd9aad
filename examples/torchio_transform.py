"""A TorchIO transform that enhances the images of a subject; it works in any tio.Compose and queue."""

import torch
import torchio as tio

import dnsp


class Enhance(tio.transforms.Transform):
    def __init__(self, scale=2, method="network", **arguments):
        super().__init__(**arguments)
        self.scale, self.method = scale, method
        self.args_names = ["scale", "method"]

    def apply_transform(self, subject):
        for image in subject.get_images(intensity_only=True, include=self.include, exclude=self.exclude):
            sharp = dnsp.enhance(image.data[0], affine=image.affine, scale=self.scale, method=self.method)
            image.set_data(torch.from_numpy(sharp.voxels)[None])
            image.affine = sharp.affine
        return subject


if __name__ == "__main__":
    scan = tio.ScalarImage(tensor=torch.rand(1, 40, 48, 6), affine=torch.diag(torch.tensor([1.0, 1.0, 4.0, 1.0])))
    subject = Enhance(method="spline")(tio.Subject(t1=scan))
    for patch in tio.data.UniformSampler((32, 32, 1))(subject, num_patches=2):
        print(patch.t1.shape, patch.t1.spacing)
