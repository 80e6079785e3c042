"""The wrapper that a config names."""

from __future__ import annotations

from typing import Any

from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmengine.model import BaseModel

from ...transforms import MOTIONS
from .families import ColorizationFamily, EditFamily, GANFamily, TranslationFamily
from .training import Plan, SiameseTraining


@MODELS.register_module()
class SiameseEditModel(BaseModel):
    """Fine-tunes a stock model with L = (1 - alpha) L_rec + alpha L_reg (paper, Eq. 1).

    In training the network runs twice, on x and on T(x); the stock model computes its own loss L_rec from the
    first pass exactly as it does without us, and a regularisation loss compares the two. At all other times the
    model *is* the stock model.

    To be just that, the wrapper is no box around the stock model: it builds the stock model and becomes a subclass
    of its class. State-dict keys, attributes, predictions, and all that hooks and optimiser constructors look
    for are the stock model's own. A stock checkpoint loads, and what is saved loads in plain MMagic.

    Which models can be wrapped, and what such a model may tell the wrapper about its task, is in `families`.

    It logs `loss_rec`, `loss_reg` and their weighted sum `loss`. With `alpha=0` or without regularisation the
    second pass is left out, and training equals stock training to the bit.

    Args:
        model: Config of the stock model; it maps one image to one image.
        transform: Config of a transform pair.
        regularization: Config of a regularisation loss.
        alpha: Strength of the regularisation in [0, 1].
        seed: Seed of the draws of T, which depend on (seed, iteration, rank) only.
        regularize_every: Regularise each k-th step only, k times as strongly.
        regularize_fraction: Regularise this share of each batch only, in (0, 1], and at least one image.
        single_pass: Run the network once, on x and T(x) in one batch, instead of twice. With batch normalisation it
            is not the same: two passes (the authors') use batch statistics of their own, and both move the running
            averages; one pass shares the statistics of both halves.
        num_transforms: How many T are drawn for each image. The network runs once more for each.
        motion: 'independent': each T for itself, and the regularisation's mean over them. 'path', 'wander': frames of
            a short clip along a smooth path, of steady motion or of a hand-held camera (`transforms.motion`).

    Raises:
        ValueError: If a number is out of its range, or one of `transform` and `regularization` is missing.
        TypeError: If the model is of a kind that is not supported.
    """

    def __new__(cls, model: dict | None = None, *args: Any, **kwargs: Any) -> SiameseEditModel:
        if cls is not SiameseEditModel:  # a copy of a wrapped model is being made
            return super().__new__(cls)
        if model is None:
            raise ValueError("SiameseEditModel needs `model`, the config of the stock model to wrap")
        stock = MODELS.build(model)
        kind, family = type(stock), family_of(stock)
        stock.__class__ = type(f"Siamese{kind.__name__}", (SiameseEditModel, family, kind), {"__module__": __name__})
        return stock

    def __init__(
        self,
        model: dict,
        transform: dict | None = None,
        regularization: dict | None = None,
        alpha: float = 0.8,
        seed: int = 0,
        regularize_every: int = 1,
        regularize_fraction: float = 1.0,
        single_pass: bool = False,
        num_transforms: int = 1,
        motion: str = "independent",
    ) -> None:
        # No super().__init__(): `__new__` has built the stock model, initialised by its own class.
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
        if (transform is None) != (regularization is None):
            raise ValueError("`transform` and `regularization` go together: give both, or neither")
        if int(regularize_every) != regularize_every or regularize_every < 1:
            raise ValueError(f"regularize_every must be a whole number >= 1, got {regularize_every}")
        if int(num_transforms) != num_transforms or num_transforms < 1:
            raise ValueError(f"num_transforms must be a whole number >= 1, got {num_transforms}")
        if motion not in MOTIONS:
            raise ValueError(f"motion must be one of {tuple(MOTIONS)}, got {motion!r}")
        if not 0 < regularize_fraction <= 1:
            raise ValueError(f"regularize_fraction must lie in (0, 1], got {regularize_fraction}")
        if hasattr(self, "_adopt"):
            self._adopt(model)
        if transform is not None and alpha > 0:
            self._plan = Plan(
                MODELS.build(transform),
                MODELS.build(regularization),
                float(alpha),
                int(seed),
                int(regularize_every),
                float(regularize_fraction),
                single_pass,
                int(num_transforms),
                motion,
            )


# Stock classes that cannot be wrapped, with the reason; it holds for their subclasses too.
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


def family_of(stock: Any) -> type[SiameseTraining]:
    """The family of a stock model.

    Raises:
        TypeError: If the model is of a kind that cannot be wrapped, with the reason.
    """
    kind = type(stock)
    ancestors = [base.__name__ for base in kind.__mro__]
    reason = next((why for names, why in REFUSED.items() if not set(names).isdisjoint(ancestors)), None)
    if reason is None:
        if "SRGAN" in ancestors or "DeblurGanV2" in ancestors:
            return GANFamily
        if "Pix2Pix" in ancestors:
            return TranslationFamily
        if "InstColorization" in ancestors:
            return ColorizationFamily
        if not isinstance(stock, BaseEditModel):
            reason = (
                "it is none of BaseEditModel, SRGAN, ESRGAN, RealESRGAN, DeblurGanV2, Pix2Pix, InstColorization and "
                "their subclasses"
            )
        elif kind.train_step is not BaseModel.train_step or (
            kind.forward_train is not BaseEditModel.forward_train and not hasattr(stock, "regression_target")
        ):
            reason = "its training step is its own, and the wrapper does not know where its prediction is made"
        else:
            return EditFamily
    raise TypeError(f"SiameseEditModel cannot wrap {kind.__name__}: {reason}")
