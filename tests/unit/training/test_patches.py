"""Patches: what is drawn, from what, and that it follows from the seed and the subject alone."""

import numpy as np
import pytest
import torch

from dnsp.errors import DataError
from dnsp.training.config import PatchSettings
from dnsp.training.patches import Patches, shuffled_batches
from dnsp.training.slice_pairs import SlicePairs

SETTINGS = PatchSettings(size=8, per_slice=5)


def make_subject(subject_id="a", slices=3, shape=(20, 24)):
    """Slices with a head in the middle whose pixels tell where they are; the enlarged image is its negative."""
    rows, columns = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    image = 0.2 + 0.001 * (rows * shape[1] + columns).float()
    image[(rows < 4) | (columns < 4)] = 0
    reference = torch.stack([image + 0.001 * (image > 0) * index for index in range(slices)])[:, None]
    return SlicePairs(subject_id, -reference, reference)


def draw(*subjects, **changes):
    keywords = {"settings": SETTINGS, "seed": 0, "epoch": 0} | changes
    return Patches(subjects, **keywords)


def cut(*subjects, **changes):
    patches = draw(*subjects, **changes)
    return patches.cut(range(len(patches)))


def test_patches_are_cut_at_the_same_places_of_both():
    patches = cut(make_subject())
    assert patches.reference.shape == (15, 1, 8, 8)
    assert torch.equal(patches.enlarged, -patches.reference)
    assert torch.equal(
        cut(make_subject(), settings=PatchSettings(size=8, per_slice=5, augment=True)).enlarged.abs().sum(),
        cut(make_subject(), settings=PatchSettings(size=8, per_slice=5, augment=True)).reference.sum(),
    )


def test_patches_are_square_cuts_of_the_slice():
    windows = make_subject().reference[0, 0].unfold(0, 8, 1).unfold(1, 8, 1).reshape(-1, 8, 8)
    for patch in cut(make_subject()).reference[:5, 0]:
        assert (windows == patch).all((1, 2)).sum() == 1


def test_patches_are_centred_on_the_head():
    for patch in cut(make_subject(), settings=PatchSettings(size=8, per_slice=200)).reference:
        assert (patch > 0.1).float().mean() >= 0.25  # a corner of the head at worst


def test_a_subject_s_patches_do_not_depend_on_its_company_or_the_global_generators():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = cut(make_subject("a"))
    assert not torch.equal(first.reference, cut(make_subject("b")).reference)
    assert torch.equal(first.reference, cut(make_subject("a")).reference)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_patches_are_fresh_each_epoch_only_when_asked():
    fresh = PatchSettings(size=8, per_slice=5, fresh_each_epoch=True)
    assert torch.equal(cut(make_subject(), epoch=0).reference, cut(make_subject(), epoch=1).reference)
    assert not torch.equal(
        cut(make_subject(), settings=fresh).reference, cut(make_subject(), settings=fresh, epoch=1).reference
    )
    assert not torch.equal(cut(make_subject()).reference, cut(make_subject(), seed=1).reference)


def test_augmentation_draws_all_eight_symmetries():
    image = torch.zeros(1, 1, 8, 8)
    image[..., 0, 1] = image[..., 0, 0] = 0.5
    settings = PatchSettings(size=8, per_slice=200, augment=True)
    patches = cut(SlicePairs("a", image, image), settings=settings).reference
    assert len({tuple(torch.nonzero(patch[0]).flatten().tolist()) for patch in patches}) == 8


def test_slices_without_room_or_head_are_refused():
    with pytest.raises(DataError, match="subject a: slices of 20 x 24 pixels hold no patch of 40 x 40"):
        cut(make_subject(), settings=PatchSettings())
    blank = torch.zeros(1, 1, 20, 24)
    with pytest.raises(DataError, match="subject a: slice 0 of 1 does not show the head"):
        cut(SlicePairs("a", blank, blank))


def test_a_fraction_s_patches_are_some_of_the_whole_s():
    subjects = make_subject("a", slices=4), make_subject("b", slices=4)
    whole = cut(*subjects)
    part = cut(*subjects, slices={"a": [1, 3]})
    assert len(draw(*subjects, slices={"a": [1, 3], "b": [0]})) == 15
    assert torch.equal(part.reference, torch.cat([whole.reference[5:10], whole.reference[15:20]]))


def one_pixel_patches(count):
    """Patches of one pixel each, drawn without a repeat, whose intensities tell them apart."""
    image = 0.2 + 0.01 * torch.arange(count).reshape(count, 1, 1, 1).float()
    return draw(SlicePairs("a", image, image), settings=PatchSettings(size=1, per_slice=1))


def test_an_epoch_visits_every_patch_once_in_an_order_of_its_own():
    patches = one_pixel_patches(50)

    def epoch(number):
        batches = list(shuffled_batches(patches, batch_size=16, seed=0, epoch=number))
        assert [len(batch.enlarged) for batch in batches] == [16, 16, 16, 2]
        return torch.cat([batch.reference.flatten() for batch in batches])

    assert torch.equal(epoch(0).sort().values, 0.2 + 0.01 * torch.arange(50).float())
    assert not torch.equal(epoch(0), epoch(1))
    assert torch.equal(epoch(1), epoch(1))


def test_processes_share_out_every_batch_evenly():
    patches = one_pixel_patches(49)
    shares = [
        list(shuffled_batches(patches, batch_size=16, seed=0, epoch=0, rank=rank, world_size=2)) for rank in range(2)
    ]
    assert [len(batch.enlarged) for batch in shares[0]] == [len(batch.enlarged) for batch in shares[1]] == [8, 8, 8]
    seen = torch.cat([batch.reference.flatten() for share in shares for batch in share])
    assert len(seen.unique()) == 48


def test_subjects_keep_their_order():
    first, second = make_subject("a"), make_subject("b")
    assert torch.equal(cut(first, second).enlarged[15:], cut(second).enlarged)
