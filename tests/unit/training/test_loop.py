"""The loop: float32 images, one wait a step, what it tells, and where it starts from."""

import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dnsp.errors import DataError, ModelError, SettingError, TrainingError
from dnsp.networks import Network, load_model
from dnsp.priors import LossSettings, SpatioStructuralLoss
from dnsp.training import (
    FilterPatchSettings,
    OptimiserSettings,
    PairSettings,
    Resources,
    TrainingCallback,
    TrainingData,
    make_pairs,
    train_network,
)
from dnsp.training.modules import make_loss
from dnsp.training.run_state import read_state

NETWORKS = {
    "srcnn": {"filters": [8, 4]},
    "edsr-small": {"blocks": 2, "filters": 8},
    "dcsrn": {"growth": 4},
    "dcsrn-3d": {"growth": 4},
    "lfmri": {"filters": [4, 4, 4, 4]},
}


def settings_of(network):
    stacks = network.endswith("-3d")
    return {
        "network": network,
        "network_arguments": NETWORKS[network],
        "pairs": PairSettings(slices_per_subject=2, depth=4 if stacks else 1),
        "loss": LossSettings(prior="LR" if stacks else "AP"),
    }


class Record(TrainingCallback):
    """Write down what a run tells."""

    def __init__(self):
        self.told = []

    def on_scans_read(self, done, total):
        self.told.append(("read", done, total))

    def on_start(self, counts, steps, done):
        self.told.append(("start", dict(counts), steps, done))

    def on_step(self, step, loss):
        self.told.append(("step", step, loss))

    def on_epoch(self, epoch, terms, psnr_db):
        self.told.append(("epoch", epoch, dict(terms), psnr_db))

    def on_end(self, path):
        self.told.append(("end", path))


# Precision


@pytest.fixture
def images_in_training():
    """Collect the images that a network is called with, and every estimate and reference that a loss is."""
    seen = []

    def look(module, arguments):
        if isinstance(module, SpatioStructuralLoss):
            seen.extend(image.detach().clone() for image in arguments)
        elif isinstance(module, Network):
            seen.append(arguments[0][:, :1].clone())  # the image; other channels are what a network adds

    handle = nn.modules.module.register_module_forward_pre_hook(look)
    yield seen
    handle.remove()


def share_on_the_bfloat16_grid(images):
    return (images == images.to(torch.bfloat16).to(images.dtype)).float().mean().item()


@pytest.mark.parametrize("network", list(NETWORKS))
def test_no_rounded_image_reaches_the_network_or_the_loss(run, images_in_training, network):
    trained = {}
    for precision in ("float32", "bfloat16"):
        images_in_training.clear()
        trained[precision] = load_file(run(f"{precision}", precision=precision, **settings_of(network)))
        assert images_in_training
        for images in images_in_training:
            assert images.dtype == torch.float32
            inside = images[images != 0]  # the air around the head is 0 in every precision
            assert share_on_the_bfloat16_grid(inside) < 0.1
    convolutions_differ = [
        not torch.equal(trained["float32"][name], weights) for name, weights in trained["bfloat16"].items()
    ]
    assert any(convolutions_differ)  # bfloat16 was in use


def test_a_network_that_cannot_run_in_bfloat16_is_refused(run):
    with pytest.raises(SettingError, match=r"torch\.nn:Conv2d runs in float32 alone"):
        run("run", precision="bfloat16")


# Waiting for the device


def test_the_host_waits_for_the_device_once_a_step(run, monkeypatch):
    waits = []
    for name in ("item", "tolist", "__float__", "__int__", "__bool__", "__index__", "cpu", "numpy"):
        original = getattr(Tensor, name)

        def counted(self, *arguments, _original=original, **keywords):
            if sys._getframe(1).f_globals["__name__"].startswith("dnsp."):  # torch's own optimiser reads its counters
                waits.append(_original)
            return _original(self, *arguments, **keywords)

        monkeypatch.setattr(Tensor, name, counted)

    per_step = []

    class Count(TrainingCallback):
        def on_start(self, counts, steps, done):
            waits.clear()

        def on_step(self, step, loss):
            per_step.append(len(waits))
            waits.clear()

        def on_epoch(self, epoch, terms, psnr_db):
            waits.clear()

    # The low-rank prior looks at its images on a CPU, and on a CPU alone: see test_low_rank.py.
    run("run", callbacks=[Count()], loss=LossSettings(prior="LS"))
    assert len(per_step) == 9
    assert per_step == [1] * 9


# What it tells


def test_callbacks_hear_every_station_in_order(run, tmp_path):
    first, second = Record(), Record()
    path = run("run", callbacks=[first, second])
    assert first.told == second.told
    kinds = [told[0] for told in first.told]
    assert kinds == ["read"] * 4 + ["start"] + (["step"] * 3 + ["epoch"]) * 3 + ["end"]
    assert first.told[:4] == [("read", done, 3) for done in range(4)]
    assert first.told[4] == ("start", {"training_slices": 6, "validation_slices": 3, "patches": 24}, 9, 0)
    assert [told[1] for told in first.told if told[0] == "step"] == list(range(1, 10))
    assert first.told[-1] == ("end", path)
    _, number, terms, psnr_db = first.told[-2]
    losses = [told[2] for told in first.told if told[0] == "step"]
    assert number == 3
    assert sum(terms.values()) == pytest.approx(sum(losses[6:]) / 3)
    assert list(terms) == ["data", "low_rank", "sharpness", "filters"]
    assert psnr_db > 0
    again = Record()
    run("run", callbacks=[again])
    assert again.told == [("end", path)]


