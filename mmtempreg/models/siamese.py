"""The siamese wrapper: any stock MMagic model, trained for temporal stability (paper, Eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmengine.dist import get_rank
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import Tensor

from ..losses import RegularizationLoss, SiameseOutputs
from ..transforms import ImageRange, TransformPair, draw_generator


@dataclass
class _Plan:
    """What the siamese training adds. Not a module: nothing of it may enter the model's state dict."""

    transform: TransformPair
    loss: RegularizationLoss
    alpha: float
    seed: int


@MODELS.register_module()
class SiameseEditModel(BaseModel):
    """Fine-tunes a stock model with L = (1 - alpha) L_rec + alpha L_reg (Eq. 1).

    In training the network runs twice, on x and on T(x); the stock model computes its own loss L_rec from the
    first pass exactly as it does without us, and a regularisation loss compares the two. At all other times the
    model *is* the stock model.

    To be just that, the wrapper is no box around the stock model: it builds the stock model and becomes a subclass
    of its class. State-dict keys, attributes, predictions, and all that hooks and optimiser constructors look
    for are the stock model's own. A stock checkpoint loads, and what is saved loads in plain MMagic.

    A model may tell the wrapper about its task (a stock model needs neither):

    - `regression_target(inputs, data_samples) -> (target, weight or None)`: the truth in the domain of the
      prediction, and how much each value counts. Default: `data_samples.gt_img`, all 1.
    - `moved_target(target, transform) -> Tensor`: T(y), if it is not T applied to `target`.

    It logs `loss_rec`, `loss_reg` and their weighted sum `loss`. With `alpha=0` or without regularisation the
    second pass is left out, and training equals stock training to the bit.

    Args:
        model: Config of the stock model; a `BaseEditModel` that maps one image to one image.
        transform: Config of a transform pair.
        regularization: Config of a regularisation loss.
        alpha: Strength of the regularisation in [0, 1].
        seed: Seed of the draws of T, which depend on (seed, iteration, rank) only.

    Raises:
        ValueError: If `alpha` is not in [0, 1], or one of `transform` and `regularization` is missing.
        TypeError: If the model is of a kind that is not supported.
    """

    _plan: _Plan | None
    _captured: list[Tensor] | None

    def __new__(cls, model: dict | None = None, *args: Any, **kwargs: Any) -> SiameseEditModel:
        if cls is not SiameseEditModel:  # a copy of a wrapped model is being made
            return super().__new__(cls)
        if model is None:
            raise ValueError("SiameseEditModel needs `model`, the config of the stock model to wrap")
        stock = MODELS.build(model)
        _check_supported(stock)
        kind = type(stock)
        stock.__class__ = type(f"Siamese{kind.__name__}", (SiameseEditModel, kind), {"__module__": __name__})
        return stock

    def __init__(
        self,
        model: dict,
        transform: dict | None = None,
        regularization: dict | None = None,
        alpha: float = 0.8,
        seed: int = 0,
    ) -> None:
        # No super().__init__(): `__new__` has built the stock model, initialised by its own class.
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
        if (transform is None) != (regularization is None):
            raise ValueError("`transform` and `regularization` go together: give both, or neither")
        self._plan = None
        self._captured = None
        if transform is not None and alpha > 0:
            self._plan = _Plan(MODELS.build(transform), MODELS.build(regularization), float(alpha), int(seed))

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock model's prediction, kept aside for the regularisation while `forward_train` runs."""
        prediction = super().forward_tensor(inputs, data_samples, **kwargs)
        if self._captured is not None:
            self._captured.append(prediction)
        return prediction

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The stock losses and, with a plan, `loss_reg`."""
        if self._plan is None:
            return super().forward_train(inputs, data_samples, **kwargs)
        if inputs.ndim != 4:
            raise TypeError(f"SiameseEditModel needs single images (N, C, H, W), got inputs {tuple(inputs.shape)}")
        self._captured = []
        try:
            losses = dict(super().forward_train(inputs, data_samples, **kwargs))
            (f_x,) = self._captured
        finally:
            self._captured = None
        losses["loss_reg"] = self._regularization(inputs, data_samples, f_x, **kwargs)
        return losses

    def parse_losses(self, losses: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 1; the log holds the stock losses, `loss_rec`, `loss_reg` and their weighted sum `loss`."""
        if self._plan is None or "loss_reg" not in losses:
            return super().parse_losses(losses)
        stock = {name: value for name, value in losses.items() if name != "loss_reg"}
        rec, log_vars = super().parse_losses(stock)
        reg = losses["loss_reg"]
        total = (1 - self._plan.alpha) * rec + self._plan.alpha * reg
        return total, {**log_vars, "loss_rec": rec, "loss_reg": reg, "loss": total}

    def _regularization(self, inputs: Tensor, data_samples: Any, f_x: Tensor, **kwargs: Any) -> Tensor:
        plan = self._plan
        assert plan is not None
        iteration = MessageHub.get_current_instance().get_info("iter", 0)
        generator = draw_generator(plan.seed, iteration, get_rank())
        transform = plan.transform.sample(inputs, generator, _image_range(self.data_preprocessor))
        f_tx = self.forward_tensor(transform.apply_input(inputs), data_samples, **kwargs)
        if hasattr(self, "regression_target"):
            target, weight = self.regression_target(inputs, data_samples)
        else:
            target, weight = data_samples.gt_img, None
        moved = self.moved_target(target, transform) if hasattr(self, "moved_target") else None
        with torch.autocast(inputs.device.type, enabled=False):
            outputs = SiameseOutputs(f_x.float(), f_tx.float(), target, transform, weight, moved)
            return plan.loss.to(inputs.device)(outputs)


def _image_range(preprocessor: Any) -> ImageRange:
    """Black (0) and white (255) as the data preprocessor hands them to the network."""
    if not getattr(preprocessor, "_enable_normalize", False):
        return ImageRange(0.0, 255.0)
    mean, std = (getattr(preprocessor, name).view(-1, 1, 1) for name in ("mean", "std"))
    return ImageRange((0 - mean) / std, (255 - mean) / std)


def _check_supported(stock: Any) -> None:
    """Raises TypeError unless the model maps one image to one image in `BaseEditModel`'s way."""
    kind = type(stock)
    name = kind.__name__
    if not isinstance(stock, BaseEditModel):
        reason = "it is not a BaseEditModel"
    elif name in ("CAIN", "FLAVR", "BasicInterpolator", "TDAN", "EDVR", "BasicVSR", "RealBasicVSR"):
        reason = "it takes several frames, and a single-frame regulariser has nothing to add to it"
    elif name == "LIIF":
        reason = "it takes coordinates beside the image"
    elif kind.train_step is not BaseModel.train_step or (
        kind.forward_train is not BaseEditModel.forward_train and not hasattr(stock, "regression_target")
    ):
        reason = "its training step is its own, and the wrapper does not know where its prediction is made"
    else:
        return
    raise TypeError(f"SiameseEditModel cannot wrap {name}: {reason}")
