"""Train a super-resolution network, with the priors on its output, on a cohort of scans."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
