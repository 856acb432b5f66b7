"""A stand-in for the parts of NVIDIA's package ``cudnn`` that the engine calls, on the host.

A graph is built with the names and the order of calls of the real one, and refuses what that would
refuse. To execute it is to read memory at the addresses given, with the sizes and steps of its
tensors, to convolve with the slow loops of `tests.reference`, and to write to memory.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
from types import ModuleType
from typing import Any

import numpy as np

from tests import reference

__version__ = "1.28.0"


def backend_version() -> int:
    return Machine.version


class Machine:
    """What the tests decide, and what they look at."""

    version = 91200
    refused: str | None = None  # why no handle can be made
    broken: str | None = None  # what executing dies of
    unsupported: str | None = None  # why heuristics have nothing to offer
    unbuildable: tuple[str, ...] = ()  # kernels whose building fails
    devices: int = 0  # handles that were made
    built: int = 0  # kernels that were made ready
    ran: list[tuple[str, str]]  # operations and kernels that were executed
    stream = 0  # what the last kernel ran on
    space: dict[int, int]  # workspaces that are alive: address -> bytes

    @classmethod
    def reset(cls) -> None:
        cls.version, cls.devices, cls.built, cls.stream = 91200, 0, 0, 0
        cls.refused = cls.broken = cls.unsupported = None
        cls.unbuildable = ()
        cls.ran, cls.space = [], {}


class cudnnGraphNotSupportedError(Exception):
    """As in the package: no RuntimeError."""


data_type = enum.Enum("data_type", "FLOAT DOUBLE HALF BFLOAT16 NOT_SET")
behavior_note = enum.Enum("behavior_note", "RUNTIME_COMPILATION CUBLASLT_DEPENDENCY")
heur_mode = enum.Enum("heur_mode", "A B FALLBACK")
numerical_note = enum.Enum(
    "numerical_note",
    "TENSOR_CORE DOWN_CONVERT_INPUTS REDUCED_PRECISION_REDUCTION FFT NONDETERMINISTIC WINOGRAD "
    "WINOGRAD_TILE_4x4 WINOGRAD_TILE_6x6 WINOGRAD_TILE_13x13 STRICT_NAN_PROP",
)
_NUMBERS = {data_type.FLOAT: "float32", data_type.DOUBLE: "float64", data_type.HALF: "float16"}
_NOTE = numerical_note

# Kernels in the order of their rank: their notes, and the workspace that each image takes.
KERNELS: dict[str, tuple[set[Any], int]] = {
    "compiled": ({behavior_note.RUNTIME_COMPILATION}, 0),
    "winograd": ({_NOTE.WINOGRAD, _NOTE.WINOGRAD_TILE_4x4}, 64),
    "fft": ({_NOTE.FFT}, 4096),
    "halves": ({_NOTE.TENSOR_CORE, _NOTE.DOWN_CONVERT_INPUTS}, 0),
    "half sums": ({_NOTE.TENSOR_CORE, _NOTE.REDUCED_PRECISION_REDUCTION}, 0),
    "atomic": ({_NOTE.NONDETERMINISTIC, _NOTE.TENSOR_CORE}, 0),
    "tensor cores": ({_NOTE.TENSOR_CORE}, 1024),
    "atomic, plain": ({_NOTE.NONDETERMINISTIC}, 0),
    "large": (set(), 2048),
    "plain": (set(), 0),
}


class Handle:
    def __init__(self) -> None:
        self.stream = 0


def create_handle() -> Handle:
    if Machine.refused:
        raise RuntimeError(Machine.refused)
    Machine.devices += 1
    return Handle()


def set_stream(handle: Handle, stream: int) -> None:
    assert isinstance(handle, Handle)
    assert type(stream) is int
    handle.stream = stream


class Tensor:
    """Sizes, steps and a number: every setter returns the tensor."""

    def __init__(self, name: str, uid: int | None, virtual: bool) -> None:
        self.name, self.uid, self.virtual = name, uid, virtual
        self.dim: list[int] = []
        self.stride: list[int] = []
        self.data_type: Any = None

    def set_output(self, value: bool) -> Tensor:
        self.virtual = not value
        return self

    def set_uid(self, uid: int) -> Tensor:
        self.uid = uid
        return self

    def set_dim(self, dim: list[int]) -> Tensor:
        self.dim = _integers(dim)
        return self

    def set_stride(self, stride: list[int]) -> Tensor:
        self.stride = _integers(stride)
        return self

    def set_data_type(self, dtype: Any) -> Tensor:
        assert isinstance(dtype, data_type)
        self.data_type = dtype
        return self

    def view(self, address: int) -> np.ndarray:
        """Memory at an address, in the sizes of the tensor: (N, C, H, W) or (K, C, R, S)."""
        assert address % 16 == 0, "cuDNN takes aligned addresses for granted"
        number = _dtype(self.data_type)
        reach = 1 + sum((d - 1) * s for d, s in zip(self.dim, self.stride))
        memory = (ctypes.c_char * (reach * number.itemsize)).from_address(address)
        flat = np.frombuffer(memory, dtype=number)
        steps = [step * number.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(flat, self.dim, steps)


def _integers(values: list[int]) -> list[int]:
    assert isinstance(values, list)
    assert all(type(value) is int for value in values), values
    return values


def _dtype(number: Any) -> np.dtype:
    if number is data_type.BFLOAT16:
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_NUMBERS[number])


class pygraph:
    """A graph of one convolution, with what may follow it."""

    def __init__(
        self,
        name: str = "test_graph",
        io_data_type: Any = None,
        intermediate_data_type: Any = None,
        compute_data_type: Any = None,
        handle: Any = None,
        sm_count: Any = None,
        sm_version: Any = None,
    ) -> None:
        assert isinstance(handle, Handle)
        assert type(sm_version) is int
        assert sm_count is None
        assert intermediate_data_type is compute_data_type
        wide = data_type.DOUBLE if io_data_type is data_type.DOUBLE else data_type.FLOAT
        assert compute_data_type is wide
        self._number, self._steps = io_data_type, ["made"]
        self._inputs: dict[int, Tensor] = {}
        self._done: list[tuple[str, dict[str, Any]]] = []  # operations with their arguments
        self._limit, self._barred = None, set()
        self._kernel: str | None = None

    def _next(self, step: str, *after: str) -> None:
        assert self._steps[-1] in after, f"{step} after {self._steps[-1]}"
        self._steps.append(step)

    def tensor(
        self,
        dim: list[int],
        stride: list[int] | None = None,
        data_type: Any = None,
        is_virtual: bool = False,
        is_pass_by_value: bool = False,
        ragged_offset: Any = None,
        reordering_type: Any = None,
        name: str = "",
        uid: int | None = None,
    ) -> Tensor:
        assert self._steps == ["made"]
        assert not is_virtual
        assert not is_pass_by_value
        assert name
        assert type(uid) is int
        assert uid > 0
        assert uid not in self._inputs
        made = Tensor(name, uid, is_virtual).set_dim(dim).set_stride(stride)
        assert data_type is self._number
        assert len(dim) == len(stride)
        assert all(n > 0 for n in dim), dim
        self._inputs[uid] = made.set_data_type(data_type)
        return made

    def conv_fprop(
        self,
        image: Tensor,
        weight: Tensor,
        pre_padding: list[int],
        post_padding: list[int],
        stride: list[int],
        dilation: list[int],
    ) -> Tensor:
        return self._convolution("conv_fprop", locals())

    def conv_dgrad(
        self,
        loss: Tensor,
        filter: Tensor,
        pre_padding: list[int],
        post_padding: list[int],
        stride: list[int],
        dilation: list[int],
    ) -> Tensor:
        return self._convolution("conv_dgrad", locals())

    def conv_wgrad(
        self,
        image: Tensor,
        loss: Tensor,
        pre_padding: list[int],
        post_padding: list[int],
        stride: list[int],
        dilation: list[int],
    ) -> Tensor:
        return self._convolution("conv_wgrad", locals())

    def bias(self, input: Tensor, bias: Tensor) -> Tensor:
        assert self._done[-1][0] == "conv_fprop"
        assert input is self._last
        assert bias.dim[0] == 1
        assert set(bias.dim[2:]) <= {1}
        return self._operation("bias", {"bias": bias})

    def relu(self, input: Tensor) -> Tensor:
        assert input is self._last
        return self._operation("relu", {})

    def _convolution(self, name: str, given: dict[str, Any]) -> Tensor:
        assert not self._done
        del given["self"]
        tensors = {k: v for k, v in given.items() if isinstance(v, Tensor)}
        (rank,) = {len(tensor.dim) for tensor in tensors.values()}
        assert rank in (4, 5), "cuDNN has no convolutions of other ranks"
        for key in ("pre_padding", "post_padding", "stride", "dilation"):
            assert len(_integers(given[key])) == rank - 2, key
        return self._operation(name, given)

    def _operation(self, name: str, given: dict[str, Any]) -> Tensor:
        assert self._steps == ["made"]
        self._done.append((name, given))
        self._last = Tensor(name, None, virtual=True)
        return self._last

    def validate(self) -> None:
        self._next("validated", "made")
        out = self._last
        assert not out.virtual
        assert out.uid not in (None, *self._inputs)
        assert out.data_type is self._number
        assert len(out.dim) == len(out.stride)
        _, given = self._done[0]
        image, kernel, result = self._roles()
        assert image.dim[0] == result.dim[0]
        assert kernel.dim[0] == result.dim[1]
        assert image.dim[1] % kernel.dim[1] == 0
        assert kernel.dim[0] % (image.dim[1] // kernel.dim[1]) == 0
        steps = (given[k] for k in ("pre_padding", "post_padding", "stride", "dilation"))
        for n, k, m, before, after, s, d in zip(
            image.dim[2:], kernel.dim[2:], result.dim[2:], *steps
        ):
            assert m == (n + before + after - d * (k - 1) - 1) // s + 1

    def _roles(self) -> tuple[Tensor, Tensor, Tensor]:
        """The image, the kernels and the output of the convolution."""
        name, given = self._done[0]
        if name == "conv_fprop":
            return given["image"], given["weight"], self._last
        if name == "conv_dgrad":
            return self._last, given["filter"], given["loss"]
        return given["image"], self._last, given["loss"]

    def build_operation_graph(self) -> None:
        self._next("described", "validated")

    def create_execution_plans(self, heuristics: list[Any]) -> None:
        self._next("planned", "described")
        assert heuristics == [heur_mode.A, heur_mode.FALLBACK]
        if Machine.unsupported:
            raise cudnnGraphNotSupportedError(Machine.unsupported)
        if [name for name, _ in self._done] == ["conv_fprop", "relu"]:
            raise cudnnGraphNotSupportedError("No valid engine configs for ConvolutionFwd_ReluFwd_")

    def deselect_numeric_notes(self, notes: list[Any]) -> None:
        assert self._steps[-1] == "planned"
        assert all(isinstance(n, numerical_note) for n in notes)
        self._bar(notes)

    def deselect_behavior_notes(self, notes: list[Any]) -> None:
        assert self._steps[-1] == "planned"
        assert all(isinstance(n, behavior_note) for n in notes)
        self._bar(notes)

    def _bar(self, notes: list[Any]) -> None:
        self._barred |= {name for name, (has, _) in KERNELS.items() if has & set(notes)}

    def deselect_workspace_greater_than(self, workspace_limit: int) -> None:
        assert self._steps[-1] == "planned"
        assert type(workspace_limit) is int
        self._limit = workspace_limit

    def check_support(self) -> None:
        self._next("supported", "planned")

    def get_execution_plan_count(self) -> int:
        return len(KERNELS)

    def get_plan_name_at_index(self, index: int) -> str:
        return list(KERNELS)[index]

    def build_plan_at_index(self, index: int) -> None:
        assert self._steps[-1] == "supported"
        name = self.get_plan_name_at_index(index)
        if name in self._barred:
            raise cudnnGraphNotSupportedError(f"{name} is deselected")
        if self._limit is not None and self._size(name) > self._limit:
            raise cudnnGraphNotSupportedError(f"{name} needs too much workspace")
        if name in Machine.unbuildable:
            raise RuntimeError(f"{name} cannot be compiled")
        self._kernel = name
        self._next("built", "supported")
        Machine.built += 1

    def _size(self, name: str) -> int:
        return KERNELS[name][1] * self._roles()[0].dim[0]

    def get_workspace_size(self) -> int:
        assert self._kernel is not None
        return self._size(self._kernel)

    def execute(
        self, tensor_dict: dict[int, int], workspace: int | None = None, handle: Any = None
    ) -> None:
        assert self._steps[-1] == "built"
        assert isinstance(handle, Handle)
        if Machine.broken:
            raise RuntimeError(Machine.broken)
        needed = dict((*self._inputs.items(), (self._last.uid, None)))
        assert tensor_dict.keys() == needed.keys()
        assert all(type(address) is int for address in tensor_dict.values())
        size = self.get_workspace_size()
        assert (workspace is None) == (size == 0)
        assert size == 0 or Machine.space[workspace] >= size
        Machine.stream = handle.stream
        Machine.ran.append((" ".join(name for name, _ in self._done), self._kernel))
        self._last.view(tensor_dict[self._last.uid])[...] = self._result(tensor_dict)

    def _result(self, addresses: dict[int, int]) -> np.ndarray:
        name, given = self._done[0]
        read = {id(t): t.view(addresses[uid]).astype(np.float64) for uid, t in self._inputs.items()}
        image, kernel, output = (read.get(id(role)) for role in self._roles())
        pairs = list(zip(given["pre_padding"], given["post_padding"]))
        groups = self._roles()[0].dim[1] // self._roles()[1].dim[1]
        options = (given["stride"], pairs, given["dilation"], groups)
        if name == "conv_fprop":
            result = reference.conv(image, kernel, None, *options)
        elif name == "conv_dgrad":
            blank = np.zeros(self._last.dim)
            result = reference.conv_gradients(blank, kernel, output, *options)[0]
        else:
            blank = np.zeros(self._last.dim)
            result = reference.conv_gradients(image, blank, output, *options)[1]
        for name, given in itertools.islice(self._done, 1, None):
            result = result + read[id(given["bias"])] if name == "bias" else np.maximum(result, 0)
        return result


def module() -> ModuleType:
    """A module to stand in the place of ``cudnn``."""
    made = ModuleType("cudnn")
    for name in (
        "__version__",
        "backend_version",
        "behavior_note",
        "create_handle",
        "cudnnGraphNotSupportedError",
        "data_type",
        "heur_mode",
        "numerical_note",
        "pygraph",
        "set_stream",
    ):
        setattr(made, name, globals()[name])
    return made
