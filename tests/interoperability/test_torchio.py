"""TorchIO: the transform of examples/torchio_transform.py, alone, composed, and before a sampler that feeds the loss."""

import numpy as np
import pytest
import torch

import dnsp

tio = pytest.importorskip("torchio", reason="TorchIO is not installed; it is in the dependency group interoperability")


@pytest.fixture
def enhance(example):
    return example("torchio_transform")["Enhance"]


def test_the_transform_gives_what_dnsp_gives_in_the_same_place(enhance, scan):
    sharp = enhance(method="spline")(tio.Subject(t1=tio.ScalarImage(scan)))["t1"]
    alone = dnsp.enhance(scan, method="spline")
    np.testing.assert_allclose(sharp.data[0], alone.voxels, rtol=1e-6)
    np.testing.assert_allclose(sharp.affine, alone.affine, atol=1e-5)


def test_labels_and_excluded_images_stay_as_they_are(enhance, scan):
    labels = tio.LabelMap(tensor=torch.ones(1, 24, 28, 5), affine=tio.ScalarImage(scan).affine)
    subject = tio.Subject(t1=tio.ScalarImage(scan), t2=tio.ScalarImage(scan), seg=labels)
    sharp = enhance(method="spline", exclude=["t2"])(subject)
    assert sharp["t1"].shape == (1, 48, 56, 5)
    assert sharp["t2"].shape == sharp["seg"].shape == (1, 24, 28, 5)


def test_the_transform_is_written_into_the_history_and_composes(enhance, scan):
    subject = tio.Compose([tio.ToCanonical(), enhance(method="bicubic")])(tio.Subject(t1=tio.ScalarImage(scan)))
    assert [type(one).__name__ for one in subject.history][-1] == "Enhance"
    assert subject["t1"].orientation == ("R", "A", "S")


def test_patches_of_a_sampler_train_with_the_loss(scan):
    low = dnsp.enhance(dnsp.degrade(scan), method="spline")
    subject = tio.Subject(
        reference=tio.ScalarImage(scan),
        enlarged=tio.ScalarImage(tensor=torch.from_numpy(low.voxels)[None], affine=low.affine),
    )
    patches = list(tio.data.UniformSampler((16, 16, 1))(tio.RescaleIntensity()(subject), num_patches=4))
    enlarged, reference = (
        torch.stack([patch[key].data[..., 0] for patch in patches]) for key in ("enlarged", "reference")
    )
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    criterion = dnsp.SpatioStructuralLoss("LR")
    criterion(network(enlarged.float()), reference.float()).backward()
    assert float(network.weight.grad.abs().sum()) > 0
    assert set(criterion.terms) == {"data", "low_rank"}
