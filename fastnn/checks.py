"""The only place that checks, casts or copies what a caller handed in."""

from __future__ import annotations

import math
import mmap
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgumentError, InvalidTypeError, did_you_mean
from .kernels.records import ACTIVATION_RECORDS, HIDDEN_ACTIVATIONS, LOSS_RECORDS
from .kernels.spec import ACTIVATIONS, CSR, LOSSES, FloatArray, Rows

UINT8, INT32, INT64 = np.dtype(np.uint8), np.dtype(np.int32), np.dtype(np.int64)
MOST_COLUMNS = 1 << 31  # of CSR, whose indices are int32
UINT8_SCALE = 1 / 255  # images: 0..255 becomes 0..1
LARGEST = 1e140  # of points to search among: squared distances stay finite up to 1e27 columns
FINITE_OUTPUTS = "rows for which the network's outputs are finite"
FINITE_SQUARES = "outputs and targets whose squares float64 holds"
CACHED = 1 << 17  # elements that a cache holds
JUDGED_ROWS = 1000  # of which the scale of inputs is judged
FEW_SHADES = 15  # bytes no greater than this are hardly those of an image
LEAST_WHITE = 100  # whole numbers up to something from here to 255 are likely those of an image


Checked = TypeVar("Checked")


class Inputs(NamedTuple):
    """Rows as kernels take them: C-contiguous, uint8 (to be multiplied by ``scale``) or the model's dtype."""

    X: NDArray[Any]
    scale: float


class InputRows(NamedTuple):
    """The same, which may be CSR of the model's dtype."""

    X: Rows
    scale: float


def number(
    argument: str, value: object, *, low: float, high: float = math.inf, exclusive: bool = False, below: bool = False
) -> float:
    """A finite real number with low <= value <= high (low < value if ``exclusive``, value < high if ``below``)."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise InvalidTypeError(argument, "a number", type(value).__name__)
    try:
        result = float(value)
    except OverflowError:  # an int or Fraction beyond float64
        result = math.inf
    low_ok = result > low if exclusive else result >= low
    high_ok = result < high if below else result <= high
    if not (math.isfinite(result) and low_ok and high_ok):
        bounds = f"{'above' if exclusive else 'at least'} {low:g}"
        if math.isfinite(high):
            bounds += f" and {'below' if below else 'at most'} {high:g}"
        raise InvalidArgumentError(argument, f"a finite number {bounds}", value)
    return result


def integer(argument: str, value: object, *, low: int) -> int:
    """An integer (of Python or NumPy) that is at least ``low``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise InvalidTypeError(argument, "an integer", type(value).__name__)
    if value < low:
        raise InvalidArgumentError(argument, f"an integer of at least {low}", value)
    return int(value)


