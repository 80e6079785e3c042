"""The families of stock models: where in its training step each makes its prediction and adds up its losses.

Each family is a mixin that stands before the stock class. It calls the stock methods and repeats none of them. Adding
one takes its file and its line in `FAMILIES`.
"""

from __future__ import annotations

from mmengine.model import BaseModel

from ..training import SiameseTraining, predicts_radiance
from .colorization import ColorizationFamily
from .edit import EditFamily
from .gan import GANFamily
from .translation import TranslationFamily

__all__ = ["FAMILIES", "REFUSED", "EditFamily", "family_of", "known_family", "predicts_radiance"]

FAMILIES: tuple[tuple[tuple[str, ...], type[SiameseTraining]], ...] = (
    (("SRGAN", "ESRGAN", "RealESRGAN", "DeblurGanV2"), GANFamily),
    (("Pix2Pix",), TranslationFamily),
    (("InstColorization",), ColorizationFamily),
    (("BaseEditModel",), EditFamily),
)
"""Stock classes, their subclasses with them, and their family; the first that fits counts."""

REFUSED = {
    ("BasicInterpolator", "EDVR", "BasicVSR", "TDAN", "RealBasicVSR", "BlindConsistencyModel"): (
        "it takes several frames, and a single-frame regulariser has nothing to add to it"
    ),
    ("LIIF",): "it takes coordinates beside the image",
    ("TTSR",): "it takes a reference image beside the image",
    ("DIC",): "it predicts face landmarks in several steps beside the image",
    ("BaseMattor",): "it takes a trimap beside the image and predicts an alpha matte",
    ("OneStageInpaintor",): "it takes a mask beside the image and fills its hole",
    ("BaseGAN",): "it makes images out of noise: there is no input image to move",
    ("CycleGAN",): "it is trained on unpaired images, in both directions at once",
    (
        *("StableDiffusion", "StableDiffusionXL", "AnimateDiff", "GuidedDiffusion", "DiscoDiffusion"),
        *("AblatedDiffusionModel", "ADM"),
    ): "a diffusion model samples its prediction in many steps; its training step predicts noise, not an image",
}
"""Stock classes, their subclasses with them, that cannot be wrapped, with the reason."""


def known_family(kind: type) -> type[SiameseTraining] | None:
    """The family that a class of models belongs to, whether it can be trained or not; None if it is of no family."""
    ancestors = {base.__name__ for base in kind.__mro__}
    return next((family for names, family in FAMILIES if not ancestors.isdisjoint(names)), None)


def family_of(kind: type[BaseModel]) -> type[SiameseTraining]:
    """The family of a class of stock models.

    Raises:
        TypeError: If it is of a kind that cannot be wrapped, with the reason.
    """
    ancestors = {base.__name__ for base in kind.__mro__}
    reason = next((why for names, why in REFUSED.items() if not ancestors.isdisjoint(names)), None)
    family = known_family(kind)
    if reason is None and family is None:
        known = ", ".join(name for names, _ in FAMILIES for name in names)
        reason = f"it is none of {known} and their subclasses"
    if reason is None and family is not None:
        reason = family.refusal(kind)
    if family is None or reason is not None:
        raise TypeError(f"SiameseEditModel cannot wrap {kind.__name__}: {reason}")
    return family
