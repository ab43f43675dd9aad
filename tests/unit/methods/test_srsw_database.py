"""The patch database: what is drawn, what its file holds, what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dnsp.acquisition import bicubic_enlarge, blur_downsample
from dnsp.errors import DataError, ModelError, SettingError
from dnsp.methods.srsw_database import PatchDatabase, build_database, load_database, save_database
from dnsp.methods.srsw_patches import SRSWSettings, high_features, low_features

SETTINGS = SRSWSettings(patches_per_subject=200, neighbours=8)


@pytest.fixture
def database(training_pairs):
    return build_database(training_pairs(), scale=2, settings=SETTINGS, seed=3)


def test_sizes_and_facts(database):
    assert database.low.shape == (600, 9)
    assert database.high.shape == (600, 36)
    assert (database.scale, database.subjects, database.seed) == (2, ("s0", "s1", "s2"), 3)


def test_what_is_drawn_follows_from_the_subject_alone(training_pairs, database):
    state = torch.get_rng_state()
    backwards = build_database(reversed(list(training_pairs())), scale=2, settings=SETTINGS, seed=3)
    alone = build_database(list(training_pairs())[1:2], scale=2, settings=SETTINGS, seed=3)
    assert torch.equal(alone.low, database.low[200:400])
    assert torch.equal(backwards.high[:200], database.high[400:])
    assert not torch.equal(build_database(training_pairs(), scale=2, settings=SETTINGS, seed=4).low, database.low)
    assert torch.equal(torch.get_rng_state(), state)


def test_equal_slices_of_two_subjects_give_different_draws(training_pairs):
    _, low_res, high_res = next(iter(training_pairs()))
    twins = build_database([("a", low_res, high_res), ("b", low_res, high_res)], scale=2, settings=SETTINGS, seed=3)
    assert not torch.equal(twins.low[:200], twins.low[200:])


def test_no_place_is_drawn_twice_and_none_is_flat(training_pairs):
    pair = next(iter(training_pairs()))
    everything = build_database([pair], scale=2, settings=replace(SETTINGS, patches_per_subject=10**6), seed=0)
    _, contrast = low_features(pair[1], settings=SETTINGS)
    assert len(everything.low) == int((contrast > SETTINGS.least_contrast).sum()) < contrast.numel()


def test_edges_are_drawn_more_often_than_plains(training_pairs):
    pair = next(iter(training_pairs()))
    few = build_database([pair], scale=2, settings=replace(SETTINGS, patches_per_subject=60), seed=0)
    everything = build_database([pair], scale=2, settings=replace(SETTINGS, patches_per_subject=10**6), seed=0)
    squares = everything.low.std(1).square().mean()
    expected = squares / everything.low.std(1).mean()  # of a draw with odds proportional to the deviation
    assert few.low.std(1).mean() == pytest.approx(float(expected), rel=0.15)
    assert few.low.std(1).mean() > 1.1 * everything.low.std(1).mean()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pair_shows_one_place(scale):
    """The high-resolution patch lies over the middle of the low-resolution one."""
    settings = SRSWSettings(patch_size=5, core_size=3, features="intensities")
    high_res = torch.rand(2, 1, 8 * scale, 7 * scale, generator=torch.Generator().manual_seed(0))
    low_res = blur_downsample(high_res, scale=scale)
    low, _ = low_features(low_res, settings=settings)
    high = high_features(high_res, bicubic_enlarge(low_res, scale=scale), scale=scale, settings=settings)
    place = 56 + 3 * 7 + 4  # slice 1, row 3, column 4
    assert torch.equal(low[place].view(5, 5), low_res[1, 0, 1:6, 2:7])
    assert torch.equal(
        high[place].view(3 * scale, 3 * scale), high_res[1, 0, 2 * scale : 5 * scale, 3 * scale : 6 * scale]
    )


def test_detail_is_what_bicubic_lacks():
    high_res = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    low_res = blur_downsample(high_res, scale=2)
    enlarged = bicubic_enlarge(low_res, scale=2)
    low, _ = low_features(low_res, settings=SETTINGS)
    assert low.mean(1).abs().max() < 1e-6
    detail = high_features(high_res, enlarged, scale=2, settings=SETTINGS)
    assert torch.equal(detail[7].view(6, 6), (high_res - enlarged)[0, 0, 0:6, 0:6])


def test_sides_that_the_scale_does_not_divide():
    high_res = torch.rand(1, 1, 25, 23, generator=torch.Generator().manual_seed(0))
    pair = ("odd", blur_downsample(high_res, scale=3), high_res)
    assert len(build_database([pair], scale=3, settings=SETTINGS, seed=0).low) == 9 * 8


def test_round_trip(tmp_path, database):
    path = tmp_path / "patches.safetensors"
    save_database(path, database)
    again = load_database(path)
    assert torch.equal(again.low, database.low)
    assert torch.equal(again.high, database.high)
    for fact in ("settings", "scale", "subjects", "seed", "version"):
        assert getattr(again, fact) == getattr(database, fact)
    with pytest.raises(ModelError, match="exists already"):
        save_database(path, database)


def rewrite(path, *, change_card=None, change_tensors=None, keep_card=True, keep_digest=False):
    with safe_open(path, framework="pt") as file:
        card = json.loads(file.metadata()["dnsp_patch_database"])
    if not keep_digest:  # as in files of dnsp 0.1
        del card["patches_sha256"]
    tensors = load_file(path)
    (change_card or (lambda _: None))(card)
    (change_tensors or (lambda _: None))(tensors)
    save_file(tensors, path, metadata={"dnsp_patch_database": json.dumps(card)} if keep_card else None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"keep_card": False}, "no card of a patch database"),
        ({"change_card": lambda card: card.update(format=2)}, "format 2"),
        ({"change_card": lambda card: card.pop("scale")}, "cannot be understood"),
        ({"change_card": lambda card: card["settings"].update(patch_size=4)}, "cannot be understood"),
        ({"change_card": lambda card: card["settings"].update(colour=1)}, "unknown settings: colour"),
        ({"change_card": lambda card: card.update(scale=3)}, "x3"),
        ({"change_tensors": lambda t: t.pop("high")}, "cannot be understood"),
        ({"change_tensors": lambda t: t.update(high=t["high"][:5])}, "high-resolution patches must be"),
        ({"change_tensors": lambda t: t.update(low=t["low"].double())}, "float64"),
        ({"change_tensors": lambda t: t["low"].fill_(float("nan"))}, "not finite"),
        ({"change_card": lambda card: card["settings"].update(neighbours=601)}, "fewer than the 601"),
        ({"change_card": lambda card: card["settings"].update(neighbours="3")}, "cannot be understood"),
        ({"change_card": lambda card: card.update(subjects=[[], "b"])}, "cannot be understood"),
        ({"change_tensors": lambda t: t["low"].mul_(2), "keep_digest": True}, "are not those that were saved"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, database, refusal, change, says):
    path = tmp_path / "patches.safetensors"
    save_database(path, database)
    rewrite(path, **change)
    assert says in refusal(lambda: load_database(path), path, ModelError)


def test_files_that_are_none_are_refused(tmp_path, refusal):
    path = tmp_path / "patches.safetensors"
    refusal(lambda: load_database(path), path, ModelError)
    path.write_bytes(b"\x80\x04pickled")
    refusal(lambda: load_database(path), path, ModelError)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("a", torch.rand(1, 1, 8, 8), torch.rand(1, 1, 16, 16))] * 2, "comes twice"),
        ([("a", torch.rand(1, 1, 8, 8), torch.rand(1, 1, 17, 16))], "is not"),
        ([("a", torch.rand(8, 8), torch.rand(16, 16))], "is not"),
        ([("a", torch.rand(1, 1, 2, 8), torch.rand(1, 1, 4, 16))], "smaller than a patch"),
        ([("a", torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 16, 16))], "flat"),
        ([("a", torch.full((1, 1, 8, 8), torch.nan), torch.rand(1, 1, 16, 16))], "not finite"),
        ([], "gave 0 patches"),
    ],
)
def test_pairs_that_cannot_serve_are_refused(pairs, says):
    with pytest.raises(DataError, match=says) as caught:
        build_database(pairs, scale=2, settings=SETTINGS, seed=0)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch_size": 4},
        {"patch_size": 1},
        {"core_size": 5},
        {"core_size": 2},
        {"features": "gradients"},
        {"neighbours": 0},
        {"patches_per_subject": 0},
        {"penalty": -0.1},
        {"penalty": float("nan")},
        {"least_contrast": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError):
        SRSWSettings(**wrong)


def test_scale_one_is_refused():
    with pytest.raises(SettingError, match="at least 2"):
        build_database([], scale=1, settings=SETTINGS, seed=0)


def test_a_database_smaller_than_the_neighbourhood_is_refused(database):
    with pytest.raises(ModelError, match="fewer"):
        PatchDatabase(
            low=database.low[:3], high=database.high[:3], settings=SETTINGS, scale=2, subjects=("s0",), seed=0
        )