def boolean(argument: str, value: object) -> bool:
    """True or False (of Python or NumPy)."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidTypeError(argument, "True or False", type(value).__name__)
    return bool(value)


def one_or_each(
    argument: str, value: object, count: int, expected: str, check: Callable[[str, object], Checked]
) -> Checked | list[Checked]:
    """What ``check`` makes of one value for all or of ``count`` values, one for each; ``expected`` has a {} for it."""
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return check(argument, value)
    if len(value) != count:
        raise InvalidArgumentError(argument, expected.format(count), f"{len(value)} of them")
    return [check(f"{argument}[{i}]", each) for i, each in enumerate(value)]


def biases(value: object, layers: int) -> bool | list[bool]:
    """Whether layers have biases: True, False, or one of them for each layer."""
    return one_or_each("bias", value, layers, "True, False, or {} of them, one per layer", boolean)


def functions(argument: str, values: object) -> list[Callable[..., object]]:
    """A list of things to call."""
    try:
        result = list(cast(Iterable[Any], values))
    except TypeError:  # an array () is iterable by its class alone
        raise InvalidTypeError(argument, "a sequence of functions", type(values).__name__) from None
    for i, value in enumerate(result):
        if not callable(value):
            raise InvalidTypeError(f"{argument}[{i}]", "a function", type(value).__name__)
    return result


def choice(argument: str, value: object, names: Sequence[str]) -> str:
    """One of ``names``."""
    if not isinstance(value, str):
        raise InvalidTypeError(argument, f"one of {', '.join(names)}", type(value).__name__)
    if value not in names:
        raise InvalidArgumentError(argument, f"one of {', '.join(names)}", f"{value!r}{did_you_mean(value, names)}")
    return value


def layer_sizes(sizes: object) -> list[int]:
    """At least two positive layer sizes."""
    one_dimensional = getattr(sizes, "ndim", 1) == 1  # of arrays and memory views
    if isinstance(sizes, str) or not isinstance(sizes, Sequence | np.ndarray) or not one_dimensional:
        raise InvalidTypeError("sizes", "a sequence of layer sizes such as [784, 30, 10]", type(sizes).__name__)
    if len(sizes) < 2:
        raise InvalidArgumentError("sizes", "at least an input and an output size", f"{len(sizes)} of them")
    return [integer(f"sizes[{i}]", size, low=1) for i, size in enumerate(sizes)]


def architecture(sizes: list[int], activation: object, output: object, loss: object) -> tuple[list[str], str]:
    """Resolve one activation per layer and the loss; see :class:`fastnn.MLP` for the defaults."""
    hidden_count = len(sizes) - 2
    if isinstance(activation, str):
        hidden = [choice("activation", activation, HIDDEN_ACTIVATIONS)] * hidden_count
    elif isinstance(activation, Sequence):
        if len(activation) != hidden_count:
            raise InvalidArgumentError("activation", f"{hidden_count} names, one per hidden layer", len(activation))
        hidden = [choice(f"activation[{i}]", name, HIDDEN_ACTIVATIONS) for i, name in enumerate(activation)]
    else:
        raise InvalidTypeError("activation", "a name or one name per hidden layer", type(activation).__name__)
    if loss is not None:
        loss = choice("loss", loss, LOSSES)
    if output is not None:
        output = choice("output", output, ACTIVATIONS)
    if loss is None:
        if output is None:
            loss = "cross_entropy" if sizes[-1] > 1 else "binary_cross_entropy"
        else:
            loss = ACTIVATION_RECORDS[output].loss
    record = LOSS_RECORDS[loss]
    if output is None:
        output = record.output
    if record.fused and output != record.output:
        raise InvalidArgumentError("output", f"{record.output!r} for loss {loss!r}", repr(output))
    if output == "softmax" and sizes[-1] == 1:
        raise InvalidArgumentError("output", "at least two outputs for softmax (or output='sigmoid')", "one output")
    return [*hidden, output], loss


def float_dtype(dtype: object) -> np.dtype[Any]:
    """float32 or float64."""
    if dtype is None:  # which NumPy takes for float64
        raise InvalidTypeError("dtype", "'float32' or 'float64'", None)
    try:
        resolved = np.dtype(dtype)  # type: ignore[call-overload]  # whatever the caller gave
    except TypeError:
        raise InvalidTypeError("dtype", "'float32' or 'float64'", repr(dtype)) from None
    if resolved not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InvalidArgumentError("dtype", "'float32' or 'float64'", repr(str(resolved)))
    return resolved


def numeric_array(argument: str, values: object) -> NDArray[Any]:
    """An array of real numbers, not copied where ``values`` already is one."""
    array = _array(argument, values, "a rectangular array of numbers")
    if array.dtype.kind not in "buif":
        raise InvalidTypeError(argument, "an array of real numbers", f"dtype {array.dtype}")
    return array


def _array(argument: str, values: object, expected: str) -> NDArray[Any]:
    """What NumPy makes an array of, but for what is masked: it would take the numbers below the mask."""
    if type(values) is np.ndarray:
        return values
    if isinstance(values, np.ma.MaskedArray) and (count := int(np.count_nonzero(np.ma.getmaskarray(values)))):
        raise InvalidArgumentError(argument, "an array of which nothing is masked", f"{count} masked")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InvalidArgumentError(argument, expected, str(error)) from None


def is_sparse(values: object) -> bool:
    """Whether this is a sparse matrix or array as SciPy has them, in whatever form."""
    return isinstance(getattr(values, "format", None), str) and hasattr(values, "tocsr")


def numeric_rows(argument: str, values: object) -> Rows:
    """The same as :func:`numeric_array`, or CSR of a sparse matrix in that form, of its own dtype."""
    if type(values) is np.ndarray or not is_sparse(values):
        return numeric_array(argument, values)
    if cast(Any, values).format != "csr":
        found = type(values).__name__
        raise InvalidTypeError(argument, "an array, or a sparse one in CSR form, as its tocsr() gives", found)
    return csr(argument, values)


def csr(argument: str, matrix: Any) -> CSR:
    """A sparse matrix in CSR form, which is SciPy's or has the same attributes, its columns ascending in each row.

    Values in one place are added up. The matrix is not changed; its arrays are copied only where they are not so.
    """
    indptr, indices, values = (numeric_array(argument, part) for part in (matrix.indptr, matrix.indices, matrix.data))
    if len(matrix.shape) != 2 or indptr.shape != (matrix.shape[0] + 1,) or {values.ndim, indices.ndim} != {1}:
        raise InvalidArgumentError(argument, "a matrix in CSR form", f"shape {matrix.shape}, indptr {indptr.shape}")
    count, columns = int(indptr[-1]), matrix.shape[1]
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any() or count > min(len(indices), len(values)):
        found = f"{indptr.min()} to {indptr.max()} for {min(len(indices), len(values))} values"
        raise InvalidArgumentError(argument, "an indptr that ascends from 0 to the number of values", found)
    indices, values = indices[:count], values[:count]
    if count and not (indices.min() >= 0 and indices.max() < min(columns, MOST_COLUMNS)):
        found = f"{indices.min()} to {indices.max()}"
        raise InvalidArgumentError(argument, f"indices from 0 to {min(columns, MOST_COLUMNS) - 1}", found)
    ascends = indices[1:] > indices[:-1]
    starts = indptr[1:-1]
    ascends[starts[(starts > 0) & (starts < count)] - 1] = True  # from the last of a row to the first of the next
    if not ascends.all():
        canonical = matrix.copy()
        canonical.sum_duplicates()
        indptr, indices, values = canonical.indptr, canonical.indices, canonical.data
    return CSR(for_kernels(indptr, INT64), for_kernels(indices, INT32), for_kernels(values), columns)


def for_kernels(array: NDArray[Any], dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    """The array as C reads it, of ``dtype`` or else its own: C-contiguous, aligned; a copy only where it is not so.

    A number beyond ``dtype`` becomes infinite, without a warning: whoever finds the result not finite blames the array.
    """
    if dtype is not None and array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize:
        with np.errstate(over="ignore"):
            result = np.ascontiguousarray(array, dtype)
    else:
        result = np.ascontiguousarray(array, dtype)
    return result if result.flags.aligned else result.copy()


def pixels(argument: str, values: object) -> NDArray[Any]:
    """The same, but a list of whole numbers 0..255, or of lists of them, becomes uint8, and in a fourth of the time.

    The array may be read-only.
    """
    if type(values) in (list, tuple):
        listed = cast(Sequence[Any], values)
        nested = bool(listed) and type(listed[0]) in (list, tuple)
        try:  # bytes() refuses all but whole numbers 0..255
            if not nested:
                return np.frombuffer(bytes(listed), np.uint8)
            rows = [bytes(row) for row in listed if type(row) in (list, tuple)]
            if len(rows) == len(listed) and len(set(map(len, rows))) == 1:
                return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        except (TypeError, ValueError):
            pass
    return numeric_array(argument, values)


def ink(argument: str, values: object, faint: float) -> NDArray[np.float32]:
    """What a drawing (height, width) has of ink, from 0 to 1, in some pixel more than is ``faint``."""
    array = numeric_array(argument, values)
    if array.ndim != 2 or not array.size:
        raise InvalidArgumentError(argument, "a drawing of shape (height, width)", f"shape {array.shape}")
    if not (array.min() >= 0 and array.max() <= 1):  # nor where one is NaN
        raise InvalidArgumentError(argument, "numbers from 0 to 1", f"{array.min()} to {array.max()}")
    if not array.max() > faint:
        raise InvalidArgumentError(argument, f"some ink above {faint:g}", f"at most {float(array.max()):g}")
    return for_kernels(array, np.dtype(np.float32))


def inputs(argument: str, X: object, width: int, dtype: np.dtype[Any], *, uint8_scale: float = UINT8_SCALE) -> Inputs:
    """Rows of ``width`` numbers. uint8 stays uint8 (memory-mapped stays on disk), all else becomes ``dtype``."""
    return rows(argument, numeric_array(argument, X), width, dtype, uint8_scale)


def input_rows(argument: str, array: Rows, width: int, dtype: np.dtype[Any]) -> InputRows:
    """The same of what :func:`numeric_rows` has returned, where bytes of CSR become ``dtype``."""
    if not isinstance(array, CSR):
        return InputRows(*rows(argument, array, width, dtype))
    if array.columns != width:
        raise InvalidArgumentError(argument, f"shape (n, {width})", f"shape {array.shape}")
    values = for_kernels(array.values, dtype)
    if array.dtype == UINT8:
        values = values * dtype.type(UINT8_SCALE)
    return InputRows(replace(array, values=values), 1.0)


def rows(
    argument: str, array: NDArray[Any], width: int, dtype: np.dtype[Any], uint8_scale: float = UINT8_SCALE
) -> Inputs:
    """The same of what :func:`numeric_array` has returned; a single row is so quick that no check is made twice."""
    if array.ndim != 2 or array.shape[1] != width:
        raise InvalidArgumentError(argument, f"shape (n, {width})", f"shape {array.shape}")
    if array.dtype == UINT8:
        return Inputs(for_kernels(array), uint8_scale)
    return Inputs(for_kernels(array, dtype), 1.0)


def doubtful_scale(X: NDArray[Any]) -> tuple[bool, str]:
    """Whether rows X, as the caller has them, settle how they are scaled; and what to say if that may not be meant.

    uint8 is divided by 255, which is wrong for a table of small numbers; pixels 0..255 of any other type are not.
    """
    some = X[:: max(1, -(-len(X) // JUDGED_ROWS))]
    if not some.size:
        return False, ""
    high = some.max()
    if X.dtype == UINT8:
        if not 0 < high <= FEW_SHADES:
            return bool(high), ""
        return True, (
            f"uint8 numbers are taken for pixels and divided by 255, but none of these exceeds {high}. If they are no "
            "pixels, pass X.astype('float32'), which is used as it is; if they are, stretch them to 0..255 first, as "
            f"by X * {255 // int(high)}"
        )
    if not LEAST_WHITE <= high <= 255 or some.min() < 0 or (some != np.floor(some)).any():
        return False, ""
    return True, (
        f"numbers of type {X.dtype} are used as they are, but these are whole numbers up to {high:g}, as pixels are. "
        "If they are pixels, pass X.astype('uint8'), which is divided by 255, or X / 255"
    )


def is_on_disk(array: Rows) -> bool:
    """Whether an array is a view of a memory-mapped file."""
    base: object = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap | mmap.mmap)


def sample_or_rows(argument: str, values: object, width: int, dtype: np.dtype[Any]) -> Inputs:
    """One sample (width,), which becomes a row, or rows of ``width`` numbers; uint8 stays 0..255."""
    if type(values) is np.ndarray and values.dtype is dtype and values.shape == (width,):
        # quick, for every sample: Inputs(...) itself would take twice as long
        flags = values.flags
        row = values if flags.c_contiguous and flags.aligned else for_kernels(values)
        return tuple.__new__(Inputs, (row[np.newaxis], 1.0))
    array = numeric_array(argument, values)
    if array.ndim == 1:
        array = array[np.newaxis]
    return inputs(argument, array, width, dtype, uint8_scale=1.0)


def columns(argument: str, values: object, height: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], float]:
    """Columns of ``height`` numbers as :class:`Inputs`, or a tuple like it; uint8 stays 0..255."""
    array = values if type(values) is np.ndarray else numeric_array(argument, values)
    if array.ndim != 2 or len(array) != height:
        raise InvalidArgumentError(argument, f"shape ({height}, 1), or ({height}, n) for n columns", array.shape)
    if array.dtype == dtype:  # a single column is called for so often that each check counts
        return for_kernels(array.T), 1.0
    return inputs(argument, array.T, height, dtype, uint8_scale=1.0)


def targets(
    argument: str, y: object, count: int, outputs: int, dtype: np.dtype[Any], *, rows_of: str = "X"
) -> NDArray[Any]:
    """Class labels as int32 (n,), or targets (n, outputs) of ``dtype``. With one output, y (n,) holds targets.

    Labels (n,) or (n, 1) are whole numbers of any type. They come back as a copy: as C takes them for indices, nobody
    else may change them once they are checked.
    """
    array = numeric_array(argument, plain_array(argument, y))
    if len(array.shape) == 0 or len(array) != count:
        raise InvalidArgumentError(argument, f"{count} rows, as many as {rows_of}", f"shape {array.shape}")
    if array.ndim == 1 and outputs == 1:
        array = array[:, np.newaxis]
    if array.ndim == 2 and array.shape[1] == outputs:
        return for_kernels(array, dtype)
    array = without_column(array)
    if array.ndim != 1:
        raise InvalidArgumentError(argument, f"labels ({count},) or targets ({count}, {outputs})", array.shape)
    if array.dtype.kind == "f":
        wrong = np.flatnonzero(array != np.floor(array))
        if len(wrong):
            found = f"{array[wrong[0]]} at index {wrong[0]}"
            raise InvalidArgumentError(argument, f"integer class labels or targets ({count}, {outputs})", found)
    labels = array.copy()  # what is checked nobody else can change any more
    if count and not (labels.min() >= 0 and labels.max() < outputs):
        wrong = np.flatnonzero((labels < 0) | (labels >= outputs))
        raise InvalidArgumentError(argument, f"labels 0..{outputs - 1}", f"{labels[wrong[0]]} at index {wrong[0]}")
    return labels.astype(np.int32, copy=False)


def probabilities(argument: str, targets: NDArray[Any], *, exclusive: bool = False) -> None:
    """Refuse targets outside 0..1, for which a binary cross-entropy has no least value.

    If ``exclusive``, 0 and 1 are refused as well, which no sigmoid reaches.
    """
    inside = (targets > 0) & (targets < 1) if exclusive else (targets >= 0) & (targets <= 1)
    wrong = np.argwhere(~inside)
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        expected = "targets above 0 and below 1" if exclusive else "targets from 0 to 1"
        raise InvalidArgumentError(argument, expected, f"{targets[index]} at index {index}")


def not_negative(argument: str, targets: NDArray[Any]) -> None:
    """Refuse targets below 0."""
    if len(targets) and (targets < 0).any():
        raise InvalidArgumentError(argument, "numbers of at least 0 for a Poisson loss", targets.min())


def rows_to_train(argument: str, count: int, share: float) -> int:
    """How many of ``count`` rows are left when Keras holds out a ``share`` of them; neither part may be empty."""
    left = math.floor(count * (1.0 - share))
    if not 0 < left < count:
        raise InvalidArgumentError(argument, f"a share that leaves both parts some of {count} rows", share)
    return left


def nonempty(argument: str, count: int) -> None:
    """Refuse an empty data set."""
    if count == 0:
        raise InvalidArgumentError(argument, "at least one row", "none")


def points(argument: str, values: object, *, like: NDArray[Any] | None = None) -> NDArray[Any]:
    """Rows of finite numbers to search among, (n, d), C-contiguous, in the dtype in which they are searched.

    uint8 stays uint8; float16, bool and integers of up to 16 bits become float32; other integers, of at most 2^53, and
    all other floats float64. With ``like``: queries, of which one row may come as (d,), of like's width and dtype.
    """
    array = numeric_array(argument, values)
    if like is not None:
        width = like.shape[1]
        if array.shape == (width,):
            array = array[np.newaxis]
        if array.ndim != 2 or array.shape[1] != width:
            raise InvalidArgumentError(argument, f"shape (q, {width}), as wide as X", f"shape {array.shape}")
        if like.dtype == UINT8 and array.dtype != UINT8:
            if array.size and not ((array >= 0) & (array <= 255) & (array == np.floor(array))).all():
                raise InvalidArgumentError(argument, "whole numbers 0..255, as X is uint8", f"others, {array.dtype}")
            return for_kernels(array, UINT8)
    elif array.ndim != 2 or 0 in array.shape:
        raise InvalidArgumentError(argument, "shape (n, d) with at least one row and column", f"shape {array.shape}")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        largest = max(abs(int(array.min())), abs(int(array.max())))
        if largest > 2**53:
            raise InvalidArgumentError(argument, "integers up to 2^53, which float64 holds exactly", largest)
    if array.dtype != UINT8:
        narrow = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
        own = np.dtype(np.float32 if narrow else np.float64)
        with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes infinite and is blamed
            array = array.astype(own, copy=False)
        blame_unbounded(argument, array)
        if like is not None and like.dtype != own:
            with np.errstate(over="ignore"):
                array = array.astype(like.dtype)
            blame_unbounded(argument, array)  # a float64 beyond float32
    elif like is not None:
        array = array.astype(like.dtype, copy=False)
    return for_kernels(array)


def blame_unbounded(argument: str, array: FloatArray) -> None:
    """Raise where there is NaN or infinity, or a number whose square float64 cannot hold."""
    if array.size == 0:
        return
    step = max(1, CACHED * len(array) // array.size)
    for start in range(0, len(array), step):  # what the second look finds in the cache
        some = array[start : start + step]
        largest = max(-float(some.min()), float(some.max()))  # NaN if there is any
        if not math.isfinite(largest):
            blame_nonfinite(argument, array)
        if largest > LARGEST:
            raise InvalidArgumentError(argument, f"numbers up to {LARGEST:g}", f"{largest:g}")


def labels(argument: str, values: object, count: int | None, *, rows_of: str = "X") -> NDArray[Any]:
    """One label of any type per row, (n,); (n, 1) will do. Without a count there may be any number."""
    array = without_column(plain_array(argument, values))
    if array.ndim != 1 or len(array) != (len(array) if count is None else count):
        expected = "shape (n,)" if count is None else f"shape ({count},), one label per row of {rows_of}"
        raise InvalidArgumentError(argument, expected, f"shape {array.shape}")
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise InvalidArgumentError(argument, "finite labels", "NaN or infinity")
    return array


def plain_array(argument: str, values: object) -> NDArray[Any]:
    """An array of any type but object: names, numbers or truth values that came as objects get a type of their own.

    So it is with a column of names of pandas, whose missing values are refused.
    """
    array = _array(argument, values, "labels or a rectangular array")
    if type(values) in (list, tuple) and array.dtype.kind in "US":
        array = np.array(values, object)  # NumPy would have turned numbers among names into names
    if array.dtype.kind != "O":
        return array
    items = array.ravel().tolist()
    for kind in (str, bytes, bool | np.bool_, numbers.Integral, numbers.Real):
        if all(isinstance(item, kind) for item in items):
            plain = np.array(items, str if kind is str else None)
            if plain.dtype.kind != "O":
                return plain.reshape(array.shape)
    kinds = [type(item).__name__ for item in items]
    usual = max(set(kinds), key=kinds.count)
    odd = next((i for i, kind in enumerate(kinds) if kind != usual), 0)
    found = f"{items[odd]}, {kinds[odd]}, at index {odd}" + (f", beside {usual}" if kinds[odd] != usual else "")
    raise InvalidTypeError(argument, "names or numbers, all of one plain type, and none of them missing", found)


def are_comparable(labels: NDArray[Any], others: NDArray[Any]) -> bool:
    """Whether labels can be told from one another: both numbers, both names, or both of one other kind of type."""
    kinds = {labels.dtype.kind, others.dtype.kind}
    return len(kinds) == 1 or kinds <= set("biuf") or kinds <= set("UT")


def without_column(array: NDArray[Any]) -> NDArray[Any]:
    """A single column (n, 1) as (n,), all else as it is."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def is_range(classes: NDArray[Any]) -> bool:
    """Whether ascending classes are the integers 0, 1, ..., which are the places of the outputs themselves."""
    return classes.dtype.kind in "iu" and classes[0] == 0 and classes[-1] == len(classes) - 1


