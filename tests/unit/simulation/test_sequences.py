"""Tissue signals, worked by hand from the signal equations and BrainWeb's tissue table."""

from math import cos, exp, radians, sin

import pytest

from dnsp.errors import SettingError
from dnsp.simulation import (
    BRAINWEB_PD,
    BRAINWEB_T1,
    BRAINWEB_T2,
    BRAINWEB_TISSUES,
    SpinEcho,
    SpoiledFLASH,
    Tissue,
    simulate_signal,
)

BY_NAME = {tissue.name: tissue for tissue in BRAINWEB_TISSUES}


@pytest.mark.parametrize(
    ("name", "t1", "t2_star", "density", "rounded"),
    [
        ("csf", 2569, 58, 1.0, 0.0210),
        ("grey matter", 833, 69, 0.86, 0.0521),
        ("white matter", 500, 61, 0.77, 0.0702),
        ("fat", 350, 58, 1.0, 0.1189),
        ("muscle/skin", 900, 30, 1.0, 0.0469),
    ],
)
def test_spoiled_flash_by_hand(name, t1, t2_star, density, rounded):
    recovery = exp(-18 / t1)
    by_hand = density * sin(radians(30)) * (1 - recovery) / (1 - cos(radians(30)) * recovery) * exp(-10 / t2_star)
    assert simulate_signal(BY_NAME[name], sequence=BRAINWEB_T1) == pytest.approx(by_hand, rel=1e-12)
    assert by_hand == pytest.approx(rounded, abs=5e-5)


@pytest.mark.parametrize(
    ("sequence", "echo", "csf", "grey", "white"),
    [(BRAINWEB_T2, 120, 0.5022, 0.1987, 0.1385), (BRAINWEB_PD, 35, 0.6502, 0.5534, 0.4664)],
)
def test_spin_echo_by_hand(sequence, echo, csf, grey, white):
    for name, t1, t2, density, rounded in (
        ("csf", 2569, 329, 1.0, csf),
        ("grey matter", 833, 83, 0.86, grey),
        ("white matter", 500, 70, 0.77, white),
    ):
        by_hand = density * (1 - exp(-3300 / t1)) * exp(-echo / t2)
        assert simulate_signal(BY_NAME[name], sequence=sequence) == pytest.approx(by_hand, rel=1e-12)
        assert by_hand == pytest.approx(rounded, abs=5e-5)


def test_flash_at_90_degrees_is_saturation_recovery():
    tissue = Tissue("gel", 800, 90, 90, 0.9)
    flash = SpoiledFLASH(repetition_time_ms=500, echo_time_ms=20, flip_angle_deg=90)
    echo = SpinEcho(repetition_time_ms=500, echo_time_ms=20)
    assert simulate_signal(tissue, sequence=flash) == pytest.approx(simulate_signal(tissue, sequence=echo), rel=1e-12)


def test_flash_is_brightest_at_the_ernst_angle():
    tissue = Tissue("gel", 800, 90, 60, 0.9)
    angles = [a / 10 for a in range(10, 900)]
    signals = [
        simulate_signal(tissue, sequence=SpoiledFLASH(repetition_time_ms=18, echo_time_ms=10, flip_angle_deg=a))
        for a in angles
    ]
    assert cos(radians(angles[signals.index(max(signals))])) == pytest.approx(exp(-18 / 800), abs=1e-3)


def test_the_skull_and_the_air_are_silent():
    for name in ("skull", "background"):
        assert simulate_signal(BY_NAME[name], sequence=BRAINWEB_T1) == 0


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        (SpinEcho, {"repetition_time_ms": 0, "echo_time_ms": 0}, "repetition"),
        (SpinEcho, {"repetition_time_ms": 100, "echo_time_ms": 100}, "echo"),
        (SpinEcho, {"repetition_time_ms": 100, "echo_time_ms": -1}, "echo"),
        (SpinEcho, {"repetition_time_ms": float("inf"), "echo_time_ms": 1}, "repetition"),
        (SpinEcho, {"repetition_time_ms": float("nan"), "echo_time_ms": 1}, "repetition"),
        (SpoiledFLASH, {"repetition_time_ms": 18, "echo_time_ms": 20, "flip_angle_deg": 30}, "echo"),
        (SpoiledFLASH, {"repetition_time_ms": 18, "echo_time_ms": 10, "flip_angle_deg": 0}, "flip_angle"),
        (SpoiledFLASH, {"repetition_time_ms": 18, "echo_time_ms": 10, "flip_angle_deg": 181}, "flip_angle"),
    ],
)
def test_impossible_sequences_are_refused(kind, settings, named):
    with pytest.raises(SettingError, match=named):
        kind(**settings)


@pytest.mark.parametrize(
    "values", [(800, 90, 60, 1.1), (800, 90, 60, -0.1), (0, 90, 60, 1), (800, 0, 60, 1), (8, 9, -6, 1)]
)
def test_impossible_tissues_are_refused(values):
    with pytest.raises(SettingError, match="gel"):
        Tissue("gel", *values)
