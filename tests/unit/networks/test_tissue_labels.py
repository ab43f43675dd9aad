"""Tissue classes of a slice: what is told apart, and what cannot be."""

import numpy as np
import torch

from dnsp.networks.tissue_labels import label_channel, segment_tissues


def make_slice():
    """Four bands of noise around the intensities of air, CSF, grey and white matter."""
    bands = np.repeat([0.0, 0.25, 0.55, 0.9], 10)[:, None] * np.ones((1, 30))
    return np.clip(bands + 0.03 * np.random.default_rng(0).standard_normal(bands.shape), 0, 1).astype(np.float32)


def test_four_bands_are_four_classes():
    labels = segment_tissues(make_slice())
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2, 3], 10)[:, None] * np.ones((1, 30)))


def test_a_lone_pixel_follows_its_neighbours():
    image = make_slice()
    image[5, 5] = 0.9
    assert segment_tissues(image)[5, 5] == 0


def test_a_slice_without_contrast_is_background():
    assert not segment_tissues(np.full((8, 9), 0.3, np.float32)).any()


def test_the_channel_lies_between_0_and_1():
    images = torch.from_numpy(np.stack([make_slice(), np.zeros((40, 30), np.float32)]))[:, None]
    channel = label_channel(images)
    assert channel.shape == images.shape
    assert channel[0].unique().tolist() == torch.tensor([0, 1 / 3, 2 / 3, 1]).tolist()
    assert not channel[1].any()