def learned_classes(argument: str, labels: NDArray[Any], count: int) -> NDArray[Any]:
    """The ``count`` classes (count,) that labels (n,) of any type are of, ascending.

    Whole numbers from 0 to count - 1 name the outputs by their places, so that some classes may be missing. All other
    labels need one of each class.
    """
    kind = labels.dtype.kind
    if kind not in "biufUT":
        raise InvalidTypeError(argument, "names (str), numbers or truth values", f"dtype {labels.dtype}")
    if kind == "b":
        return np.array([False, True]) if count == 2 else np.arange(count)
    if kind == "f" and len(wrong := np.flatnonzero(labels != np.floor(labels))):
        found = f"{labels[wrong[0]]} at index {wrong[0]}"
        raise InvalidArgumentError(argument, "class labels, which are whole numbers or names", found)
    if kind in "iuf" and (not len(labels) or (labels.min() >= 0 and labels.max() < count)):
        return np.arange(count, dtype=float if kind == "f" else np.int64)
    classes = np.unique(labels)
    if len(classes) != count:
        found = f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}: {_shown(classes)}"
        if kind in "iuf":
            wrong = np.flatnonzero((labels < 0) | (labels >= count))[0]
            found = f"{labels[wrong]} at index {wrong}, of {found}"
        raise InvalidArgumentError(argument, f"labels 0..{count - 1}, or {count} classes of other labels", found)
    if kind in "iu" and classes[-1] <= np.iinfo(np.int64).max:
        return classes.astype(np.int64, copy=False)
    return classes.astype(float if kind == "f" else str if kind in "UT" else classes.dtype, copy=False)


