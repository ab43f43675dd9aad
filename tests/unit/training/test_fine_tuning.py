"""Fine-tuning of a model that is told the acquisition: what it is told, what learns, and what it refuses."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from dnsp.acquisition import Acquisition, AcquisitionBelief, AxisSampling, crop_kspace
from dnsp.data import PairedScan, Scan, choose_slices, unit_slices
from dnsp.errors import DataError, SettingError
from dnsp.io import read_scan
from dnsp.networks import AcquisitionAware, ModelCard, NetworkDescription, load_model, save_model
from dnsp.priors import LossSettings
from dnsp.training import (
    OptimiserSettings,
    PairSettings,
    Patches,
    PatchSettings,
    SliceSettings,
    TrainingCallback,
    TrainingConfig,
    cache_pairs,
    lower_resolution,
    make_pairs,
    measure_balance,
    shuffled_batches,
    train,
)

SIZES = {"blocks": 1, "filters": 4, "hidden": 8}
BLUR = PairSettings(slices_per_subject=11, sigma_px=0.7, noise_percent=2.0)
THICK = PairSettings(
    degradation="slices",
    scale=1,
    slices_per_subject=11,
    slices=SliceSettings(spacing_px=3.3, thickness_px=2.5),
    noise_percent=2.0,
)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AcquisitionAware(**SIZES)
        torch.nn.init.normal_(
            network.network.last.weight, std=0.3
        )  # worse than interpolation, so that there is much to learn
        return network


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "start.safetensors"
    card = ModelCard(
        NetworkDescription("acquisition-aware", SIZES),
        (2, 3),
        data={"name": "virtual scans"},
        settings={"estimator": {"minutes": 20}},
        figures={"coverage": 0.95},
    )
    save_model(path, network, card)
    return path


@pytest.fixture
def scan(write_head, tmp_path):
    return Scan("a", write_head(tmp_path / "one.nii", shape=(40, 44, 20)))


@pytest.fixture
def tune(run, model):
    """Fine-tune the small model on three small heads."""

    def start(folder, **changes):
        settings = {
            "network": "edsr-small",
            "network_arguments": {},
            "initial_model": str(model),
            "pairs": PairSettings(slices_per_subject=3, sigma_px=0.7, noise_percent=2.0),
            "loss": LossSettings(prior="NP"),
        }
        return run(folder, **settings | changes)

    return start


# What the network is told

TRUTH, ESTIMATE, BLUR_GIVEN, NOISE_GIVEN = range(4)
KINDS = (TRUTH, ESTIMATE, TRUTH, ESTIMATE, BLUR_GIVEN, TRUTH, ESTIMATE, TRUTH, ESTIMATE, NOISE_GIVEN, TRUTH)
KNOWN = {TRUTH: (1, 1), ESTIMATE: (0, 0), BLUR_GIVEN: (1, 0), NOISE_GIVEN: (0, 1)}


def with_neighbours(scan, settings):
    """The slices of a scan, each with the one before it and the one after it: (S, 3, H, W)."""
    volume = read_scan(scan.path)
    indices = choose_slices(volume, plane="axial", count=settings.slices_per_subject)
    last = volume.voxels.shape[2] - 1
    beside = [[index, max(index - 1, 0), min(index + 1, last)] for index in indices]
    return torch.from_numpy(unit_slices(volume, plane="axial", indices=beside))


def test_the_truth_is_told_of_some_slices_and_estimates_of_the_others(scan, network):
    pairs = make_pairs(scan, settings=BLUR, network=network)
    shown = with_neighbours(scan, BLUR)
    assert torch.equal(pairs.reference, shown[:, :1])
    assert pairs.enlarged.shape == (11, 4, 40, 44)
    assert pairs.conditions.shape == (11, 2, 18)
    told = [tuple(numbers.tolist()) for numbers in pairs.conditions[:, 0, -2:]]
    assert told == [KNOWN[kind] for kind in KINDS]

    axis = AxisSampling(factor=2, sigma=0.7)
    truth = AcquisitionBelief(factors=(2, 2), transfers=(axis.transfer(), axis.transfer()), noise_sigma=0.02)
    low_res = lower_resolution(shown, settings=BLUR, subject_id="a")
    estimate = network.estimator.believe(low_res[:, 0], (2, 2))
    assert estimate != truth
    for kind, belief in (
        (TRUTH, truth),
        (ESTIMATE, estimate),
        (BLUR_GIVEN, network.estimator.believe(low_res[:, 0], (2, 2), blur=(axis, axis))),
        (NOISE_GIVEN, network.estimator.believe(low_res[:, 0], (2, 2), noise_sigma=0.02)),
    ):
        index = KINDS.index(kind)
        torch.testing.assert_close(pairs.conditions[index, 0], belief.vector())
        begun = network.begin(low_res[index : index + 1], (40, 44), belief)
        torch.testing.assert_close(pairs.enlarged[index : index + 1], begun)


def test_truncated_kspace_is_told_as_such(scan, network):
    settings = PairSettings(degradation="kspace", slices_per_subject=3, scale=3)
    pairs, shown = make_pairs(scan, settings=settings, network=network), with_neighbours(scan, settings)
    axis = AxisSampling(factor=3, kind="kspace")
    belief = AcquisitionBelief(factors=(3, 3), transfers=(axis.transfer(), axis.transfer()))
    torch.testing.assert_close(pairs.conditions[0, 0], belief.vector())
    low_res = crop_kspace(shown[:1], scale=3)
    torch.testing.assert_close(Acquisition(rows=axis, columns=axis).apply(shown[:1]), low_res)
    torch.testing.assert_close(pairs.enlarged[:1], network.begin(low_res, (40, 44), belief))


def test_thick_slices_lie_along_the_rows_and_along_the_columns_in_turn(scan, network):
    settings = replace(THICK, noise_percent=0.0)
    pairs, shown = make_pairs(scan, settings=settings, network=network), with_neighbours(scan, settings)
    thick, within = AxisSampling(factor=3.3, kind="slice", thickness=2.5), AxisSampling(factor=1)
    for index, (rows, columns) in ((0, (thick, within)), (5, (within, thick))):  # both tell the truth
        belief = AcquisitionBelief(
            factors=(rows.factor, columns.factor), transfers=(rows.transfer(), columns.transfer())
        )
        torch.testing.assert_close(pairs.conditions[index, 0], belief.vector())
        low_res = Acquisition(rows=rows, columns=columns).apply(shown[index : index + 1])
        assert low_res.shape[2:] == ((13, 44) if index == 0 else (40, 14))
        torch.testing.assert_close(pairs.enlarged[index : index + 1], network.begin(low_res, (40, 44), belief))
    assert pairs.conditions[:, 0, -2].tolist() == [1] * 11  # the profile is always told
    assert set(pairs.conditions[:, 0, -1].tolist()) == {0, 1}


def test_thick_slices_are_noisy_as_they_are_told(scan, network):
    noisy, clean = (make_pairs(scan, settings=settings) for settings in (THICK, replace(THICK, noise_percent=0.0)))
    air = clean.enlarged[0::2, 0, 8:-8, :2]
    assert float(air.abs().max()) < 1e-3
    assert float(noisy.enlarged[0::2, 0, 8:-8, :2].abs().mean()) > 0.01
    told = make_pairs(scan, settings=THICK, network=network).conditions
    expected = AcquisitionBelief(factors=(1, 1), transfers=((1.0,) * 5,) * 2, noise_sigma=0.02).vector()
    torch.testing.assert_close(told[0, 0, -4:], expected[-4:])


def test_millimetres_become_pixels_of_each_axis(write_head, network, tmp_path):
    scan = Scan("a", write_head(tmp_path / "a.nii"))  # pixels of 0.9 x 1.1 mm
    settings = replace(
        THICK, slices_per_subject=2, slices=SliceSettings(spacing_mm=4.4, thickness_mm=3.3), noise_percent=0.0
    )
    conditions = make_pairs(scan, settings=settings, network=network).conditions
    rows = AxisSampling(factor=4.8889, kind="slice", thickness=3.6667)
    columns = AxisSampling(factor=4, kind="slice", thickness=3)
    within = AxisSampling(factor=1).transfer()
    first = AcquisitionBelief(factors=(4.8889, 1), transfers=(rows.transfer(), within))
    second = AcquisitionBelief(factors=(1, 4), transfers=(within, columns.transfer()))
    torch.testing.assert_close(conditions[0, 0], first.vector())
    torch.testing.assert_close(conditions[1, 0, :14], second.vector()[:14])


def test_a_transposed_patch_is_told_the_other_way_round(scan, network):
    pairs = make_pairs(scan, settings=THICK, network=network)
    settings = PatchSettings(size=12, per_slice=6, augment=True)
    patches = Patches([pairs], settings=settings, seed=0, epoch=0)
    batch = patches.cut(range(len(patches)))
    assert batch.conditions.shape == (66, 18)
    turned = 0
    for number, (image, condition) in enumerate(zip(batch.enlarged, batch.conditions, strict=True)):
        index = number // 6
        straight, exchanged = pairs.conditions[index]
        torch.testing.assert_close(exchanged[:7], straight[7:14])
        torch.testing.assert_close(exchanged[7:14], straight[:7])
        assert torch.equal(exchanged[14:], straight[14:])
        image_is_thick_along_rows = bool(condition[0] > condition[7])
        slice_is = index % 2 == 0
        transposed = image_is_thick_along_rows != slice_is
        assert torch.equal(condition, exchanged if transposed else straight)
        assert is_cut_from(image[0], pairs.enlarged[index, 0], transposed=transposed)
        turned += transposed
    assert 0 < turned < 66


def is_cut_from(patch, image, *, transposed):
    windows = (image.T if transposed else image).unfold(0, 12, 1).unfold(1, 12, 1)
    mirrored = (patch, patch.flip(0), patch.flip(1), patch.flip(0, 1))
    return any(bool((windows == one).all(-1).all(-1).any()) for one in mirrored)


def test_the_inputs_of_a_whole_slice_are_told_as_it_lies(scan, network):
    pairs = make_pairs(scan, settings=THICK, network=network)
    for index in range(2):
        images, condition = pairs.inputs(index)
        assert torch.equal(images[0], pairs.enlarged[index])
        assert torch.equal(condition[0], pairs.conditions[index, 0])


def test_inputs_and_conditions_come_back_from_the_cache(scan, network, tmp_path):
    made = make_pairs(scan, settings=BLUR, network=network)
    for _ in range(2):
        (cached,) = cache_pairs([scan], settings=BLUR, network=network, folder=tmp_path / "cache")
        assert all(map(torch.equal, cached[1:], made[1:]))
    (file,) = (tmp_path / "cache").iterdir()
    content = bytearray(file.read_bytes())
    content[-40] ^= 1  # the last condition stands before the digest
    file.write_bytes(content)
    (again,) = cache_pairs([scan], settings=BLUR, network=network, folder=tmp_path / "cache")
    assert torch.equal(again.conditions, made.conditions)


def test_another_estimator_makes_other_pairs(scan, network, tmp_path):
    (first,) = cache_pairs([scan], settings=BLUR, network=network, folder=tmp_path / "cache")
    for weight in network.network.parameters():  # what learns does not matter
        torch.nn.init.ones_(weight)
    cache_pairs([scan], settings=BLUR, network=network, folder=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    with torch.no_grad():
        network.estimator.head[-1].bias += 1
    (second,) = cache_pairs([scan], settings=BLUR, network=network, folder=tmp_path / "cache")
    assert not torch.equal(first.conditions, second.conditions)


# What learns


def test_the_sharpening_part_alone_learns(tune, model):
    before, after = load_file(model), load_file(tune("tuned"))
    assert before.keys() == after.keys()
    for name, weights in after.items():
        assert torch.equal(weights, before[name]) != name.startswith("network."), name


def test_the_loss_goes_down(tune):
    for folder, pairs in (
        ("blur", PairSettings(slices_per_subject=3)),
        ("thick", replace(THICK, slices_per_subject=4)),
    ):
        losses = []

        class Listen(TrainingCallback):
            def on_epoch(self, epoch, terms, psnr_db, losses=losses):
                losses.append(terms["data"])

        optimiser = OptimiserSettings(epochs=12, batch_size=8, learning_rate=3e-3)
        tune(folder, pairs=pairs, optimiser=optimiser, callbacks=[Listen()])
        assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("prior", ["NP", "AP"])
def test_a_stopped_run_reaches_what_an_unbroken_one_does(tune, prior):
    settings = {"loss": LossSettings(prior=prior), "patches": PatchSettings(12, 4, fresh_each_epoch=True, augment=True)}
    whole = load_file(tune("whole", **settings))

    class Stop(TrainingCallback):
        def on_epoch(self, epoch, terms, psnr_db):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune("stopped", callbacks=[Stop()], **settings)
    resumed = load_file(tune("stopped", **settings))
    assert all(torch.equal(resumed[name], weights) for name, weights in whole.items())


def test_the_card_keeps_what_it_said_and_adds_the_fine_tuning(tune, model):
    first = tune("first", pairs=PairSettings(slices_per_subject=3, scale=4))
    card = load_model(first).card
    assert card.scales == (2, 3, 4)
    assert card.network.arguments == SIZES
    assert (card.data["name"], card.settings["estimator"], card.figures["coverage"]) == (
        "virtual scans",
        {"minutes": 20},
        0.95,
    )
    (data,), (settings,), (figures,) = (part["fine_tuning"] for part in (card.data, card.settings, card.figures))
    assert data["training_subjects"] == ["a", "b"]
    assert len(data["initial_model"]) == 64
    assert settings["pairs"]["scale"] == 4
    assert settings["fixed_parts"] == ["estimator", "uncertainty"]
    assert figures["validation_psnr_db"] > 0
    second = tune("second", initial_model=str(first), pairs=replace(THICK, slices_per_subject=3))
    card = load_model(second).card
    assert card.scales == (2, 3, 4)
    assert [entry["pairs"]["degradation"] for entry in card.settings["fine_tuning"]] == ["blur", "slices"]


def test_another_network_is_not_told_anything(scan):
    pairs = make_pairs(scan, settings=BLUR)
    assert pairs.conditions.numel() == 0
    batch = next(
        shuffled_batches(Patches([pairs], settings=PatchSettings(8), seed=0, epoch=0), batch_size=4, seed=0, epoch=0)
    )
    assert len(batch.inputs) == 1


def test_the_default_model_can_be_tuned_in_half_precision(tune):
    before = load_model("default").network.state_dict()
    after = load_file(tune("default", initial_model="default", precision="bfloat16"))
    for name, weights in after.items():
        assert torch.equal(weights, before[name]) != name.startswith("network."), name


def test_the_terms_of_the_loss_can_be_balanced_on_its_results(data, model):
    config = TrainingConfig(pairs=PairSettings(slices_per_subject=2), patches=PatchSettings(size=12, per_slice=2))
    terms = measure_balance(data.training, config=config, model=str(model), batches=1)
    assert all(term.norm > 0 for term in terms)
    with pytest.raises(SettingError, match="leave it out"):
        measure_balance(data.training, config=replace(config, pairs=PairSettings(kernel_a=-1.0)), model=str(model))


# What is refused


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        (PairSettings(depth=4), "takes slices: pairs.depth must be 1"),
        (
            PairSettings(degradation="paired", scale=1),
            "enlarges scans, and paired pairs keep their grid; use --degradation",
        ),
        (PairSettings(kernel_a=-0.75), "leave it out"),
    ],
)
def test_what_the_model_cannot_learn_from_is_refused(tune, pairs, complaint):
    with pytest.raises(SettingError, match=complaint):
        tune("run", pairs=pairs)


def test_pairs_are_refused_before_they_are_registered(model, make_settings, tmp_path):
    scans = [PairedScan(name, tmp_path / "none.nii", tmp_path / "nothing.nii") for name in "abc"]
    config = make_settings(network="edsr-small", network_arguments={}, initial_model=str(model))
    with pytest.raises(SettingError, match="paired pairs keep their grid"):
        train(scans, tmp_path / "run", config=config)
    assert not (tmp_path / "run" / "registered").exists()


def test_a_network_of_a_user_is_not_told(run):
    with pytest.raises(SettingError, match="a network of your own takes images alone"):
        run("run", network="dnsp.networks:AcquisitionAware", network_arguments=SIZES)


def test_thick_slices_need_a_network_that_is_told(make_settings):
    with pytest.raises(SettingError, match="with degradation slices, use --from default"):
        make_settings(pairs=THICK)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "needs spacing_mm and thickness_mm, or spacing_px and thickness_px"),
        ({"spacing_mm": 5.0, "spacing_px": 5.0}, "or one of the four"),
        ({"spacing_mm": 5.0, "thickness_px": 5.0}, "or one of the four"),
        ({"thickness_px": 9.0}, "spacing_px must be above 1 and at most 8, not 9"),
        ({"spacing_px": 5.0, "thickness_px": 1.0}, "thickness_px must be from 0.25 to 4 times the spacing of 5, not 1"),
        ({"spacing_px": 8.5}, "spacing_px must be above 1 and at most 8, not 8.5"),
        ({"spacing_px": 1.0}, "spacing_px must be above 1"),
        ({"spacing_mm": float("nan")}, "spacing_mm"),
        ({"spacing_mm": 5.0, "profile": "round"}, "profile must be one of gaussian, box, sinc"),
    ],
)
def test_slices_that_cannot_be_are_refused(settings, complaint):
    with pytest.raises(SettingError, match=complaint):
        SliceSettings(**settings)


def test_spacing_and_thickness_stand_for_each_other():
    for given in ({"spacing_px": 3.0}, {"thickness_px": 3.0}, {"spacing_px": 3.0, "thickness_px": 3.0}):
        assert SliceSettings(**given).sampling(0.5) == AxisSampling(factor=3, kind="slice", thickness=3)
    assert SliceSettings(thickness_mm=3.0).sampling(0.5) == AxisSampling(factor=6, kind="slice", thickness=6)


@pytest.mark.parametrize("spacing", [0.9, 9.0])
def test_slices_that_do_not_fit_a_scan_are_refused_with_its_path(scan, network, spacing):
    settings = replace(THICK, slices=SliceSettings(spacing_mm=spacing))
    with pytest.raises(DataError, match=rf"{scan.path}: slices {spacing:g} mm apart are .* of its pixels"):
        make_pairs(scan, settings=settings, network=network)


def test_thick_slices_and_their_table_need_each_other():
    for settings in ({"degradation": "slices", "scale": 1}, {"slices": SliceSettings(spacing_px=3.0)}):
        with pytest.raises(SettingError, match=r"degradation slices and a table pairs\.slices .* need each other"):
            PairSettings(**settings)


def test_thick_slices_are_not_for_stacks():
    with pytest.raises(SettingError, match="depth must be 1"):
        replace(THICK, depth=3)


def test_a_network_that_is_told_cannot_learn_from_pairs_on_one_grid(scan, network):
    pair = PairedScan("a", scan.path, scan.path)
    with pytest.raises(SettingError, match="cannot learn from paired pairs"):
        make_pairs(pair, settings=PairSettings(degradation="paired", scale=1, slices_per_subject=3), network=network)
