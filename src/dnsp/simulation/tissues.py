"""What a tissue is to a scanner, and BrainWeb's tissues at 1.5 T."""

from __future__ import annotations

from dataclasses import dataclass

from dnsp.errors import SettingError

__all__ = [
    "BACKGROUND",
    "BRAINWEB_TISSUES",
    "CONNECTIVE",
    "CSF",
    "FAT",
    "GLIAL_MATTER",
    "GREY_MATTER",
    "MS_LESION",
    "MUSCLE",
    "SKIN",
    "SKULL",
    "WHITE_MATTER",
    "Tissue",
]


@dataclass(frozen=True)
class Tissue:
    """The facts of a tissue that its MR signal follows from.

    Parameters
    ----------
    name : str
        What a table of labels calls it.
    t1_ms, t2_ms, t2_star_ms : float
        Relaxation times in milliseconds, positive wherever there are protons.
    proton_density : float
        Relative to water, 0 to 1.
    in_brain : bool
        Whether it lies inside the skull: noise and non-uniformity are measured on such tissues.

    Raises
    ------
    SettingError
        If a value is outside its range.
    """

    name: str
    t1_ms: float
    t2_ms: float
    t2_star_ms: float
    proton_density: float
    in_brain: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.proton_density <= 1:
            raise SettingError(f"{self.name}: proton_density must be within 0 and 1, not {self.proton_density}")
        if self.proton_density > 0 and not min(self.t1_ms, self.t2_ms, self.t2_star_ms) > 0:
            raise SettingError(f"{self.name}: relaxation times must be positive where there are protons")


# The table that BrainWeb publishes (https://brainweb.bic.mni.mcgill.ca/brainweb/tissue_mr_parameters.txt) and
# simulates with (Kwan, Evans, Pike 1999, doi:10.1109/42.816072). Skin has the values of CSF, glial matter those of
# grey matter and connective tissue (there called meat) those of white matter; the skull gives no signal.
BACKGROUND = Tissue("background", 0, 0, 0, 0)
CSF = Tissue("csf", 2569, 329, 58, 1.0, in_brain=True)
GREY_MATTER = Tissue("grey matter", 833, 83, 69, 0.86, in_brain=True)
WHITE_MATTER = Tissue("white matter", 500, 70, 61, 0.77, in_brain=True)
FAT = Tissue("fat", 350, 70, 58, 1.0)
MUSCLE = Tissue("muscle/skin", 900, 47, 30, 1.0)
SKIN = Tissue("skin", 2569, 329, 58, 1.0)
SKULL = Tissue("skull", 0, 0, 0, 0)
GLIAL_MATTER = Tissue("glial matter", 833, 83, 69, 0.86, in_brain=True)
CONNECTIVE = Tissue("connective", 500, 70, 61, 0.77)
MS_LESION = Tissue("ms lesion", 752, 237, 204, 0.76, in_brain=True)

#: The tissues of BrainWeb with their published T1, T2, T2* and proton density at 1.5 T.
BRAINWEB_TISSUES = (
    BACKGROUND,
    CSF,
    GREY_MATTER,
    WHITE_MATTER,
    FAT,
    MUSCLE,
    SKIN,
    SKULL,
    GLIAL_MATTER,
    CONNECTIVE,
    MS_LESION,
)
