"""What several rooms' tests share: the development data, oblique scans, and the shape of a refusal."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from dnsp.volume import Volume

CHECKOUT = Path(__file__).parents[1]
SHAPE = (7, 8, 9)  # three different lengths and three different spacings, so that a mixed-up axis shows
SPACING_MM = (0.9, 1.3, 2.1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout, or where DNSP_SHARED says it is."""
    folder = Path(os.environ.get("DNSP_SHARED", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the development data are not in {folder}")
    return folder


@pytest.fixture
def oblique_affine():
    """A made-up scanner position: axes run left, superior, anterior, 10 to 20 degrees askew, anisotropic."""
    tilt, turn = np.deg2rad(12.0), np.deg2rad(-17.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    left_superior_anterior = np.array([[-1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ left_superior_anterior @ np.diag(SPACING_MM)
    affine[:3, 3] = (31.0, -42.5, 18.25)
    return affine


@pytest.fixture
def oblique_volume(oblique_affine):
    """A scan of three different axis lengths, anisotropic and oblique, all voxels different."""
    voxels = np.random.default_rng(7).permutation(np.prod(SHAPE)).reshape(SHAPE).astype(np.float32)
    return Volume(voxels, oblique_affine)


@pytest.fixture
def refusal():
    """Call something that must be refused with one line naming `path`; returns the line."""

    def refuse(action, path, error):
        with pytest.raises(error) as caught:
            action()
        line = str(caught.value)
        assert type(caught.value) is error
        assert len(line.splitlines()) == 1
        assert line.startswith(f"{path}: ")
        return line

    return refuse


@pytest.fixture
def listing():
    """Everything in a folder, hidden files included, with contents."""

    def contents(folder):
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return contents


@pytest.fixture
def unprivileged():
    """Act without the superuser's rights for a while, as permissions do not bind the superuser."""

    @contextmanager
    def act():
        superuser = os.geteuid() == 0
        if superuser:
            os.seteuid(65534)
        try:
            yield
        finally:
            if superuser:
                os.seteuid(0)

    return act