def test_without_validation_there_is_no_psnr(run, data):
    record = Record()
    run("run", callbacks=[record], on=TrainingData(data.training))
    assert [told[3] for told in record.told if told[0] == "epoch"] == [None] * 3


BREAKS = """
import torch
class Breaks(torch.nn.Conv2d):
    def __init__(self):
        super().__init__(1, 1, 3, padding=1)
        self.calls = 0
    def forward(self, images):
        self.calls += self.training
        return super().forward(images) * (float("nan") if self.calls == 5 else 1.0)
"""


def test_a_term_that_is_not_finite_is_named_with_its_step(run, tmp_path, monkeypatch):
    (tmp_path / "breaks_at_five.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TrainingError, match="epoch 2, step 5: the data term of the loss is nan"):
        run("run", network="breaks_at_five:Breaks", network_arguments={})
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert read_state(tmp_path / "run" / "state.safetensors").rows[-1]["epoch"] == 1


# Where it starts from

GENTLE = OptimiserSettings(epochs=1, batch_size=8, learning_rate=1e-12)


def test_training_starts_from_the_weights_of_a_model(run, tmp_path):
    small = {"network": "edsr-small", "network_arguments": {"blocks": 1, "filters": 4}}
    start = run("start", **small)
    tuned = run("tuned", network="edsr-small", network_arguments={}, initial_model=str(start), optimiser=GENTLE, seed=5)
    before, (network, card) = load_file(start), load_model(tuned)
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(weights, before[name], rtol=0, atol=1e-9)
    assert card.network == load_model(start).card.network
    assert card.network.arguments["blocks"] == 1
    assert card.settings["initial_model"] == str(start)
    assert len(card.data["initial_model"]) == 64  # a digest of the file
    trained = load_file(run("more", network_arguments={}, network="edsr-small", initial_model=str(start)))
    assert any(not torch.equal(trained[name], before[name]) for name in before)


def test_another_initial_model_is_another_run(run, tmp_path):
    small = {"network": "edsr-small", "network_arguments": {"blocks": 1, "filters": 4}}
    start, other = run("start", **small), run("other", seed=1, **small)
    tuned = {"network": "edsr-small", "network_arguments": {}, "optimiser": GENTLE}
    run("tuned", initial_model=str(start), **tuned)
    start.rename(tmp_path / "elsewhere.safetensors")
    run("tuned", initial_model=str(tmp_path / "elsewhere.safetensors"), **tuned)
    with pytest.raises(TrainingError, match=r"data\.initial_model"):
        run("tuned", initial_model=str(other), **tuned)


def test_an_included_model_can_be_tuned(run):
    tuned = run("run", network="edsr-small", network_arguments={}, initial_model="edsr-small", optimiser=GENTLE)
    included = load_model("edsr-small", scale=2).network.state_dict()
    for name, weights in load_model(tuned).network.state_dict().items():
        torch.testing.assert_close(weights, included[name], rtol=0, atol=1e-9)


def test_a_model_of_a_user_s_network_is_trusted_by_its_class(run):
    start = run("start")
    with pytest.raises(ModelError, match="trust"):
        run("refused", network="edsr-small", network_arguments={}, initial_model=str(start))
    assert run("tuned", network_arguments={}, initial_model=str(start)).exists()


def test_a_model_that_does_not_fit_or_is_not_there_is_refused(run, tmp_path):
    start = run("start", **settings_of("dcsrn-3d"))
    with pytest.raises(SettingError, match=r"start/model.safetensors takes stacks: set pairs.depth above 1"):
        run("tuned", network="edsr-small", network_arguments={}, initial_model=str(start))
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        run("tuned", network="edsr-small", network_arguments={}, initial_model=str(tmp_path / "none.safetensors"))


# What it is computed with


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what is missing here")
def test_a_processor_that_is_missing_is_one_line(data, make_settings, tmp_path):
    for accelerator in ("cuda", "abacus"):
        with pytest.raises(SettingError, match=f"accelerator '{accelerator}' are not available") as caught:
            train_network(data, tmp_path / "run", config=make_settings(), resources=Resources(accelerator=accelerator))
        assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_line(data, make_settings, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file"):
        train_network(data, tmp_path / "file" / "run", config=make_settings())


# What the loss is made of


def test_the_settings_of_the_filters_patches_reach_the_loss(data, make_settings):
    pairs = [make_pairs(scan, settings=PairSettings(slices_per_subject=3)) for scan in data.training]
    contrast = make_loss(make_settings(), pairs).contrast
    same = make_loss(make_settings(filter_patches=FilterPatchSettings(size=12)), pairs)
    assert torch.equal(same.contrast, contrast)  # by default that of the training patches
    for settings in (FilterPatchSettings(size=9), FilterPatchSettings(minimum_head=0.0)):
        other = make_loss(make_settings(filter_patches=settings), pairs)
        assert not torch.equal(other.contrast, contrast)
    slices = {"a": [0], "b": [1, 2]}
    assert not torch.equal(make_loss(make_settings(), pairs, slices).contrast, contrast)


def test_the_filters_start_as_the_settings_say(data, make_settings):
    pairs = [make_pairs(scan, settings=PairSettings(slices_per_subject=3)) for scan in data.training]
    laplacian = make_loss(make_settings(), pairs).sharpness.weight
    drawn = make_loss(make_settings(loss=LossSettings(filter_init="random")), pairs).sharpness.weight
    assert laplacian.std(dim=0).max() < 0.05
    assert drawn.std(dim=0).min() > 0.3
    assert not torch.equal(laplacian, make_loss(make_settings(seed=1), pairs).sharpness.weight)
