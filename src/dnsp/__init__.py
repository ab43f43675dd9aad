"""MR brain image super-resolution with spatio-structural priors.

The public names are listed in ``__init__.pyi``. Each is imported when it is first used, so ``import dnsp`` is fast.
"""

import lazy_loader as _lazy

from dnsp._version import __version__ as __version__

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