def are_two_others(array: NDArray[Any]) -> bool:
    """Whether numbers (n,) are two whole ones, not both of which lie from 0 to 1: labels, not targets of a sigmoid."""
    if not len(array) or (array.min() >= 0 and array.max() <= 1) or (array != np.floor(array)).any():
        return False
    low, high = array.min(), array.max()
    return bool(low < high and ((array == low) | (array == high)).all())


def doubtful_targets(argument: str, array: NDArray[Any], outputs: int) -> str | None:
    """Why y (n,) or (n, outputs) may be a regression's targets, for a model whose loss nobody has chosen; None if not.

    What can be neither labels nor probabilities is refused.
    """
    column = without_column(array)
    if array.dtype.kind not in "biuf" or not (column.ndim == 1 or array.shape[1:] == (outputs,)):
        return None
    default = "cross_entropy" if outputs > 1 else "binary_cross_entropy"
    if outputs == 1 and are_two_others(column):
        if column.dtype.kind != "f" or (column.min() >= -1 and column.max() <= 2):
            return None
        return (
            f"{argument}: the numbers {column.min():g} and {column.max():g} are taken for the labels of two classes, "
            f"by the default loss {default!r}; choose loss='mean_squared_error' for a regression, or loss={default!r} "
            "for classes"
        )
    advice = f"choose loss='mean_squared_error' for a regression, or loss={default!r} for probabilities as targets"
    is_label = outputs > 1 and column.ndim == 1
    wrong = column != np.floor(column) if is_label else (array < 0) | (array > 1)
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0].tolist())
        expected = f"{'class labels' if is_label else 'numbers from 0 to 1'} for the default loss {default!r}"
        raise InvalidArgumentError(argument, f"{expected}; {advice}", f"{array[index]} at index {index}")
    if is_label:
        return None
    doubtful = (column != 0) & (column != 1) if outputs == 1 else np.abs(array.sum(axis=1, dtype=float) - 1) > 1e-3
    if not doubtful.any():
        return None
    what = f"{column[doubtful][0]:g}" if outputs == 1 else f"{np.array2string(array[doubtful][0], threshold=5)}"
    return f"{argument}: targets such as {what} are taken for probabilities, by the default loss {default!r}; {advice}"


