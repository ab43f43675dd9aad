"""`dnsp train` with each of the networks the paper compares, MONAI's and a user's, then `dnsp enhance`."""

import csv
import sys

import nibabel as nib
import numpy as np
import pytest

SMALL = """
validation_subjects = 1
{top}
[pairs]
slices_per_subject = 2
{pairs}
[patches]
size = 12
per_slice = 4
[optimiser]
epochs = 1
batch_size = 8
[objective]
preset = "{preset}"
"""
UNET = """
network = "monai.networks.nets:UNet"
network_size_multiple = 2
[network_arguments]
spatial_dims = 2
in_channels = 1
out_channels = 1
channels = [4, 8]
strides = [2]
"""


@pytest.mark.parametrize(
    ("top", "pairs", "preset", "trusted"),
    [
        ('network = "dcsrn"', "", "AP", ()),
        ('network = "dcsrn-3d"', "depth = 5", "NP", ()),
        ('network = "lfmri"', "", "NP", ()),
        ('network = "edsr-small"', "", "TVLR", ()),
        (UNET, "", "LR", ("--network", "monai.networks.nets:UNet")),
        ('network = "mine:Sharpen"', "", "AP", ("--network", "mine:Sharpen")),
    ],
    ids=["dcsrn", "dcsrn-3d", "lfmri", "edsr-tvlr", "monai", "mine"],
)
def test_every_network_trains_and_enhances(dnsp, make_cohort, tmp_path, monkeypatch, top, pairs, preset, trusted):
    (tmp_path / "mine.py").write_text(
        "import torch\nclass Sharpen(torch.nn.Conv2d):\n    def __init__(self):\n"
        "        super().__init__(1, 1, 3, padding=1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    source, _ = make_cohort("folder")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(SMALL.format(top=top, pairs=pairs, preset=preset))
    outcome = dnsp("train", source, "-o", tmp_path / "run", "--recipe", recipe)
    assert outcome.code == 0, outcome.err
    model = tmp_path / "run" / "model.safetensors"
    call = ("enhance", source / "sub-01.nii.gz", "-o", tmp_path / "out.nii", "--model", model, "--precision", "float32")
    if trusted:
        refused = dnsp(*call)
        assert (refused.code, "if you trust that code" in refused.err) == (2, True)
    outcome = dnsp(*call, *trusted)
    assert outcome.code == 0, outcome.err
    made = nib.load(tmp_path / "out.nii").get_fdata()
    assert made.shape == (80, 88, 12)
    assert np.isfinite(made).all()
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("top", "pairs", "preset", "complaint"),
    [
        ('network = "dcsrn-3d"', "", "NP", "takes stacks: set pairs.depth above 1"),
        ('network = "dcsrn"', "depth = 5", "NP", "takes slices: pairs.depth must be 1"),
        ('network = "dcsrn-3d"', "depth = 5", "AP", "learnable filters are for slices"),
        ('network = "dcsrn-3d"', "depth = 50", "NP", "stacks of 50 slices were asked for, the scan has 12"),
        ('network = "no.such:Network"', "", "NP", "no.such cannot be imported"),
        (
            'network = "srcnn"\n[network_arguments]\nside = 3',
            "",
            "NP",
            "SRCNN has no argument 'side'; it takes: kernel_sizes, filters",
        ),
    ],
)
def test_networks_that_cannot_be_are_refused_in_one_line(dnsp, make_cohort, tmp_path, top, pairs, preset, complaint):
    source, _ = make_cohort("folder")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(SMALL.format(top=top, pairs=pairs, preset=preset))
    outcome = dnsp("train", source, "-o", tmp_path / "run", "--recipe", recipe)
    assert outcome.code in (1, 2)
    assert complaint in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("preset", ["NP", "LR", "FS", "LS", "AP", "TVLR"])
@pytest.mark.parametrize("network", ["srcnn", "edsr-small"])
def test_srcnn_and_edsr_train_under_every_preset(dnsp, make_cohort, tmp_path, network, preset):
    source, _ = make_cohort("folder")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(SMALL.format(top=f'network = "{network}"', pairs="", preset=preset))
    outcome = dnsp("train", source, "-o", tmp_path / "run", "--recipe", recipe, "--subjects", "sub-01,sub-02")
    assert outcome.code == 0, outcome.err
    with (tmp_path / "run" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    terms = {
        "NP": set(),
        "LR": {"low_rank"},
        "FS": {"sharpness"},
        "LS": {"sharpness", "filters"},
        "AP": {"low_rank", "sharpness", "filters"},
        "TVLR": {"low_rank", "total_variation"},
    }
    assert {*row} - {"epoch", "data", "loss", "psnr_db"} == terms[preset]
