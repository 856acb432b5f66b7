"""``xpconv bench``: how long a layer or a model takes here, and which engines compute it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from ._errors import UsageError
from ._parser import add_backend, positive_int, shape
from ._settings import MODEL_NAMES

HELP = "time a convolution or a model, and explain which engines compute it"
DESCRIPTION = """\
Time the forward pass and the way back of a convolution layer or of a model, on random numbers.
--explain adds which engine computes each convolution, and why not the others."""
EPILOG = """\
examples:
  xpconv bench --layer 64x128x3 64x56x56 --batch-size 16
  xpconv bench --layer 32x32x3 32x28x28 --stride 2 --groups 32 --explain
  xpconv bench --model resnet18_cifar --explain
  XPCONV_ENGINE=im2col xpconv bench --model lenet5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", metavar="NAME", help=", ".join(MODEL_NAMES))
    what.add_argument("--layer", metavar="CxOxK", type=shape, help="channels in, out, and kernel")
    parser.add_argument(
        "shape",
        metavar="CxHxW",
        nargs="?",
        type=shape,
        help="shape of one input; a layer needs it, a model has one that it was made for",
    )
    parser.add_argument("--stride", metavar="N", type=positive_int, default=1)
    parser.add_argument("--dilation", metavar="N", type=positive_int, default=1)
    parser.add_argument("--groups", metavar="N", type=positive_int, default=1)
    parser.add_argument("--batch-size", metavar="N", type=positive_int, default=16)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument(
        "--rounds", metavar="N", type=positive_int, default=5, help="the best counts (default: 5)"
    )
    parser.add_argument("--explain", action="store_true", help="say which engine does what")
    add_backend(parser)


def run(arguments: argparse.Namespace) -> int:
    """Time it and print the milliseconds."""
    from .. import engines
    from ..backend import get_backend
    from ..random import Stream, use_stream

    backend = get_backend(arguments.backend)
    with use_stream(Stream(0)):
        module, one = _module(arguments)
    module.to(backend, arguments.dtype)
    x = _random(backend, (arguments.batch_size, *one), arguments.dtype)
    with engines.chosen() as problems:
        y, backward = module.forward(x, training=True)
        backward(y)
    both: dict[str, Callable[[], Any]] = {
        "forward": lambda: module(x),
        "forward and backward": lambda: module.forward(x, training=True)[1](y),
    }
    if arguments.explain:
        print("\n".join(map(engines.explain, problems)))
    for name, call in both.items():
        milliseconds = min(_seconds(call, backend, arguments.rounds)) * 1000
        print(f"{name + ':':22}{milliseconds:10.3f} ms")
    return 0


def _module(arguments: argparse.Namespace) -> tuple[Any, tuple[int, ...]]:
    from .. import nn
    from ._weights import build

    if arguments.model is not None:
        return build(arguments.model, arguments.shape)
    if len(arguments.layer) != 3 or arguments.shape is None:
        raise UsageError("--layer takes CxOxK, as in 64x128x3, and the shape of one input, CxHxW")
    channels, out_channels, kernel = arguments.layer
    layer = nn.Conv2d(
        channels,
        out_channels,
        kernel,
        arguments.stride,
        arguments.dilation * (kernel - 1) // 2,
        arguments.dilation,
        arguments.groups,
    )
    return layer, arguments.shape


def _random(backend: Any, size: tuple[int, ...], dtype: str) -> Any:
    import numpy as np

    return backend.asarray(np.random.default_rng(0).standard_normal(size).astype(dtype))


def _seconds(call: Callable[[], Any], backend: Any, rounds: int) -> Iterator[float]:
    call()
    for _ in range(rounds):
        backend.synchronize()
        start = time.perf_counter()
        call()
        backend.synchronize()
        yield time.perf_counter() - start