def places_of(argument: str, labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Where labels (n,) are in the ascending ``classes``, all of which must be of one kind of type."""
    if not are_comparable(labels, classes):
        raise InvalidTypeError(argument, f"labels of the type of the classes, {classes.dtype}", f"dtype {labels.dtype}")
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = np.flatnonzero(classes[places] != labels)
    if len(unknown):
        found = f"{labels[unknown[0]]} at index {unknown[0]}"
        raise InvalidArgumentError(argument, f"labels of the classes {_shown(classes)}", found)
    return places.astype(np.int64, copy=False)


def _shown(classes: NDArray[Any]) -> str:
    """The first of the classes, for a message."""
    return ", ".join(map(repr, classes[:5].tolist())) + (", ..." if len(classes) > 5 else "")


def counts(argument: str, values: object, most: int) -> list[int]:
    """One or several integers from 1 to ``most``."""
    one_dimensional = getattr(values, "ndim", 1) == 1  # of arrays and memory views
    several = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str) and one_dimensional
    many = list(cast(Sequence[object], values)) if several else [values]
    if not many:
        raise InvalidArgumentError(argument, "at least one integer", "none")
    found = [integer(argument if len(many) == 1 else f"{argument}[{i}]", k, low=1) for i, k in enumerate(many)]
    if max(found) > most:
        raise InvalidArgumentError(argument, f"at most {most}, the number of rows to choose from", max(found))
    return found


def folds(argument: str, values: object, count: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Pairs of training and test indices, each of them from 0 to before ``count``, and none empty."""
    try:
        pairs = iter(cast(Iterable[object], values))
    except (TypeError, NotImplementedError):  # arrays () and memory views of matrices are iterable by class alone
        raise InvalidTypeError(argument, "a number of folds or pairs of indices", type(values).__name__) from None
    found = []
    for i, pair in enumerate(pairs):
        no_pair = getattr(pair, "ndim", 1) == 0 or isinstance(pair, memoryview)
        if no_pair or not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
            raise InvalidArgumentError(f"{argument}[{i}]", "training indices and test indices", repr(pair))
        parts = [numeric_array(f"{argument}[{i}]", part) for part in pair]
        for name, part in zip(("training", "test"), parts, strict=True):
            if part.ndim != 1 or len(part) == 0 or part.dtype.kind not in "iu":
                problem = f"{part.dtype} of shape {part.shape}"
                raise InvalidArgumentError(f"{argument}[{i}]", f"{name} indices (n,)", problem)
            if part.min() < 0 or part.max() >= count:
                problem = f"{part.min()} to {part.max()}"
                raise InvalidArgumentError(f"{argument}[{i}]", f"{name} indices from 0 to {count - 1}", problem)
        found.append((parts[0], parts[1]))
    if not found:
        raise InvalidArgumentError(argument, "at least one pair of training and test indices", "none")
    return found


def parameters(argument: str, values: object, views: Sequence[FloatArray]) -> None:
    """Copy one array per layer into ``views`` after checking every shape."""
    if not isinstance(values, Sequence) or len(values) != len(views):
        found = len(values) if isinstance(values, Sequence) else type(values).__name__
        raise InvalidArgumentError(argument, f"{len(views)} arrays, one per layer", found)
    # copies, as a value may be one of the views
    arrays = [np.array(numeric_array(f"{argument}[{i}]", value)) for i, value in enumerate(values)]
    for i, (view, array) in enumerate(zip(views, arrays, strict=True)):
        if array.shape != view.shape:
            raise InvalidArgumentError(f"{argument}[{i}]", f"shape {view.shape}", f"shape {array.shape}")
        largest = np.finfo(view.dtype).max
        if array.dtype.kind == "f" and np.finfo(array.dtype).max > largest:
            beyond = np.argwhere(np.isfinite(array) & (np.abs(array) > largest))
            if len(beyond):
                index = tuple(beyond[0].tolist())
                found = f"{array[index]} at index {index}"
                raise InvalidArgumentError(f"{argument}[{i}]", f"numbers that {view.dtype} holds", found)
    for view, array in zip(views, arrays, strict=True):
        view[:] = array


def blame_nonfinite(argument: str, X: Rows) -> None:
    """Raise where X holds NaN or infinity; called only once a result is not finite, so good data costs nothing."""
    if X.dtype.kind != "f":
        return
    if isinstance(X, CSR):
        wrong = np.flatnonzero(~np.isfinite(X.values))
        if len(wrong):
            at = int(np.searchsorted(X.indptr, wrong[0], side="right")) - 1, int(X.indices[wrong[0]])
            raise InvalidArgumentError(argument, "finite numbers", f"{X.values[wrong[0]]} at index {at}")
        return
    for start in range(0, len(X), 4096):
        bad = np.argwhere(~np.isfinite(X[start : start + 4096]))
        if len(bad):
            index = (start + int(bad[0][0]), *(int(i) for i in bad[0][1:]))
            raise InvalidArgumentError(argument, "finite numbers", f"{X[index]} at index {index}")


def unsupported(argument: str, expected: str, value: object) -> NoReturn:
    """Raise for a value of an unusable type."""
    raise InvalidTypeError(argument, expected, type(value).__name__)
