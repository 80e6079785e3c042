"""The wrapper that a config names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from mmagic.registry import MODELS
from mmengine.model import BaseModel

from ...openmmlab.configs import type_name
from ...transforms import MOTIONS
from ...utils.validation import Count, OneOf, Repeats, Share, SomeShare, Whole, check_arguments, check_value
from ..anti_aliasing import anti_alias_model, anti_aliasing_options
from .families import family_of
from .training import Regularizer, StockTask, Teacher


@MODELS.register_module()
class SiameseEditModel(BaseModel):
    """Fine-tunes a stock model with L = (1 - alpha) L_rec + alpha L_reg (paper, Eq. 1).

    In training the network runs twice, on x and on T(x); the stock model computes its own loss L_rec from the
    first pass exactly as it does without us, and a regularisation loss compares the two. At all other times the
    model *is* the stock model.

    To be just that, the wrapper is no box around the stock model: it is a subclass of the stock model's class
    (`siamese_class`), chosen by the config as `pathlib.Path` chooses by the system. State-dict keys, attributes,
    predictions, and all that hooks and optimiser constructors look for are the stock model's own. A stock checkpoint
    loads, and what is saved loads in plain MMagic.

    Which models can be wrapped is in `families`; what such a model may tell about its task, in `training.StockTask`.

    It logs `loss_rec`, `loss_reg` and their weighted sum `loss`. With `alpha=0` or without regularisation the
    second pass is left out, and training equals stock training to the bit.

    Args:
        model: Config of the stock model, or of an `AntiAliasedModel` of it; it maps one image to one image.
        transform: Config of a random transform (`transforms`).
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
        target: 'truth', or 'teacher': L_rec (and with it the discriminator of a GAN) compares with what the network
            predicted before it was fine-tuned. No ground truth is needed then, and its look stays.
        teacher: Checkpoint of that network; as a rule what `load_from` names. It is loaded in the first training step.
            Its strides are anti-aliased only if it was trained so, whatever `model` says.
        teacher_shift: How many places along each axis, a pixel apart, the teacher sees the picture from, one at random
            in each step; its prediction is shifted back. What is learnt is its mean over them, without the part that
            depends on where the picture stands on a grid of so many pixels. 8 covers the first three strides of 2.

    Raises:
        ValueError: If a number is out of its range, or options that go together do not.
        TypeError: If the model is of a kind that is not supported.
    """

    def __new__(cls, model: Mapping | None = None, *args: Any, **kwargs: Any) -> SiameseEditModel:
        if cls is SiameseEditModel:
            if model is None:
                raise ValueError("SiameseEditModel needs `model`, the config of the stock model to wrap")
            check_value("model", model, Mapping, where="SiameseEditModel: ")
            cls = siamese_class(_stock_class(_unwrapped(model)[0]))  # type: ignore[arg-type]  # mypy: a class is hashable
        return super().__new__(cls)

    @check_arguments
    def __init__(
        self,
        model: Mapping,
        transform: dict | None = None,
        regularization: dict | None = None,
        *,
        alpha: Share = 0.8,
        seed: Count = 0,
        regularize_every: Whole = 1,
        regularize_fraction: SomeShare = 1.0,
        single_pass: bool = False,
        num_transforms: Repeats = 1,
        motion: Annotated[str, OneOf(tuple(MOTIONS))] = "independent",
        target: Annotated[str, OneOf(("truth", "teacher"))] = "truth",
        teacher: str | None = None,
        teacher_shift: Count = 0,
    ) -> None:
        if (transform is None) != (regularization is None):
            raise ValueError("`transform` and `regularization` go together: give both, or neither")
        if (target == "teacher") != (teacher is not None):
            raise ValueError("target='teacher' and `teacher`, a checkpoint as `load_from` names, go together")
        if teacher and not self.teachable:
            raise ValueError(f"target='teacher': the family of {self.stock_class.__name__} cannot be taught")
        if teacher_shift and teacher is None:
            raise ValueError(f"teacher_shift={teacher_shift} needs target='teacher': the truth is not predicted")
        model, anti_aliasing = _unwrapped(model)
        stock = {name: value for name, value in model.items() if name not in ("type", "_scope_")}
        with MODELS.switch_scope_and_registry(model.get("_scope_")):
            super().__init__(**stock)
        self.prepare(stock)
        if anti_aliasing is not None:
            anti_alias_model(self, **anti_aliasing)
        self.teacher = None if teacher is None else Teacher(model, teacher, shift=int(teacher_shift), seed=int(seed))
        if transform is not None and alpha > 0:
            self.regularizer = Regularizer(
                MODELS.build(transform),
                MODELS.build(regularization),
                alpha=float(alpha),
                seed=int(seed),
                every=int(regularize_every),
                fraction=float(regularize_fraction),
                single_pass=single_pass,
                num_transforms=int(num_transforms),
                motion=motion,
            )

            self._check_regularizer(self.regularizer)
            for picture in self.regularizer.transform.pictures:
                self._preprocess(picture)
        self.check()

    def _check_regularizer(self, regularizer: Regularizer) -> None:
        """Refuses what would be taken and ignored."""
        transform, motion = regularizer.transform, regularizer.motion
        if motion != "independent" and transform.whole_pixels:
            raise ValueError(f"motion={motion!r} goes a part of T's way, and RandomShift moves by whole pixels only")
        if transform.pictures and not self.takes_given:
            raise ValueError(
                f"{type(transform).__name__}: the family of {self.stock_class.__name__} takes no T of a batch"
            )
        if transform.pictures and (regularizer.num_transforms > 1 or motion != "independent"):
            raise ValueError(
                f"{type(transform).__name__}: T comes with the batch, one for each image; num_transforms="
                f"{regularizer.num_transforms} and motion={motion!r} are of T that are drawn"
            )
        if learned := [name for name, value in regularizer.loss.named_parameters() if value.requires_grad]:
            raise ValueError(
                f"{type(regularizer.loss).__name__} has weights of its own ({learned[0]}): they would not be trained, "
                "since nothing of a regularisation may enter the checkpoint of the network"
            )

    def _preprocess(self, key: str) -> None:
        """Lets the data preprocessor treat a picture in the data samples as it treats the input."""
        keys = self.data_preprocessor.data_keys
        self.data_preprocessor.data_keys = [key, *([keys] if isinstance(keys, str) else keys or [])]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        """Pickled and copied by the name of the stock class: the class itself is made, and stands in no module."""
        _, _, *state = super().__reduce_ex__(protocol)
        return (_without_init, (self.stock_class,), *state)


@cache
def siamese_class(kind: type[BaseModel]) -> type[SiameseEditModel]:
    """The subclass of a stock class that is trained with two passes; always the same one.

    Raises:
        TypeError: If the class is of a kind that cannot be wrapped, with the reason.
    """
    bases = (SiameseEditModel, family_of(kind), kind, StockTask)
    return type(f"Siamese{kind.__name__}", bases, {"__module__": __name__, "stock_class": kind})


def _unwrapped(model: Mapping) -> tuple[Mapping, dict | None]:
    """The config of the stock model, and the other arguments of an `AntiAliasedModel` around it, if there is one."""
    if type_name(model) != "AntiAliasedModel":
        return model, None
    return anti_aliasing_options(**{name: value for name, value in model.items() if name not in ("type", "_scope_")})


def _stock_class(model: Mapping) -> type[BaseModel]:
    """Class that the config of a stock model names."""
    kind = model.get("type")
    if isinstance(kind, str):
        with MODELS.switch_scope_and_registry(model.get("_scope_")) as registry:
            kind = registry.get(kind)
    if kind is None:
        MODELS.build(dict(model))  # says what is wrong with the name, or that there is none
    if not isinstance(kind, type):
        raise TypeError(f"SiameseEditModel wraps classes of models; {model.get('type')!r} is none")
    return kind


def _without_init(kind: type[BaseModel]) -> SiameseEditModel:
    made = siamese_class(kind)  # type: ignore[arg-type]
    return made.__new__(made)
