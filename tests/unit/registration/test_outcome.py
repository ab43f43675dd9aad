"""What a registration says about itself, when it has failed, and what is kept of it."""

import json

import numpy as np
import pytest

from dnsp.errors import DataError, SettingError
from dnsp.registration import RegistrationFailedError, RegistrationLimits, write_registration


def test_angle_and_shift_are_those_of_the_transform(make_registration, make_transform):
    found = make_registration(transform=make_transform((0, 0, 30), (3, 4, 0)))
    assert found.rotation_deg == pytest.approx(30)
    assert found.shift_mm == pytest.approx(5)
    away = make_registration(transform=make_transform((0, 0, 90)), centre_mm=np.array([10.0, 0, 0]))
    assert away.shift_mm == pytest.approx(np.hypot(10, 10))  # the head swings about the origin


def test_sharpness_is_what_is_lost_nearby(make_registration):
    found = make_registration(mutual_information=0.8, mutual_information_nearby=0.6)
    assert found.sharpness == pytest.approx(0.25)
    assert make_registration(mutual_information=0.0, mutual_information_nearby=0.0).sharpness == 0.0


def test_a_good_registration_keeps_to_the_limits(make_registration, make_transform):
    assert RegistrationLimits().violation(make_registration()) is None
    assert RegistrationLimits().violation(make_registration(transform=make_transform((0, 44, 0), (99, 0, 0)))) is None
    still = make_registration(mutual_information=0.99, mutual_information_before=1.0)
    assert RegistrationLimits().violation(still) is None  # not moving at all is favoured by a little


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"overlap": 0.7}, "covers 70% of the head, not 75% or more"),
        ({"mutual_information": 0.04, "mutual_information_nearby": 0.0}, "nothing in common"),
        ({"mutual_information_before": 0.9}, "worse than before"),
        ({"mutual_information_nearby": 0.75}, "nearly as well 3 mm away"),
    ],
)
def test_a_bad_one_is_told_why(make_registration, changes, complaint):
    assert complaint in RegistrationLimits().violation(make_registration(**changes))


def test_an_implausible_transform_is_told(make_registration, make_transform):
    turned = make_registration(transform=make_transform((46, 0, 0)))
    assert "rotation by 46 degrees is implausible" in RegistrationLimits().violation(turned)
    assert RegistrationLimits(max_rotation_deg=50).violation(turned) is None
    shifted = make_registration(transform=make_transform(shift_mm=(0, 101, 0)))
    assert "shift by 101 mm is implausible" in RegistrationLimits().violation(shifted)
    assert RegistrationLimits(max_shift_mm=110).violation(shifted) is None


@pytest.mark.parametrize("limit", [{"max_shift_mm": -1}, {"min_overlap": 1.2}, {"min_sharpness": float("nan")}])
def test_limits_out_of_range_are_refused(limit):
    with pytest.raises(SettingError, match=next(iter(limit))):
        RegistrationLimits(**limit)


def test_a_failure_says_what_to_do_and_carries_what_was_found(make_registration):
    found = make_registration()
    error = RegistrationFailedError("they do not match", found)
    assert isinstance(error, DataError)
    assert str(error) == "registration failed: they do not match; leave this pair out, or check both scans"
    assert error.registration is found


def test_everything_is_kept_with_its_convention(make_registration, make_transform, tmp_path):
    found = make_registration(transform=make_transform((1, 2, 3), (4, 5, 6)))
    path = tmp_path / "registration.json"
    write_registration(found, path, made_from={"low": "a.nii", "seed": 3})
    facts = json.loads(path.read_text())
    np.testing.assert_array_equal(facts["transform"], found.transform)
    assert (facts["low"], facts["seed"]) == ("a.nii", 3)
    assert facts["convention"] == "fixed world to moving world, RAS+ mm"
    assert facts["mutual_information"] == 0.8
    assert facts["sharpness"] == found.sharpness
    assert facts["shift_mm"] == found.shift_mm
    assert facts["converged"] is True
    with pytest.raises(DataError, match="exists already"):
        write_registration(found, path, made_from={})
