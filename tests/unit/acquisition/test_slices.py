"""Thick slices: their description, and a scan sampled in them."""

import numpy as np
import pytest

import dnsp
from dnsp.acquisition import SliceOptions, Slices, thicken_volume
from dnsp.errors import SettingError
from dnsp.volume import Volume


def test_what_the_user_says_comes_before_the_file_and_the_file_before_the_spacing():
    assert Slices.of(SliceOptions(), spacing_mm=5.0).thickness_mm == 5.0
    recorded = Slices.of(SliceOptions(), spacing_mm=5.0, recorded_mm=(4.0, "sidecar"))
    assert (recorded.thickness_mm, recorded.source) == (4.0, "sidecar")
    said = Slices.of(SliceOptions(thickness_mm=6.0), spacing_mm=5.0, recorded_mm=(4.0, "sidecar"))
    assert (said.thickness_mm, said.source) == (6.0, "--slice-thickness")


def test_the_sampling_counts_in_output_voxels():
    sampling = Slices(spacing_mm=6.0, thickness_mm=4.0, profile="box").sampling(3.0)
    assert (sampling.factor, sampling.thickness, sampling.profile, sampling.kind) == (3.0, 2.0, "box", "slice")


@pytest.mark.parametrize("thickness", [1.0, 25.0])
def test_a_thickness_that_does_not_fit_the_distance_is_refused(thickness):
    with pytest.raises(SettingError, match="does not fit slices 5 mm apart"):
        Slices.of(SliceOptions(thickness_mm=thickness), spacing_mm=5.0)


@pytest.mark.parametrize("spacing", [2.5, 3.3, 4.0])
def test_a_slice_holds_what_lies_around_its_centre(spacing):
    """Of a ramp, a slice of any symmetric profile holds the value at its centre."""
    centres = np.arange(40) * 1.0
    thin = Volume(np.broadcast_to(centres, (4, 5, 40)).astype(np.float32), np.eye(4))
    thick = thicken_volume(thin, Slices(spacing_mm=spacing, thickness_mm=3.0))
    places = thick.affine[2, 3] + np.arange(thick.spatial_shape[2]) * thick.spacing_mm[2]
    inner = (places > 8) & (places < 31)
    np.testing.assert_allclose(thick.voxels[1, 2, inner], places[inner], atol=0.05)
    assert thick.spacing_mm == pytest.approx((1.0, 1.0, spacing))
    assert thick.voxels.dtype == np.float32


def test_a_thicker_slice_blurs_more_and_a_gap_loses_what_lies_in_it():
    voxels = np.zeros((4, 4, 24), dtype=np.float32)
    voxels[:, :, 11] = 1.0  # half way between the centres 8.5 and 14.5 of two slices 6 mm apart
    thin = Volume(voxels, np.eye(4))
    seen = [float(thicken_volume(thin, Slices(spacing_mm=6.0, thickness_mm=t)).voxels.max()) for t in (2.0, 4.0, 6.0)]
    assert seen[0] < seen[1] < seen[2]
    assert seen[0] < 0.02


def test_the_plane_of_the_slices_can_be_named_and_closer_slices_are_refused():
    thin = Volume(np.random.default_rng(0).uniform(1, 2, (12, 8, 8)), np.diag([1.0, 1.0, 2.0, 1.0]))
    low = dnsp.degrade(thin, degradation="slices", slice_spacing_mm=3, plane="sagittal")
    assert low.spatial_shape == (4, 8, 8)
    assert low.spacing_mm == (3.0, 1.0, 2.0)
    with pytest.raises(SettingError, match=r"1\.5 mm apart are closer than those of the scan \(2 mm\)"):
        dnsp.degrade(thin, degradation="slices", slice_spacing_mm=1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give --slice-thickness or --slice-spacing"),
        ({"slice_spacing_mm": 0.0}, "--slice-spacing must be a positive number"),
        ({"slice_thickness_mm": -3.0}, "must be a positive number"),
        ({"slice_spacing_mm": float("nan")}, "--slice-spacing must be a positive number"),
    ],
)
def test_slices_that_make_no_sense_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        dnsp.degrade(Volume(np.ones((4, 4, 9)), np.eye(4)), degradation="slices", **options)


@pytest.mark.parametrize("thickness", [0.0, -1.0, float("nan"), float("inf")])
def test_a_thickness_that_is_none_is_refused(thickness):
    with pytest.raises(SettingError, match="--slice-thickness must be a positive number of millimetres"):
        SliceOptions(thickness_mm=thickness)


def test_an_unknown_profile_is_refused():
    with pytest.raises(SettingError, match="--slice-profile must be one of auto, gaussian, box, sinc, not 'round'"):
        SliceOptions(profile="round")


def test_a_profile_that_nobody_named_is_assumed_to_be_gaussian():
    assumed, named = (Slices.of(SliceOptions(profile=profile), spacing_mm=5.0) for profile in ("auto", "gaussian"))
    assert (assumed.profile, assumed.profile_known) == ("gaussian", False)
    assert (named.profile, named.profile_known) == ("gaussian", True)
    assert SliceOptions() == SliceOptions(profile="auto")
    assert [slices.facts["SliceProfileFrom"] for slices in (assumed, named)] == ["assumed", "--slice-profile"]


def test_the_thinnest_and_the_thickest_slices_are_taken():
    for thickness in (1.25, 20.0):
        assert Slices.of(SliceOptions(thickness_mm=thickness), spacing_mm=5.0).thickness_mm == thickness
