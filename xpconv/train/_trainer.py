"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace

from .. import checkpoint, ops
from .._typing import Array
from ..backend import Backend, get_backend, to_numpy, use_backend
from ..data import ArrayDataset, as_count, batches, to_device
from ..optim import Adam, Optimizer, clip_grad_norm
from ..optim._optimizer import at_least_zero
from ..random import Stream, use_stream
from ..schedule import Schedule
from . import _state
from ._callbacks import Callback
from ._captured import CapturedSteps
from ._checks import (
    as_callbacks,
    as_dataset,
    check_data,
    check_monitors,
    check_parts,
    check_samples,
    refusing,
)
from ._history import History
from ._loop import Loop, judge
from ._losses import Loss, as_loss, targets_of
from ._metrics import Means, Metric, as_metrics
from ._precision import Precision
from ._progress import with_progress
from ._run import Run

if TYPE_CHECKING:
    import os

    from ..nn import Module

Data = ArrayDataset | tuple[Array, Array]


class Trainer:
    """Train a model on arrays, a batch at a time, on any backend.

    Parameters
    ----------
    model : Module
        The model. It is moved to the backend.
    loss : str, operation or loss layer, default "cross_entropy"
        ``"cross_entropy"``, ``"mse_loss"`` or the name of another loss, any differentiable
        operation ``(logits, target)`` of `xpconv.ops`, or a loss of `xpconv.nn`.
    optimizer : Optimizer, optional
        By default ``optim.Adam()``.
    backend : str or Backend, optional
        Where to train; by default where the model is.
    precision : {"fp32", "tf32", "fp16", "bf16"}, optional
        What a step is computed in. Parameters, optimiser, losses and the statistics of
        normalisations are float32 in all four. ``"fp16"`` scales the loss, and skips steps whose
        gradients overflow. By default all is of the dtype of the model's parameters. A backend that
        cannot (NumPy, for one) computes in float32, and says so.
    cuda_graphs : bool, default False
        Record a step as a CUDA graph and repeat it with one launch: for networks so small that a
        GPU waits for the host. A backend or a model that cannot says so and goes step by step.
    schedule : Schedule, optional
        Multiplies the optimiser's learning rate; its time is counted in epochs.
    clip_norm : float, optional
        The largest norm of all gradients together.
    metrics : iterable of str or callable, optional
        ``"accuracy"``, or functions ``(logits, target)`` that return a batch's mean as a 0-d array.
        By default the accuracy, or nothing for a loss of values (``"mse_loss"``).
    callbacks : iterable of Callback
        What is to happen around the steps.
    seed : int, default 0
        Decides the order of the samples and the dropout masks, on every backend the same.
    progress : {"auto", "bar", "plain"} or bool, default "auto"
        A bar on a terminal and a line an epoch elsewhere; one of the two; or nothing (False).

    Attributes
    ----------
    history : History
        A row for each epoch of the last run.
    run : Run
        Where the last run stands.
    means : Means
        The present epoch's loss and metrics so far, on the device.
    last_loss : 0-d array or None
        The loss of the last batch, on the device.
    precision : Precision
        ``.asked`` and ``.name``: what was asked for, and what is computed in.
    cuda_graphs : CapturedSteps
        ``.asked``, and ``.refusal``: why steps are taken one by one, or None.

    Notes
    -----
    Nothing in a step waits for the device (but for the few losses that look at what the model puts
    out, as ``"binary_cross_entropy"`` does): losses and metrics are summed there and read once an
    epoch, or when the bar is drawn anew. Everything random derives from the seed, the epoch and the
    step, so a run that is killed and resumed from a `Checkpoint` gives bit-identical weights (with
    the same libraries and number of threads, which decide the order of sums).

    With ``cuda_graphs`` weights are in arrays of the trainer's own while an epoch runs. Model and
    optimiser get copies before anybody can look: no array that you hold ever changes.

    The loop itself has no secrets; this is one by hand:

    >>> from xpconv import data, nn, optim, train
    >>> digits, _ = data.load_digits()
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> optimizer = optim.SGD(lr=0.1, momentum=0.9)
    >>> for epoch in range(2):
    ...     order = data.shuffled(len(digits), seed=0, epoch=epoch)
    ...     for x, y in data.on_backend(data.batches(digits, 64, order), model.backend):
    ...         loss, logits, grads = train.gradients(model, "cross_entropy", x, y)
    ...         grads, norm = optim.clip_grad_norm(grads, 1.0)
    ...         optimizer.step(model, grads)

    Examples
    --------
    >>> digits, test = data.load_digits()
    >>> trainer = train.Trainer(model, optimizer=optim.SGD(lr=0.1), progress=False)
    >>> history = trainer.fit(digits, test, epochs=2)
    >>> [sorted(row) for row in history][0]
    ['accuracy', 'epoch', 'loss', 'lr', 'seconds', 'val_accuracy', 'val_loss']
    >>> trainer.evaluate(test)["accuracy"] > 0.9
    True
    """

    def __init__(
        self,
        model: Module,
        *,
        loss: str | Callable[..., Array] | Loss = "cross_entropy",
        optimizer: Optimizer | None = None,
        backend: str | Backend | None = None,
        precision: str | None = None,
        cuda_graphs: bool = False,
        schedule: Schedule | None = None,
        clip_norm: float | None = None,
        metrics: Iterable[str | Metric] | None = None,
        callbacks: Iterable[Callback] = (),
        seed: int = 0,
        progress: str | bool = "auto",
    ) -> None:
        check_parts(model, optimizer, schedule, progress)
        self.model = model
        self.loss = as_loss(loss)
        self.optimizer = Adam() if optimizer is None else optimizer
        self.backend = get_backend(model.backend if backend is None else backend)
        self.precision = Precision(precision, model, self.backend)
        self.cuda_graphs = CapturedSteps(bool(cuda_graphs), self.backend)
        self.schedule = schedule
        self.clip_norm = None if clip_norm is None else at_least_zero("clip_norm", clip_norm)
        if metrics is None:
            metrics = () if targets_of(self.loss) == "values" else ("accuracy",)
        self.metrics = as_metrics(metrics)
        self.callbacks = as_callbacks(callbacks)
        self.stream = Stream(seed)
        self.seed = self.stream.seed
        self.progress = progress
        self.history = History()
        self.means = Means()
        self.last_loss: Array = None
        self.samples_seen = 0
        self.run = Run(samples=0, batch_size=1, shuffle=True, epochs=0)
        model.to(self.backend)

    # --- what people call ------------------------------------------------------------------------

    def fit(
        self,
        train: Data,
        validation: Data | None = None,
        *,
        epochs: int,
        batch_size: int = 64,
        shuffle: bool = True,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Train for some epochs, or go on where a saved run was.

        A second call trains on from the present weights, as a new run with a history of its own.

        Parameters
        ----------
        train : ArrayDataset or (x, y)
            Samples to learn from; the last batch of an epoch holds what is left of them.
        validation : ArrayDataset or (x, y), optional
            Samples to judge by after every epoch.
        epochs : int
            How many epochs the run has in all, those before a resumption included.
        batch_size : int, default 64
            How many samples make a batch.
        shuffle : bool, default True
            Whether every epoch takes the samples in an order of its own.
        resume : str or path, optional
            A file that a `Checkpoint` or `save` has written. Weights, optimiser and schedule with
            their settings, random state, history and callbacks are taken from it.

        Returns
        -------
        History
            A row for each epoch, those before a resumption included.

        Raises
        ------
        ValueError, TypeError
            If the data does not fit the model or the loss, before anything is trained.
        CheckpointError
            If the file is damaged, or is of a run with another model, optimiser, batch size, seed
            or number of samples.
        KeyboardInterrupt
            On Ctrl-C, after the step in hand: `save` then writes what `resume` goes on from.
        """
        epochs = as_count(epochs, "epochs", minimum=0)
        batch_size = as_count(batch_size, "batch_size")
        data = as_dataset(train, "train")
        judged_by = None if validation is None else as_dataset(validation, "validation")
        run = Run(len(data), batch_size, bool(shuffle), epochs)
        state = None
        if resume is not None:
            state = checkpoint.load(resume)
            _state.check(self, state, resume, run)
        callbacks = with_progress(self.callbacks, self.progress)
        check_monitors((*callbacks, self.schedule), self.metrics, validation=judged_by is not None)
        with self._in_force():
            check_data(self, data, "training")
            if judged_by is not None:
                check_data(self, judged_by, "validation")
            Loop(self, run, data, judged_by, callbacks).go(state)
        return self.history

    def evaluate(self, data: Data, batch_size: int = 256) -> dict[str, float]:
        """Return the loss and the metrics over some samples.

        Parameters
        ----------
        data : ArrayDataset or (x, y)
            The samples.
        batch_size : int, default 256
            How many are computed at once.

        Returns
        -------
        dict of str to float
            ``loss`` and the metrics by name, means over the samples.
        """
        dataset = as_dataset(data, "data")
        with self._in_force():
            check_data(self, dataset, "given")
            return judge(self, dataset, batch_size)

    def predict(self, x: Array, batch_size: int = 256) -> Any:
        """Return the model's output for some samples, on the host.

        Parameters
        ----------
        x : array, shape (N, ...)
            The samples, of any library.
        batch_size : int, default 256
            How many are computed at once.

        Returns
        -------
        numpy.ndarray, shape (N, ...)
            The outputs.
        """
        host = to_numpy(x)
        dataset = ArrayDataset(host, host)
        check_samples(host, "given")
        with self._in_force(), self.precision.weights(self.model), refusing(host, "given"):
            given = (self._there(samples) for samples, _ in batches(dataset, batch_size))
            outputs = [to_numpy(self.precision.infer(self.model, samples)) for samples in given]
        return array_namespace(outputs[0]).concat(outputs, axis=0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole run to one file: model, optimiser, schedule, random state, position.

        Parameters
        ----------
        path : str or path
            The file, usually ``*.safetensors``; it is replaced in one step.
        """
        self.cuda_graphs.open(self)
        checkpoint.save(path, _state.collect(self))

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take over what `save` wrote, on any backend; to go on training, `fit` with ``resume``.

        Parameters
        ----------
        path : str or path
            The file.

        Raises
        ------
        CheckpointError
            If the file is damaged or does not fit this trainer; nothing is changed then.
        """
        state = checkpoint.load(path)
        _state.check(self, state, path)
        self.cuda_graphs.open(self)
        self.model.to(self.backend)
        self.run = Run(**state["run"])
        _state.restore(self, state)
        _state.restore_callbacks(self, state)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.lr_at(self.run.time)

    def lr_at(self, time: float) -> float:
        """Return the learning rate at a time in epochs."""
        factor = 1.0 if self.schedule is None else self.schedule(time)
        return self.optimizer.lr * factor

    @property
    def dtype(self) -> str | None:
        """The dtype that floating data gets: that of the model's parameters."""
        for parameter in self.model.parameters().values():
            return str(parameter.dtype).rpartition(".")[2]
        return None

    def step(self, x: Array, y: Array, lr: float | None = None) -> tuple[Array, Array]:
        """Learn from one batch.

        Parameters
        ----------
        x, y : array
            Samples and targets on the trainer's backend.
        lr : float, optional
            The learning rate of this step; by default `lr`.

        Returns
        -------
        loss : 0-d array
            The batch's loss before the step.
        logits : array
            The model's output before the step.
        """
        if lr is None:  # not one of the steps that are captured
            self.cuda_graphs.open(self)
            lr = self.lr
        value, logits, grads, found_inf = self.precision.gradients(self.model, self.loss, x, y)
        if self.clip_norm is not None:
            grads, _ = clip_grad_norm(grads, self.clip_norm)
        # An optimiser of the user's own need not know of steps that are skipped.
        skipped = {} if found_inf is None else {"found_inf": found_inf}
        self.optimizer.step(self.model, grads, lr=lr, **skipped)
        return value, logits

    @contextmanager
    def captured_steps(self) -> Iterator[Callable[[Array, Array], tuple[Array, Array]]]:
        """Take steps in a loop of your own, as CUDA graphs where ``cuda_graphs`` asks for them.

        Within the block the trainer's random numbers are in force, the weights are in arrays of its
        own, and labels are not looked at. Then the model and the optimiser have the weights.

        Yields
        ------
        callable
            ``step(x, y)`` does what `step` does. What it returns is valid until the next call.

        Examples
        --------
        >>> from xpconv import Trainer, data, models
        >>> digits, _ = data.load_digits()
        >>> trainer = Trainer(models.get_model("digits_cnn"))
        >>> with trainer.captured_steps() as step:
        ...     for x, y in data.on_backend(data.batches(digits, 256), trainer.backend):
        ...         loss, logits = step(x, y)
        """
        with self._in_force():
            try:
                yield lambda x, y: self.cuda_graphs.take(self, x, y, self.step)
            finally:
                self.cuda_graphs.open(self)

    # --- inside -----------------------------------------------------------------------------------

    @contextmanager
    def _in_force(self) -> Iterator[None]:
        """Compute on this trainer's backend, with its random numbers and products."""
        self.model.to(self.backend)
        # Labels that `check_data` has seen on the host are not looked at again on the device.
        labels = targets_of(self.loss) == "classes"
        checked = ops.labels_checked() if labels else nullcontext()
        products = self.precision.products()
        with use_backend(self.backend), use_stream(self.stream), checked, products:
            yield

    def _there(self, x: Any) -> Array:
        """Bring samples to the backend."""
        return to_device(x, self.backend, self.dtype)
