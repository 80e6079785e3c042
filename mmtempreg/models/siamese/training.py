"""The siamese training of all families of stock models (paper, Eq. 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.dist import get_rank
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import Tensor, nn

from ...losses import SiameseOutputs
from ...openmmlab.checkpoints import check_finite, fitted, misfits, read_checkpoint, weights_of
from ...openmmlab.internals import normalizes
from ...transforms import MOTIONS, DrawnTransform, ImageRange, RandomTransform, draw_generator
from ...transforms.shift import PAD_MULTIPLES, on_canvas
from ..anti_aliasing import restore_strides, without_anti_aliasing

Predict = Callable[[Tensor], Tensor]


@dataclass
class Regularizer:
    """Regularisation that the siamese training adds. Not a module: nothing of it may enter the model's state dict.

    Attributes:
        transform: Draws T.
        loss: L_reg.
        alpha, seed, every, fraction, single_pass, num_transforms, motion: As in `SiameseEditModel`.
    """

    transform: RandomTransform
    loss: nn.Module
    _: KW_ONLY
    alpha: float = 1.0
    seed: int = 0
    every: int = 1
    fraction: float = 1.0
    single_pass: bool = False
    num_transforms: int = 1
    motion: str = "independent"

    def sample(self, x: Tensor, generator: torch.Generator, image_range: ImageRange) -> list[DrawnTransform]:
        """Draws the transforms of a step: `num_transforms` for each image."""
        return MOTIONS[self.motion](
            self.transform, self.num_transforms, x, generator=generator, image_range=image_range
        )


@dataclass
class Teacher:
    """The network as it was, frozen; loaded when a training step first asks for it, and in no checkpoint.

    Attributes:
        model: Config of the stock model.
        checkpoint: Its weights.
        shift: From how many places along each axis, a pixel apart, it sees its input; 0: from where that is.
        seed: Of the draws of shifts.
        known: What it predicted of the items that come again, (C', H', W') in the CPU's memory.
    """

    model: Mapping
    checkpoint: str
    _: KW_ONLY
    shift: int = 0
    seed: int = 0
    known: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def load(self, student: SiameseTraining) -> Any:
        """The teacher of a student, a stock model: with anti-aliased strides only if its checkpoint was trained so.

        Raises:
            FileNotFoundError: If there is no such checkpoint.
            ValueError: If it is of another network than the student.
        """
        checkpoint = read_checkpoint(self.checkpoint)
        weights = weights_of(checkpoint, self.checkpoint)
        check_finite(weights, self.checkpoint)
        config = without_anti_aliasing(self.model)
        teacher: Any = MODELS.build({n: value for n, value in config.items() if n not in student.for_training})
        restore_strides(teacher, checkpoint)
        expected = {n: value for n, value in teacher.state_dict().items() if n.split(".")[0] in student.networks}
        weights = fitted(weights, expected, self.checkpoint)
        if faults := misfits(weights, expected):
            raise ValueError(f"{self.checkpoint} is no teacher for this {student.stock_class.__name__}: {faults}")
        teacher.load_state_dict({n: weights[n] for n in expected}, strict=False)
        return teacher.eval().requires_grad_(False)

    def draw(self, scale: Fraction, *, iteration: int | None = None, item: int = 0) -> tuple[int, int]:
        """A shift (down, right) in pixels of the input, whole pixels of the prediction too.

        Args:
            scale: Of the prediction.
            iteration: Of the training, whose shift it is; None: it is that of an item, in all epochs and processes.
            item: Number of the item.
        """
        stream = (item, 0, 2) if iteration is None else (iteration, get_rank(), 1)
        generator = draw_generator(self.seed, *stream)
        steps = torch.randint(self.shift // scale.denominator, (2,), generator=generator) * scale.denominator
        return int(steps[0]), int(steps[1])

    def room(self, predict: Predict, x: Tensor) -> ShiftRoom:
        """Finds the room for shifts by trying which sizes the network takes.

        Raises:
            ValueError: If `shift` is less than two pixels of the prediction, or more than the images have, the
                prediction is no whole multiple or part of them, or the network takes no larger images.
        """
        f_x = predict(x)
        shape = f"inputs of {x.shape[-1]}x{x.shape[-2]}"
        scale = scale_between((x.shape[-2], x.shape[-1]), (f_x.shape[-2], f_x.shape[-1]))
        if scale is None:
            raise ValueError(
                f"teacher_shift={self.shift}: the network predicts {f_x.shape[-1]}x{f_x.shape[-2]} of {shape}, which "
                "is no whole multiple or whole part: no shift is one by whole pixels of both"
            )
        if self.shift < 2 * scale.denominator:
            raise ValueError(f"teacher_shift={self.shift} must be {2 * scale.denominator} at least for this network")
        if self.shift > min(x.shape[-2:]):
            raise ValueError(
                f"teacher_shift={self.shift} is more than {shape} have: take larger crops, or a smaller one"
            )
        for multiple in PAD_MULTIPLES:
            height, width = (-(-(length + self.shift) // multiple) * multiple for length in x.shape[-2:])
            room = ShiftRoom(scale, (height, width), (f_x.shape[-2], f_x.shape[-1]))
            try:
                predict_shifted(predict, x, (0, 0), room)
            except (RuntimeError, ValueError, AssertionError) as error:
                failure = error
            else:
                return room
        raise ValueError(
            f"teacher_shift={self.shift}: the network takes images of {x.shape[-1]}x{x.shape[-2]}, and none that are "
            f"larger, padded to multiples of up to {PAD_MULTIPLES[-1]}"
        ) from failure


def scale_between(size: tuple[int, int], predicted: tuple[int, int]) -> Fraction | None:
    """Scale of a prediction: a whole number, or a whole part that is rounded up; None: neither."""
    for scale in (Fraction(predicted[0], size[0]), *(Fraction(1, part) for part in range(2, 65))):
        if (scale.numerator == 1 or scale.denominator == 1) and predicted == tuple(math.ceil(n * scale) for n in size):
            return scale
    return None


class ShiftRoom(NamedTuple):
    """A canvas on which the teacher sees a picture in several places.

    Attributes:
        scale: Of its prediction to its input.
        size: (H, W) of the canvas.
        predicted: (h, w) of the prediction of the picture alone.
    """

    scale: Fraction
    size: tuple[int, int]
    predicted: tuple[int, int]


def predict_shifted(predict: Predict, x: Tensor, shift: tuple[int, int], room: ShiftRoom) -> Tensor:
    """Predicts x as seen from another place on the grid of the network's strides.

    The picture is put on a larger canvas, which continues it mirrored, and the prediction is cut to it again: all of
    the picture is predicted, and nothing interpolated.

    Args:
        predict: (N, C, H, W) -> (N, C', scale H, scale W).
        x: (N, C, H, W).
        shift: (down, right) of the pictures, where they lie on the canvas; whole pixels of the prediction too.
        room: The canvas.
    """
    out = predict(on_canvas(x, shift, room.size))
    top, left = (int(by * room.scale) for by in shift)
    return out[:, :, top : top + room.predicted[0], left : left + room.predicted[1]]


def _sample(data_samples: DataSample, n: int) -> DataSample:
    """The n-th of stacked data samples, stacked."""

    def cut(value: Any) -> Any:
        return value[n : n + 1] if isinstance(value, (Tensor, list)) else value

    return DataSample(
        metainfo={name: cut(value) for name, value in data_samples.metainfo_items()},
        **{name: cut(value) for name, value in data_samples.items()},
    )


@dataclass(kw_only=True)
class TrainingStep:
    """State of a training step, from its first prediction to its losses.

    Attributes:
        given: T(x) and T that came with the batch; None: they are drawn.
        predicting: Whether a prediction of the network is one that is trained.
        target: What the teacher predicted, in the form in which the family wants it; None without one.
        f_x: (N, C', H', W') of the images that are regularised; None: none are in this step.
        f_tx: What the network gives for each T(x), when it is asked for.
        transforms: T.
    """

    given: tuple[Tensor, DrawnTransform] | None = None
    predicting: bool = False
    target: Any = None
    f_x: Tensor | None = None
    f_tx: Callable[[], Sequence[Tensor]] = tuple
    transforms: Sequence[DrawnTransform] = ()


class StockTask:
    """Facts that a model may tell about its task.

    A stock model tells nothing and gets these defaults, since it stands before them; a model of ours has its own.
    """

    def regression_target(self, inputs: Tensor, data_samples: Any) -> tuple[Tensor, Tensor | None]:
        """The truth in the domain of the prediction, and how much each value counts; None: all 1.

        Args:
            inputs: (N, C, H, W) what the network sees.
            data_samples: The batch's, stacked, as `forward_train` gets them.
        """
        return data_samples.gt_img, None

    def moved_target(self, target: Tensor, transform: DrawnTransform) -> Tensor | None:
        """T(y); None: T applied to `target` as it is."""
        return None


class SiameseTraining(BaseModel):
    """A stock model's training step with a second pass (or more), on T(x), and L = (1 - alpha) L_rec + alpha L_reg.

    A family (see `families`) stands before a stock class and says where in its training step things happen. In this
    order, each once in a step:

    1. `teach(ask, x)`, where the stock step takes the truth, if there is a `teacher`: gives its prediction, which then
       stands for the truth in the stock losses. A family that does so says `teachable = True`.
    2. `with training_step(data_samples):` around the stock method that predicts and, if it does both, adds up losses.
    3. `predict_both(predict, x)` in the method of the stock model that runs the network: gives f(x), and remembers what
       is needed of T(x). Outside of 2 it only predicts.
    4. `loss_reg(target, weight)`, where the losses of the network are added up: the term for the key `loss_reg`, which
       `parse_losses` weighs.

    What passes between them is the `step`, a `TrainingStep`, which ends with `train_step`.
    """

    stock_class: type
    """The stock class, of which this is a subclass."""
    has_own_loss = True
    """Whether `forward(mode='loss')` gives the losses, and not the training step alone."""
    regularizer: Regularizer | None = None
    """What the training step adds; None: nothing."""

    networks: tuple[str, ...] = ("generator",)
    """Attributes that hold what predicts: what a teacher must have the weights of."""
    for_training: tuple[str, ...] = ()
    """What a stock model's config names for training alone: a teacher is built without."""
    teachable = False
    """Whether predictions of a teacher can stand for the truth."""
    takes_given = False
    """Whether T may come with the batch: whether it hands its data samples to `training_step`."""
    teacher: Teacher | None = None
    """Whose predictions are the truth; None: nobody's."""
    step: TrainingStep = TrainingStep()
    """The current training step."""

    _teacher: tuple[Any, ...] = ()  # when it is loaded; in a tuple: no part of the state dict
    _rooms: Mapping[tuple[int, int], ShiftRoom] = {}  # for the shifts of the teacher's inputs, by their size
    _iteration: int | None = None  # which draws of T; None: those of the runner's iteration

    @classmethod
    def refusal(cls, kind: type[BaseModel]) -> str | None:
        """Why a stock class of this family cannot be trained nevertheless; None: it can."""
        return None

    def prepare(self, config: dict) -> None:
        """Called once when the stock model has been built, with its config without the type."""

    def check(self) -> None:
        """Called once when all is set up: warns of settings that do what nobody wants."""

    @staticmethod
    def predict_rgb(model: Any, frames: Tensor, channel_order: str) -> Tensor:
        """Runs a model of this family, wrapped or not, on frames.

        Args:
            model: Ready for inference.
            frames: (N, 3, H, W) RGB display values in [0, 1].
            channel_order: 'RGB' or 'BGR', in which the model's pipeline loads images.

        Returns:
            (N, 3, sH, sW) RGB: display values in [0, 1], or linear radiance of a model that predicts it.
        """
        samples = [DataSample() for _ in frames]
        for sample in samples:
            sample.set_metainfo(dict(img_channel_order=channel_order, gt_channel_order=channel_order))
        inputs = list(as_channel_order(frames, channel_order) * 255)
        results = model.test_step(dict(inputs=inputs, data_samples=samples))
        out = as_channel_order(torch.stack([result.output.pred_img for result in results]), "BGR")  # as MMagic's are
        return out if predicts_radiance(model) else out / 255

    def teach(self, ask: Callable[[Any, Tensor, Any], Tensor], x: Tensor, data_samples: Any = None) -> Tensor:
        """Runs the teacher on x, and keeps its prediction as the step's `target`.

        Items of a `DrawnOnceDataset` come again as they are: the teacher is asked once for each, and what it predicted
        from one place, drawn for the item, is its target in all epochs.

        Args:
            ask: (model, x, data_samples) -> prediction, of the teacher, which is a stock model.
            x: (N, C, H, W) what the network sees.
            data_samples: The batch's, stacked, which tell whether its items come again; None: they do not.
        """
        assert self.teacher is not None
        items = None if data_samples is None else data_samples.metainfo.get("drawn_once")
        if items is None:
            target = self._ask(ask, x, data_samples)
        else:
            known = self.teacher.known
            # each alone: to the last bit a prediction depends on how many there are and which it is of them, and a run
            # that is resumed meets the items in other batches
            for n, item in enumerate(items):
                if item not in known:
                    (value,) = self._ask(ask, x[n : n + 1].clone(), _sample(data_samples, n), item=item[1])
                    known[item] = value.cpu().clone()  # no view of a canvas
            target = torch.stack([known[item] for item in items]).to(x.device)
        self.step = TrainingStep(target=target)
        return target

    def _ask(
        self, ask: Callable[[Any, Tensor, Any], Tensor], x: Tensor, data_samples: Any, *, item: int | None = None
    ) -> Tensor:
        """The teacher's prediction; of a numbered item from the place that is drawn for it."""
        about = self.teacher
        assert about is not None
        if not self._teacher:
            with torch.random.fork_rng(devices=[]):  # a run that is resumed loads it at another step
                self._teacher = (about.load(self),)
        teacher = self._teacher[0].to(next(self.parameters()).device)

        def predict(x: Tensor) -> Tensor:
            return ask(teacher, x, data_samples)

        with torch.no_grad():
            if not about.shift:
                return predict(x)
            shape = (x.shape[-2], x.shape[-1])
            if shape not in self._rooms:
                self._rooms = {**self._rooms, shape: about.room(predict, x)}
            room = self._rooms[shape]
            iteration = self._now() if item is None else None
            shift = about.draw(room.scale, iteration=iteration, item=item or 0)
            return predict_shifted(predict, x, shift, room)

    def _now(self) -> int:
        """The iteration that draws belong to."""
        return MessageHub.get_current_instance().get_info("iter", 0) if self._iteration is None else self._iteration

    @contextmanager
    def regularized_by(self, regularizer: Regularizer | None, iteration: int | None = None) -> Iterator[None]:
        """Inside, training is regularised otherwise, or not.

        Args:
            regularizer: What the training step adds; None: nothing.
            iteration: Draws T as in this iteration, whichever it is. None: the runner's.
        """
        before = self.regularizer, self._iteration
        self.regularizer, self._iteration = regularizer, iteration
        try:
            yield
        finally:
            self.regularizer, self._iteration = before

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """The stock training step; what it did not use of the two passes is dropped."""
        try:
            return super().train_step(data, optim_wrapper)
        finally:
            self.step = TrainingStep()

    def parse_losses(self, losses: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 1 if `losses` holds `loss_reg`; the discriminator's losses are left alone."""
        if "loss_reg" not in losses:
            return super().parse_losses(losses)
        stock = {name: value for name, value in losses.items() if name != "loss_reg"}
        rec, log_vars = super().parse_losses(stock)
        return self.weigh(rec, log_vars, losses["loss_reg"])

    def weigh(self, rec: Tensor, log_vars: dict[str, Tensor], reg: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 1; the log holds the stock losses, `loss_rec`, `loss_reg` and their weighted sum `loss`.

        `reg` is None on steps without regularisation; it counts `regularize_every` times on the others, so that
        its gradient is the same on average ("lazy regularization", Karras et al., StyleGAN2, appendix B).
        """
        regularizer = self.regularizer
        assert regularizer is not None
        log_vars = {**log_vars, "loss_rec": rec}
        total = (1 - regularizer.alpha) * rec
        if reg is not None:
            log_vars["loss_reg"] = reg
            total = total + regularizer.alpha * regularizer.every * reg
        return total, {**log_vars, "loss": total}

    @contextmanager
    def training_step(self, data_samples: Any = None) -> Iterator[None]:
        """Inside, what the network predicts is trained.

        Args:
            data_samples: The batch's, where T may come with them.
        """
        given = None if self.regularizer is None else self.regularizer.transform.for_batch(data_samples)
        self.step = TrainingStep(given=given, predicting=True, target=self.step.target)
        try:
            yield
        finally:
            self.step.predicting = False

    def predict_both(self, predict: Predict, x: Tensor, image_range: ImageRange | None = None) -> Tensor:
        """f(x), keeping aside what `loss_reg` needs.

        Args:
            predict: The network, (N, C, H, W) -> (N, C', H', W').
            x: (N, C, H, W) what the network sees.
            image_range: Black and white in the units of `x`. None: of the data preprocessor.

        Raises:
            TypeError: If x is no batch of images, or the prediction none of maps.
            ValueError: If `regularize_every` is more than the iterations of the run.
        """
        regularizer, step = self.regularizer, self.step
        if not step.predicting or regularizer is None:
            return predict(x)
        if x.ndim != 4:
            raise TypeError(f"SiameseEditModel needs single images (N, C, H, W), got inputs {tuple(x.shape)}")
        iteration = self._now()
        if iteration % regularizer.every:
            return predict(x)
        _check_length(regularizer.every)
        part = x[: math.ceil(regularizer.fraction * len(x))]
        moved, step.transforms = self._moved(part, iteration, image_range or self._image_range())
        if regularizer.single_pass:
            f_x, *f_tx = _checked_maps(predict(torch.cat([x, *moved]))).split([len(x), *map(len, moved)])
            step.f_tx = lambda: f_tx
        else:
            f_x = _checked_maps(predict(x))
            step.f_tx = lambda: [predict(image) for image in moved]
        step.f_x = f_x[: len(part)]
        return f_x

    def _moved(self, x: Tensor, iteration: int, image_range: ImageRange) -> tuple[list[Tensor], list[DrawnTransform]]:
        """T(x) for each T of this step, and T: drawn here, or from the batch."""
        regularizer = self.regularizer
        assert regularizer is not None
        if self.step.given is not None:
            images, shift = self.step.given
            return [images[: len(x)]], [shift.of_first(len(x))]
        with torch.autocast(x.device.type, enabled=False):  # half precision would round sub-pixel motion away
            generator = draw_generator(regularizer.seed, iteration, get_rank())
            transforms = regularizer.sample(x, generator, image_range)
            return [transform.apply_input(x) for transform in transforms], transforms

    def loss_reg(self, target: Tensor, weight: Tensor | None = None) -> Tensor | None:
        """L_reg of the predictions that `predict_both` has seen; None if this step is not regularised.

        Args:
            target: (N, C', H', W') ground truth in the prediction's domain.
            weight: (N, 1 or C', H', W') how much each value counts; None: all 1.

        Raises:
            ValueError: If a T leaves no pixel that counts.
        """
        regularizer, step = self.regularizer, self.step
        if regularizer is None or step.f_x is None:
            return None
        n = len(step.f_x)
        target, weight = target[:n], None if weight is None else weight[:n]
        predictions = step.f_tx()
        with torch.autocast(target.device.type, enabled=False):
            f_x, outputs = step.f_x.float(), []
            for f_tx, transform in zip(predictions, step.transforms):
                _check_valid(transform, f_tx)
                moved = self.moved_target(target, transform)
                outputs.append(SiameseOutputs(f_x, f_tx.float(), target, transform, weight=weight, t_target=moved))
            step.f_x, step.f_tx = None, tuple
            return regularizer.loss.to(target.device)(*outputs)

    def _image_range(self) -> ImageRange:
        """Black (0) and white (255) as the data preprocessor hands them to the network."""
        preprocessor = self.data_preprocessor
        if not normalizes(preprocessor):
            return ImageRange(0.0, 255.0)
        mean, std = (getattr(preprocessor, name).view(-1, 1, 1) for name in ("mean", "std"))
        return ImageRange((0 - mean) / std, (255 - mean) / std)


def _check_length(every: int) -> None:
    """Raises ValueError if a run regularises in its first iteration only, and there `every` times as strongly."""
    length = MessageHub.get_current_instance().get_info("max_iters")
    if length is not None and every > length:
        raise ValueError(f"regularize_every={every} is more than the {length} iterations of this run")


def _checked_maps(prediction: Any) -> Tensor:
    """The prediction; raises TypeError if it is nothing that T can move."""
    if not isinstance(prediction, Tensor) or prediction.ndim != 4:
        got = tuple(prediction.shape) if isinstance(prediction, Tensor) else type(prediction).__name__
        raise TypeError(
            f"the regularisation compares maps (N, C, H, W), and the network predicts {got}: its family makes a map of "
            "that (CONTRIBUTING.md, a model whose prediction is no map)"
        )
    return prediction


def _check_valid(transform: DrawnTransform, f_tx: Tensor) -> None:
    """Raises ValueError if T reads all of the prediction from outside of the image: the loss would be 0."""
    if not transform.valid(f_tx).any():
        raise ValueError(
            f"{type(transform).__name__} leaves nothing of crops of {transform.size[1]}x{transform.size[0]} that "
            "counts: take larger crops, a smaller T or a smaller margin"
        )


def as_channel_order(images: Tensor, channel_order: str) -> Tensor:
    """RGB images (N, 3, H, W) in 'RGB' or 'BGR', and back."""
    return images.flip(1) if channel_order == "BGR" else images


def predicts_radiance(model: Any) -> bool:
    """True if a model, wrapped or not, predicts linear radiance, and not display values."""
    return hasattr(model.data_preprocessor, "destruct_radiance")
