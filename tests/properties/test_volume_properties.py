import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dnsp.errors import VolumeError
from dnsp.volume import IntensityScaling, rescaled_affine, robust_scaling

lengths = st.floats(0.05, 20.0)
zooms = st.tuples(*[st.floats(0.1, 10.0)] * 3)
shapes = st.tuples(*[st.integers(1, 400)] * 3)


@st.composite
def affines(draw):
    """Any rotation or reflection, anisotropic voxels, anywhere within a metre."""
    entries = draw(hnp.arrays(np.float64, (3, 3), elements=st.floats(-1.0, 1.0)))
    rotation, _ = np.linalg.qr(entries + 2.0 * np.eye(3))
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(draw(st.tuples(lengths, lengths, lengths)))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-1000.0, 1000.0)] * 3))
    return affine


@given(affines(), zooms, shapes)
def test_every_zoom_keeps_the_corners_of_the_field_of_view(affine, zoom, shape):
    rescaled = rescaled_affine(affine, zoom)
    for corner in np.ndindex(2, 2, 2):
        old = [c * n - 0.5 for c, n in zip(corner, shape, strict=True)]
        new = [c * n * z - 0.5 for c, n, z in zip(corner, shape, zoom, strict=True)]
        np.testing.assert_allclose(rescaled @ (*new, 1), affine @ (*old, 1), atol=1e-7)


@given(affines(), zooms, zooms)
def test_zooms_compose_and_can_be_undone(affine, first, second):
    both = tuple(a * b for a, b in zip(first, second, strict=True))
    np.testing.assert_allclose(
        rescaled_affine(rescaled_affine(affine, first), second), rescaled_affine(affine, both), atol=1e-7
    )
    back = tuple(1 / z for z in first)
    np.testing.assert_allclose(rescaled_affine(rescaled_affine(affine, first), back), affine, atol=1e-7)


@given(
    hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)),
    st.floats(-1e5, 1e5),
    st.floats(1e-3, 1e5),
)
def test_scaling_can_be_undone(unit, low, width):
    scaling = IntensityScaling(low, low + width)
    intensities = scaling.low + unit.astype(np.float64) * (scaling.high - scaling.low)
    back = scaling.invert(scaling.apply(intensities))
    np.testing.assert_allclose(back, intensities, atol=1e-6 * (abs(low) + width))


@given(hnp.arrays(np.float32, (4, 5, 6), elements=st.floats(-1e6, 1e6, width=32)))
def test_robust_scaling_is_a_scaling_or_a_refusal(voxels):
    try:
        scaling = robust_scaling(voxels)
    except VolumeError:
        return
    assert scaling.low < scaling.high
    assert scaling.low <= 0
    assert np.isfinite(scaling.apply(voxels)).all()
