"""Random numbers that follow from a seed, a subject and a purpose, never from who else is there or what came before."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["derive_seed", "make_generator"]


def derive_seed(*parts: object) -> int:
    """Derive a seed below 2**128 from what it is to follow from.

    Parameters
    ----------
    *parts : object
        For example the run's seed, the subject's name and the purpose; another order is another seed.

    Examples
    --------
    >>> derive_seed(0, "sub-01", "noise") == derive_seed(0, "sub-01", "noise")
    True
    >>> derive_seed(0, "sub-01", "noise") == derive_seed(0, "sub-02", "noise")
    False
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def make_generator(*parts: object) -> np.random.Generator:
    """Make the generator of `derive_seed`."""
    return np.random.default_rng(derive_seed(*parts))
