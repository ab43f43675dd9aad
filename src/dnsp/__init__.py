"""MR brain image super-resolution with spatio-structural priors."""

__version__ = "0.1.0"

__all__ = ["__version__"]
