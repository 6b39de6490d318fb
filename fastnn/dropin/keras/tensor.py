"""What Keras and TensorFlow return as tensors: NumPy arrays that have ``.numpy()``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Tensor(np.ndarray[Any, Any]):
    """An array of NumPy's, of which every item, sum and the like is one too, and which prints as TensorFlow's do."""

    def numpy(self) -> Any:
        """The plain array or, without axes, the number; it shares the memory."""
        return self.view(np.ndarray)[()]

    def __getitem__(self, index: Any, /) -> Any:
        return _wrapped(super().__getitem__(index))

    def __array_wrap__(self, array: NDArray[Any], context: Any = None, return_scalar: bool = False, /) -> Any:
        return _wrapped(array)  # the result of a ufunc or a reduction, also a single number

    def __str__(self) -> str:
        text = str(self.numpy())
        start = "\n" if "\n" in text else ""
        return f"tf.Tensor({start}{text}, {self._kind()})"

    def __repr__(self) -> str:
        value = self.numpy()
        text = repr(value) if self.ndim else str(value)  # a number without its type
        return f"<tf.Tensor: {self._kind()}, numpy={text}>"

    def _kind(self) -> str:
        return f"shape={self.shape}, dtype={self.dtype.name}"


def tensor(value: object, dtype: DTypeLike | None = None) -> Tensor:
    """The value as a Tensor; an array that already has the type is not copied."""
    return np.asarray(value, dtype).view(Tensor)


def _wrapped(value: Any) -> Any:
    return np.asarray(value).view(Tensor) if isinstance(value, np.generic | np.ndarray) else value
