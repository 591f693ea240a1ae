"""The chapter's `BaseModel`: lists of arrays and of their gradients, which `doldari.Trainer` trains."""

import io
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from doldari.arrays import Floats, Ids
from doldari.errors import ModelFileError
from doldari.files import write_whole
from doldari.layers import Optimizer, Parameter, Parameters


class BaseModel:
    """A model whose `__init__` collects the `params` and `grads` of its layers, for `doldari.Trainer` to train.

    A subclass has forward(xs, ts), which returns the loss, and backward(), which overwrites the arrays of grads; for
    `doldari.eval_seq2seq` also generate(xs, start_id, sample_size).
    """

    params: list[Floats]
    grads: list[Floats]
    pad_id: int | None = None  # the chapter's classes take padding for a symbol like any other

    def forward(self, xs: Ids, ts: Ids) -> float:
        """Return the loss of answers ts (N, T) to questions xs (N, S)."""
        raise NotImplementedError

    def backward(self, dout: float = 1) -> Any:
        """Write the gradient of the last `forward`'s loss to `grads`."""
        raise NotImplementedError

    def forward_backward(self, xs: Ids, ts: Ids, rng: np.random.Generator | None = None) -> float:
        """Return the loss, and leave its gradient in `grads`.  The chapter has nothing that needs rng."""
        loss = float(self.forward(xs, ts))
        self.backward()
        return loss

    def update(self, optimizer: Optimizer, max_grad: float | None = None) -> float:
        """Let the optimizer change the arrays of params in place; return the gradient's norm before clipping.

        An array that stands in params twice, or once more transposed, is one weight: its gradients add up.
        """
        shared: dict[int, tuple[Floats, Parameter]] = {}  # by where an array begins in memory
        for array, gradient in zip(self.params, self.grads, strict=True):
            first, parameter = shared.setdefault(array.ctypes.data, (array, Parameter(array)))
            parameter.gradient += gradient if array.strides == first.strides else gradient.T
        flat = Parameters({str(number): parameter for number, (_, parameter) in enumerate(shared.values())})
        norm = optimizer.step(flat, max_grad)
        for array, parameter in shared.values():
            array[...] = parameter.value
        return norm

    def save_params(self, file_name: str | PathLike[str] | None = None) -> None:
        """Write params to a file of NumPy's .npz format, ClassName.npz unless it is named."""
        content = io.BytesIO()
        np.savez(content, *self.params)
        write_whole(Path(file_name or f"{type(self).__name__}.npz"), content.getvalue())

    def load_params(self, file_name: str | PathLike[str] | None = None) -> None:
        """Read params, in place, from what `save_params` wrote; ModelFileError if that does not fit this model."""
        path = Path(file_name or f"{type(self).__name__}.npz")
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = [file[f"arr_{number}"] for number in range(len(file.files))]
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, TypeError, AttributeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFileError(f"{path}: not a file that save_params wrote, or not whole") from error
        shapes, expected = [array.shape for array in arrays], [array.shape for array in self.params]
        if shapes != expected or any(array.dtype.kind != "f" for array in arrays):
            raise ModelFileError(
                f"{path}: holds arrays of the shapes {shapes}, expected floats of the shapes {expected}"
            )
        for own, array in zip(self.params, arrays, strict=True):
            own[...] = array
