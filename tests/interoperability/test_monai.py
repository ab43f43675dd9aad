"""MONAI: the transforms of examples/monai_transform.py for an image and for a dictionary, and the loss."""

import numpy as np
import pytest
import torch

import dnsp

monai = pytest.importorskip("monai", reason="MONAI is not installed; it is in the dependency group interoperability")
# MONAI makes every reader that it knows and warns of one that this machine cannot use.
pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")


@pytest.fixture
def transforms(example):
    return example("monai_transform")


def test_the_dictionary_transform_gives_what_dnsp_gives_in_the_same_place(transforms, scan):
    from monai.transforms import Compose, LoadImaged

    load = LoadImaged("t1", reader="NibabelReader", image_only=True, ensure_channel_first=True)
    loaded = Compose([load, transforms["Enhanced"]("t1", method="spline")])({"t1": str(scan), "age": 40})
    alone = dnsp.enhance(scan, method="spline")
    np.testing.assert_allclose(loaded["t1"][0], alone.voxels, rtol=1e-6)
    np.testing.assert_allclose(loaded["t1"].affine, alone.affine, atol=1e-5)
    assert loaded["age"] == 40


def test_a_missing_key_is_an_error_unless_it_is_allowed(transforms):
    with pytest.raises(KeyError, match="t2"):
        transforms["Enhanced"]("t2")({"t1": 1})
    assert transforms["Enhanced"]("t2", allow_missing_keys=True)({"t1": 1}) == {"t1": 1}


def test_the_enhanced_image_goes_on_through_other_transforms(transforms, scan):
    from monai.transforms import Compose, LoadImage, Spacing

    sharp = Compose(
        [
            LoadImage(reader="NibabelReader", ensure_channel_first=True),
            transforms["Enhance"](method="spline"),
            Spacing((1.0, 1.0, 2.0)),
        ]
    )
    np.testing.assert_allclose(sharp(str(scan)).pixdim, (1.0, 1.0, 2.0), atol=1e-5)


def test_the_loss_is_a_loss_of_monais_trainer():
    pytest.importorskip("ignite", reason="MONAI's trainer needs pytorch-ignite")
    from monai.engines import SupervisedTrainer

    reference = torch.rand(4, 1, 12, 12)
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    before = network.weight.detach().clone()
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": reference, "label": reference}],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.1),
        loss_function=dnsp.SpatioStructuralLoss("LR"),
    )
    trainer.run()
    assert not torch.equal(before, network.weight)
