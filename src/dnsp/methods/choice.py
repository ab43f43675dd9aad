"""The method that a name and its settings stand for, the same in Python and on the command line."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from dnsp.acquisition import ProfileOption, SliceOptions
from dnsp.errors import SettingError
from dnsp.methods.acquisition_aware import AcquisitionAwareMethod
from dnsp.methods.acquisition_options import Blur, Noise
from dnsp.methods.device import Precision, choose_device, choose_precision
from dnsp.methods.grid_method import INTERPOLATION_ON_GRIDS, GridMethod
from dnsp.methods.interpolation import enlarge_bicubic, enlarge_sinc, enlarge_spline
from dnsp.methods.lrtv import lrtv
from dnsp.methods.lrtv_on_grid import LRTVOnGrid
from dnsp.methods.lrtv_settings import TUNED_LRTV, LRTVSettings
from dnsp.methods.network import Method, NetworkMethod, StackMethod
from dnsp.methods.refinement_training import RefinementSettings
from dnsp.methods.srsw import SRSW
from dnsp.methods.srsw_database import load_database
from dnsp.methods.target_grid import Spacing, read_spacing
from dnsp.networks import AcquisitionAware, Model, find_model, load_model

__all__ = ["INTERPOLATIONS", "ChosenMethod", "MethodName", "choose_method"]

#: The methods of `dnsp.enhance`; see `choose_method`.
MethodName: TypeAlias = Literal["network", "bicubic", "spline", "sinc", "lrtv", "lrtv-tuned", "srsw"]

INTERPOLATIONS: dict[str, Method] = {"bicubic": enlarge_bicubic, "spline": enlarge_spline, "sinc": enlarge_sinc}


ON_GRIDS: dict[str, GridMethod] = {
    **INTERPOLATION_ON_GRIDS,
    "lrtv": LRTVOnGrid(LRTVSettings()),
    "lrtv-tuned": LRTVOnGrid(TUNED_LRTV),
}


class ChosenMethod(NamedTuple):
    """A method, the grid it works at, and the facts about it for the .json beside a result.

    Attributes
    ----------
    method : Method, StackMethod or GridMethod
        What is done to a slice, a stack or a scan.
    scale : int
        The whole factor along both axes of the plane, where no spacing is asked for.
    facts : dict
        For the .json.
    spacing : Spacing or None
        The spacing that is asked for.
    slices : SliceOptions
        What the user says about the slices of the scan.
    refinement : RefinementSettings or None
        Whether, and how, the model goes on training on the scan.
    """

    method: Method | StackMethod | GridMethod
    scale: int
    facts: dict[str, Any]
    spacing: Spacing | None = None
    slices: SliceOptions = SliceOptions()
    refinement: RefinementSettings | None = None

    @property
    def summary(self) -> str:
        """What is done, in a few words."""
        return f"Super-resolved x{self.scale}" if self.spacing is None else "Super-resolved to a finer grid"

    def require_standard_error(self) -> None:
        """Refuse a method that has no standard error.

        Raises
        ------
        SettingError
            If the method is not the default model.
        """
        if not isinstance(self.method, AcquisitionAwareMethod):
            raise SettingError("--uncertainty needs the default model; leave out --method and --model")


def choose_method(
    name: MethodName = "network",
    *,
    scale: int | None = None,
    spacing_mm: object = None,
    slice_thickness_mm: float | None = None,
    slice_profile: ProfileOption = "auto",
    model: str | Path | Model = "default",
    trust: str = "",
    database: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    blur: Blur = "auto",
    noise: Noise = "auto",
    refine_minutes: float | None = None,
) -> ChosenMethod:
    """Make a method from its name and settings.

    Parameters
    ----------
    name : {"network", "bicubic", "spline", "sinc", "lrtv", "lrtv-tuned", "srsw"}
        A trained network; interpolation, which invents nothing; low rank and total variation, with the paper's weights or
        with weights for scans without noise; sparse weighting with a database of patches.
    scale : int, optional
        2, 3 or 4, or 1 for a network that keeps the grid. By default the scale of the model or the database, or 2.
    spacing_mm : float, sequence of 3 or "isotropic", optional
        Instead of a scale: the spacing of the result in millimetres, for all axes or for i, j and k, where None keeps an axis;
        "isotropic" is the finest spacing of the scan, for all axes.
    slice_thickness_mm : float, optional
        With a spacing: the thickness of the slices. By default what the file of the scan says, or the distance between slices.
    slice_profile : {"auto", "gaussian", "box", "sinc"}
        With a spacing: the shape of the slices, see `dnsp.acquisition.AxisSampling`. "auto": a Gaussian is assumed, and
        not relied on.
    model : str, Path or the result of `dnsp.load_model`
        For a network: the name of an included model, or a model file.
    trust : str
        For a network class that is not part of dnsp: its ``package.module:Class``. The class is imported only if it is
        named here.
    database : str or Path, optional
        For SRSW: the file that ``dnsp database`` wrote.
    device : str
        For a network: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision : {"auto", "float32", "bfloat16"}
        For a network: the arithmetic of its convolutions.
    blur, noise
        For the default model: what is known of the acquisition, see `AcquisitionAwareMethod`.
    refine_minutes : float, optional
        For the default model, with a spacing that is finer across the slices: go on training on the scan for so many
        minutes, above 0 and at most 1440.

    Returns
    -------
    ChosenMethod

    Raises
    ------
    SettingError
        If a setting is out of range or does not apply to the method.
    ModelError
        If the model or the database cannot be used.

    Examples
    --------
    >>> choose_method("bicubic", scale=3).facts
    {'Method': 'bicubic'}
    >>> choose_method("bicubic", device="cuda")
    Traceback (most recent call last):
    dnsp.errors.SettingError: --device applies to --method network only, not to bicubic; leave it out
    """
    if name not in get_args(MethodName):
        raise SettingError(f"--method must be one of {', '.join(get_args(MethodName))}, not {name!r}")
    if scale not in (None, 1, 2, 3, 4):
        raise SettingError(f"--scale must be 2, 3 or 4 (1 for a model that keeps the grid), not {scale!r}")
    if (database is not None) != (name == "srsw"):
        raise SettingError("--database and --method srsw need each other: give both or neither")
    slices = SliceOptions(thickness_mm=slice_thickness_mm, profile=slice_profile)
    spacing = None if spacing_mm is None else read_spacing(spacing_mm)
    if spacing is None and slices != SliceOptions():
        raise SettingError("--slice-thickness and --slice-profile need --spacing or --isotropic: give one of them")
    refinement = None if refine_minutes is None else RefinementSettings(minutes=refine_minutes)
    if refinement is not None and spacing is None:
        raise SettingError("--refine is about enlarging across slices: give --spacing or --isotropic with it")
    if spacing is not None and scale is not None:
        raise SettingError("--scale and --spacing (or --isotropic) exclude each other: give one of them")
    if name == "network":
        chosen = _choose_network(scale, model, trust=trust, device=device, precision=precision, blur=blur, noise=noise)
    else:
        _refuse_unused(
            name,
            model=model != "default",
            trust=bool(trust),
            device=device != "auto",
            precision=precision != "auto",
            blur=blur != "auto",
            noise=noise != "auto",
            refine=refinement is not None,
        )
        chosen = _choose_classical(name, scale, database)
    if refinement is not None and not isinstance(chosen.method, AcquisitionAwareMethod):
        raise SettingError(f"--refine is for the default model, not for {chosen.facts['Model']}; leave it out")
    return chosen if spacing is None else _to_spacing(chosen, spacing, slices)._replace(refinement=refinement)


def _refuse_unused(name: str, **given: bool) -> None:
    """Refuse options of the networks that are given for another method."""
    if unused := [f"--{option}" for option, is_given in given.items() if is_given]:
        raise SettingError(f"{', '.join(unused)} applies to --method network only, not to {name}; leave it out")


def _choose_classical(name: str, scale: int | None, database: str | Path | None) -> ChosenMethod:
    if scale == 1:
        raise SettingError(f"--method {name} enlarges by 2, 3 or 4; use --scale 2, 3 or 4")
    if name in INTERPOLATIONS:
        return ChosenMethod(INTERPOLATIONS[name], scale or 2, {"Method": name})
    if database is not None:
        return _choose_srsw(scale, Path(database))
    settings = TUNED_LRTV if name == "lrtv-tuned" else LRTVSettings()
    return ChosenMethod(partial(lrtv, settings=settings), scale or 2, {"Method": name, **asdict(settings)})


def _to_spacing(chosen: ChosenMethod, spacing: Spacing, slices: SliceOptions) -> ChosenMethod:
    name = chosen.facts["Method"]
    method = ON_GRIDS.get(name, chosen.method)
    if not isinstance(method, GridMethod):
        raise SettingError(
            "--spacing and --isotropic work with the default model and with --method "
            f"{', '.join(ON_GRIDS)}, not with {chosen.facts.get('Model', name)}; use --scale"
        )
    return chosen._replace(method=method, spacing=spacing, slices=slices)


def _choose_srsw(scale: int | None, database: Path) -> ChosenMethod:
    patches = load_database(database)
    if scale not in (None, patches.scale):
        raise SettingError(f"{database} was made for scale {patches.scale}, not {scale}; use --scale {patches.scale}")
    return ChosenMethod(SRSW(patches), patches.scale, {"Method": "srsw", "Database": database.name})


def _choose_network(
    scale: int | None,
    model: str | Path | Model,
    *,
    trust: str,
    device: str,
    precision: Precision,
    blur: Blur,
    noise: Noise,
) -> ChosenMethod:
    if isinstance(model, Model):
        name = "a model in memory"
        network, card = model
        if scale is not None:
            card.require_scale(scale)
    else:
        name = find_model("default", scale=scale).stem if model == "default" else str(model)
        network, card = load_model(model, scale=scale, trust=trust)
    chosen = choose_device(device)
    dtype = choose_precision(precision, chosen, network=network)
    facts = {
        "Method": "network",
        "Model": name,
        "Precision": str(dtype).removeprefix("torch."),
        "TrainedOn": card.data.get("name", ""),
    }
    if isinstance(network, AcquisitionAware):
        aware = AcquisitionAwareMethod(network, card, device=chosen, dtype=dtype, blur=blur, noise=noise)
        return ChosenMethod(aware, scale or card.default_scale, {**facts, "ModelDigest": card.weights_sha256})
    if (blur, noise) != ("auto", "auto"):
        raise SettingError(f"--blur and --noise are for the default model; {name} takes neither, leave them out")
    method = NetworkMethod(network, card, device=chosen, dtype=dtype)
    return ChosenMethod(method, scale or card.default_scale, facts)
