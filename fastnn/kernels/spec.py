"""What every backend agrees on: codes, the parameter layout, the update rule and the kernel table.

The records of activations, losses, optimizers and metrics stand in records.py. A backend receives these tuples and
trusts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .records import ACTIVATION_RECORDS as ACTIVATION_RECORDS
from .records import ACTIVATIONS as ACTIVATIONS
from .records import ADAM as ADAM
from .records import BINARY_CROSS_ENTROPY as BINARY_CROSS_ENTROPY
from .records import COSINE as COSINE
from .records import CROSS_ENTROPY as CROSS_ENTROPY
from .records import EUCLIDEAN as EUCLIDEAN
from .records import IDENTITY as IDENTITY
from .records import LEAKY_RELU as LEAKY_RELU
from .records import LOSSES as LOSSES
from .records import MANHATTAN as MANHATTAN
from .records import MEAN_SQUARED_ERROR as MEAN_SQUARED_ERROR
from .records import METRICS as METRICS
from .records import MOMENTUM as MOMENTUM
from .records import NESTEROV as NESTEROV
from .records import OPTIMIZERS as OPTIMIZERS
from .records import QUADRATIC as QUADRATIC
from .records import RELU as RELU
from .records import SGD as SGD
from .records import SIGMOID as SIGMOID
from .records import SLOTS as SLOTS
from .records import SOFTMAX as SOFTMAX
from .records import TANH as TANH

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register
PENALTY_PARTS = 5  # in which a penalty is summed: native's splits, and one for the layers after the first

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


class Net(NamedTuple):
    """A network's shape and where its parameters lie in the flat vector ``params``.

    Layer l maps sizes[l] inputs to sizes[l+1] outputs. Its weights are input-major: the weight from input i to
    output j is params[weights[l] + i * strides[l] + j]; its bias for output j is params[biases[l] + j]. Each row
    is padded to a multiple of 64 bytes, and the padding is zero and stays zero.
    """

    sizes: IntArray  # (layers + 1,)
    activations: IntArray  # (layers,) codes into ACTIVATIONS
    alphas: NDArray[np.float64]  # (layers,) the numbers of those activations that have one, at least 0
    loss: int  # code into LOSSES
    weights: IntArray  # (layers,) offset of each weight matrix
    biases: IntArray  # (layers,) offset of each bias vector, -1 where there is none
    strides: IntArray  # (layers,) elements from one input's row to the next
    # Offset of the row sums of W0, sum_i W0[i] (strides[0],), -1 where there are none: a cache that is the caller's to
    # keep. For a row x of which most inputs are c, x W0 = c sum_i W0[i] + sum_i (x_i - c) W0[i], whose last sum reads
    # few rows. ``forward`` of a single row may use it, and nothing else does.
    row_sums: int = -1
    # Whether the error dL/da of the outputs itself goes back through the last layer's weights, in place of
    # delta = dL/dz: of a loss that is computed from a, with an elementwise activation. What loss_grad returns is then
    # what training follows, and no gradient of anything.
    propagates_error: bool = False
    # Of cross_entropy and binary_cross_entropy alone, if above 0: in the value of the loss, though not in its gradient,
    # the probabilities are no less than this and no more than 1 - this. Source: log_loss of scikit-learn's perceptrons.
    least_probability: float = 0.0


class Rule(NamedTuple):
    """How a gradient g of the mean batch loss becomes an update of w, by the optimizer's equation in records.py.

    That of a layer's weights, not of its biases, has ``l2 * w + l1 * sign(w)`` added. Then it is clipped (Pascanu,
    Mikolov & Bengio 2013): each element to +-``clip_value``; each matrix of weights and each vector of biases, times
    ``clip_norm`` / its norm where that is less than 1; or all of them together, likewise, by ``global_clip_norm``. At
    most one of the three is other than 0. Before the optimizer's update, of weights and biases,
    w -= learning_rate * ``weight_decay`` * w.
    """

    optimizer: int  # code into OPTIMIZERS
    learning_rate: float
    momentum: float = 0.0
    l2: float | tuple[float, ...] = 0.0  # one for all layers, or one for each
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    step: int = 0  # updates already made: t of the next update is step + 1
    l1: float | tuple[float, ...] = 0.0  # as l2
    weight_decay: float = 0.0
    clip_value: float = 0.0
    clip_norm: float = 0.0
    global_clip_norm: float = 0.0

    def scaled(self, factor: float) -> Rule:
        """The same with l1 and l2 multiplied by a factor."""
        if factor == 1:
            return self
        l1, l2 = (
            tuple(factor * part for part in penalty) if isinstance(penalty, tuple) else factor * penalty
            for penalty in (self.l1, self.l2)
        )
        return self._replace(l1=l1, l2=l2)

    def by_layer(self, penalty: float | tuple[float, ...], layers: int) -> tuple[float, ...]:
        """A factor of l1 or l2 for each of the layers."""
        return penalty if isinstance(penalty, tuple) else (penalty,) * layers


class EpochResult(NamedTuple):
    """What an epoch returns. ``batches`` below the expected count: batch ``batches`` had a non-finite loss."""

    loss: float  # sum over the samples of each one's loss, measured before its batch's update
    correct: int  # samples whose largest output was their class
    batches: int  # updates made


class Dropout(NamedTuple):
    """Which outputs of the hidden layers a training sample keeps (inverted dropout; Srivastava et al. 2014).

    Hidden layer l's output goes on multiplied by scales[l], usually 1 / (1 - rate), where ``kept`` is 1, and as zero
    where it is 0. Sample i's layers lie one after the other in kept[i], as long as their rows in ``params``.
    """

    kept: NDArray[np.uint8]  # (n, sum of the hidden layers' strides), of 0 and 1
    scales: NDArray[np.float64]  # (hidden layers,)


class BlockCSC(NamedTuple):
    """The nonzeros of every batch of X by blocks of 4 inputs (columns): block-CSC, as the native backend lays it out.

    It is made once for a training whose epochs all take the same batches.
    """

    nonzeros: NDArray[np.uint8]
    scale: float  # the inputs are so many times their bytes


@dataclass(frozen=True, eq=False, slots=True)
class CSR:
    """Rows (n, columns) by their nonzeros: compressed sparse rows, of the parameters' dtype.

    Row i has values[k] in column indices[k] for k from indptr[i] to before indptr[i + 1], its columns ascending.
    """

    indptr: IntArray  # (n + 1,), which may begin and end anywhere in the nonzeros
    indices: NDArray[np.int32]  # (nonzeros,)
    values: NDArray[Any]  # (nonzeros,)
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.columns

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def lengths(self) -> IntArray:
        """(n,) how many nonzeros each row has."""
        return np.diff(self.indptr)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, rows: slice | IntArray) -> CSR:
        """Some rows: of a slice without steps, a view."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return replace(self, indptr=self.indptr[start : max(start, stop) + 1])
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return CSR(indptr, self.indices[places], self.values[places], self.columns)


Rows = NDArray[Any] | CSR


class Data(NamedTuple):
    """A data set as kernels take it: rows, labels or targets, and factors of the rows' losses.

    uint8 rows are multiplied by ``scale``. Of the loss a batch takes the mean over its rows, whatever their factors.
    """

    X: Rows  # (n, inputs) uint8 or of the parameters' dtype, C-contiguous; or CSR
    scale: float
    y: NDArray[Any]  # (n,) int32 labels, or (n, outputs) targets of the parameters' dtype
    weights: FloatArray | None = None  # (n,) factors, of the parameters' dtype
    block_csc: BlockCSC | None = None  # of X in batches, to save work; see EpochArgs.order

    @property
    def dense(self) -> NDArray[Any]:
        """X, for whoever has made the data of an array."""
        assert isinstance(self.X, np.ndarray)
        return self.X


class EpochArgs(NamedTuple):
    """How an epoch goes through its data: ``order`` in batches of ``batch_size``, of which the last may be smaller.

    Where the data have ``block_csc``, it is that of batches of ``batch_size``, and ``order`` is ascending rows without
    a gap, from the first of some batch to the last of another.
    """

    order: IntArray  # (rows to visit,)
    batch_size: int
    rule: Rule
    dropout: Dropout | None = None
    rates: NDArray[np.float64] | None = None  # (batches,) learning rates in place of the rule's
    outputs: FloatArray | None = None  # (rows to visit, outputs), written: each one's before its batch's update
    penalty_factors: NDArray[np.float64] | None = None  # (batches,) of the rule's l1 and l2 in each batch's update
    # (batches, PENALTY_PARTS), zeros at first, written: parts whose sum is the penalty before each batch's update.
    penalties: NDArray[np.float64] | None = None


class LayerGrads(NamedTuple):
    """What ``layer_grad`` writes."""

    params: FloatArray  # dL/d params, laid out as these are
    X: FloatArray  # (n, inputs) dL/dX; of uint8 rows, dL/d of the scaled ones


class TrainPlan(NamedTuple):
    """How the native backend trains; see its ``plan_training``. The words are those of plan_train.h."""

    purpose: str  # "training", "gradient", "outputs", "layer gradient"
    regime: str  # "online blocks", "short batches", "long batches", "blocks"
    inputs: str  # "dense", "block-CSC", "stored block-CSC", "micro-batches", "online micro-batches", "CSR"
    offset: str  # "none", "column offset", "constant offset"
    split: str  # "nothing", "inputs" (K), "outputs" (N), "samples"
    splits: int
    weights: str  # "in place", "packed panels", "thread-local", "thread-local panels"
    # "none", "fused SGD", "fused optimizer", "lazy optimizer", "reduce then apply", "deferred", "added to the gradient"
    update: str
    reads_ahead: bool  # the next batch's inputs while threads wait for one another
    threads: int
    block: int  # samples that go through the network together
    span: int  # online blocks from one deferred update to the next
    samples_sharing: int  # samples that share an index of active inputs, in the densities
    density: float | None  # share of active input blocks, None where it did not matter
    offset_density: float | None  # the same less the column offset


class Codes(NamedTuple):
    """A short code of every row x and every query q, which bounds distances from below:

    |q - x| >= scale * (|query code - row code| - query_error - row_error),

    where |.| is the Euclidean norm, and for the cosine metric q and x stand for q / |q| and x / |x|. Without loss, a
    row whose bound is above the k-th distance found so far need not be looked at. Finer codes, if there are any, are
    longer, so that they rule out more of what these leave.
    """

    rows: NDArray[np.uint8]  # (n, width)
    row_errors: NDArray[np.float32]  # (n,)
    queries: NDArray[np.uint8]  # (q, width)
    query_errors: NDArray[np.float32]  # (q,)
    scale: float
    most_verified: float  # share of a query's rows within the bound above which a backend may do without the codes
    finer: Codes | None = None  # with errors and a scale of their own; the first codes' most_verified counts


class SearchPlan(NamedTuple):
    """How the native backend searches; see its ``plan_search``. The words are those of plan_search.h."""

    scan: str  # what rows are compared by: "codes", "bytes", "reals" (tiles of products) or "pairs" (one by one)
    plain_scan: str  # the same without codes, and where these turn out to rule out too little
    queries: str  # of the scan: a single one "alone", in whole "tiles" or in "micro-batches"
    plain_queries: str
    most_active: float  # micro-batches only where less than this share of their byte blocks is not zero
    dot: str  # what multiplies bytes and codes: "madd", "vnni" or "amx"
    tile_queries: int  # queries of a tile
    seeds: int  # rows with the nearest codes that each query looks at first
    finer_codes: int  # that candidates go through, each ruling out more
    most_verified: float  # the share of a query's rows left by the codes above which these are given up, once there are
    grace: float  # more than so many
    refine_cost: float  # of comparing finer codes, in terms of computing a distance
    buffer: int  # rows that wait to be selected from; 0: each is inserted among the k best
    seed_buffer: int
    unit_rows: int  # rows whose unit vectors are kept at a time, for the cosine metric
    split: str  # what threads share out: blocks of "queries", or the "rows"
    threads: int
    block: int  # queries that are compared with a tile of rows at a time
    blocks: int
    parts: int  # of the rows


class Grid(NamedTuple):
    """What the bytes of codes stand for: byte c in place j of u(v) for low[j] + c * scale; see neighbors/codes.py."""

    mean: FloatArray  # (d,) of the rows: v is what they are less it; (0,) where they are v already
    low: FloatArray  # (width,), whose dtype is that of the arithmetic
    scale: float
    offset: float  # the norm of what rows cancel with: |mean|, or of the ends of the codes


Tick = Callable[[int], None]  # called now and then with the number of batches finished


class Capabilities(NamedTuple):
    """What only some backends can do. Where one is None or False, callers do without, with the same results."""

    # prepare_rows(X, scale, outputs, epochs, batch_size): (X, scale, block_csc), the same rows to a rounding, as
    # `epochs` of training `outputs` units read them fastest; batch_size: of batches that come again every epoch, or 0.
    prepare_rows: Callable[[NDArray[Any], float, int, int, int], tuple[NDArray[Any], float, BlockCSC | None]] | None = (
        None
    )

    # pack_pairs(pairs, inputs, outputs): the bytes, scale, targets and places of a list of columns (x, y); see native.
    pack_pairs: (
        Callable[[list[Any], int, int], tuple[NDArray[np.uint8], float, NDArray[np.float64], IntArray] | None] | None
    ) = None

    # prepare(rows, to_unit, mean, v): write rows (n, d), of v's dtype or uint8, less ``mean`` (d,) into v; if
    # ``to_unit``, divided by their norms first, where these are not 0.
    prepare: Callable[[NDArray[Any], bool, FloatArray, FloatArray], None] | None = None

    # encode(rows, projected, grid, codes, finer, errors): write the codes of rows, or of R v with ``projected`` (n, m).
    encode: (
        Callable[
            [NDArray[Any], FloatArray, Grid, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]],
            None,
        ]
        | None
    ) = None

    # whole_bytes(X): rows (n, d), C-contiguous float32 or float64, as uint8 of the same values; None where none are.
    whole_bytes: Callable[[FloatArray], NDArray[np.uint8] | None] | None = None

    # Whether products of bytes go by a matrix unit, several times as fast as all else.
    matrix_unit: bool = False

    # plan_training(net, X, ...) and plan_search(metric, rows, queries, columns, k, dtype, ...): see native.
    plan_training: Callable[..., TrainPlan] | None = None
    plan_search: Callable[..., SearchPlan] | None = None

    vector_bytes: int = 0  # of the instruction set in use, where the backend knows it


class Kernels(Protocol):
    """The kernel table: the same functions with the same signatures in every backend.

    X is (n, sizes[0]), C-contiguous, either of the parameters' dtype or uint8; uint8 is multiplied by ``scale``. Where
    it may be CSR, of the parameters' dtype, its zeros cost nothing.
    y is (n,) int32 class indices or (n, sizes[-1]) targets of the parameters' dtype. ``params``, ``state`` and
    ``grad`` start at 64-byte boundaries, as :func:`fastnn.kernels.params.aligned_zeros` makes them.
    """

    name: str  # under which get_backend gives it
    capabilities: Capabilities

    def describe(self) -> str:
        """Say in a few words what the kernels run on."""

    def forward(self, net: Net, params: FloatArray, X: Rows, scale: float, out: FloatArray) -> bool:
        """Write the network's outputs for every row of X into ``out`` (n, sizes[-1]); return whether all are finite."""

    def loss_grad(self, net: Net, params: FloatArray, data: Data, grad: FloatArray) -> float:
        """Return the mean loss over the rows and write its gradient, laid out as ``params``, into ``grad``."""

    def train_epoch(
        self,
        net: Net,
        params: FloatArray,
        state: FloatArray,
        data: Data,
        epoch: EpochArgs,
        tick: Tick | None = None,
    ) -> EpochResult:
        """Visit the rows of ``epoch``, updating ``params`` and ``state`` (slots, params.size) in place batch by batch.

        ``tick`` is called between batches, at least every 0.1 s of work unless one batch takes longer, and may raise;
        the parameters are then those of the last finished batch. Where a signal ends the epoch, native calls it before
        it raises what the signal's handler has raised. A backend may take subnormal numbers for zeros.
        """

    def layer_grad(
        self,
        net: Net,
        params: FloatArray,
        X: NDArray[Any],
        scale: float,
        outputs: FloatArray,
        output_grad: FloatArray,
        grads: LayerGrads,
    ) -> None:
        """The way back through one layer, which is all that ``net`` has, for programs that go layer by layer.

        ``outputs`` (n, sizes[1]) are the layer's for X, and ``output_grad`` is dL/d outputs. Written are
        ``grads``. The activation is elementwise, and its derivative one of its outputs. Signals are heard afterwards.
        """

    def neighbors(
        self,
        metric: int,
        X: NDArray[Any],
        Q: NDArray[Any],
        codes: Codes | None,
        limit: float,
        values: NDArray[np.float64],
        indices: IntArray,
    ) -> None:
        """For every query find the k rows of X with the least values, ascending; equal values by ascending index.

        X is (n, d) and Q (q, d), C-contiguous, of one dtype: uint8, float32 or float64. The value is, in float64,
        sum (q - x)^2 for EUCLIDEAN, sum |q - x| for MANHATTAN and 1 - q.x / (|q| |x|) for COSINE, 1 where a norm is
        0. Of uint8 the sums are exact; of floats the differences are summed in float64: for COSINE,
        sum (q / |q| - x / |x|)^2 / 2 with the :func:`unit_vectors`. Rows that are exactly proportional, by a positive
        factor, have exactly the same values. Only rows with value <= limit count. Written are ``values`` and
        ``indices``, (q, k), with inf and -1 in the places for which there are no rows. ``codes`` may save work and
        changes no result; it is None for MANHATTAN. Signals are heard at least every 0.1 s.
        """


def layout(
    sizes: Sequence[int],
    activations: Sequence[str],
    loss: str,
    bias: bool | Sequence[bool],
    dtype: np.dtype[Any],
    alphas: Sequence[float] | None = None,
) -> tuple[Net, int]:
    """Place a network's parameters, with biases in all layers, none, or those that ``bias`` names one by one.

    ``alphas`` are the numbers of the activations, which have those of their records if it is None.
    Returns the net and the number of elements of its ``params``.
    """
    biased = [bias] * len(activations) if isinstance(bias, bool) else bias
    lanes = ALIGNMENT // dtype.itemsize
    weights, biases, strides, end = [], [], [], 0
    for (fan_in, fan_out), has_bias in zip(pairwise(sizes), biased, strict=True):
        stride = -(-fan_out // lanes) * lanes
        strides.append(stride)
        weights.append(end)
        end += fan_in * stride
        biases.append(end if has_bias else -1)
        end += stride if has_bias else 0
    codes = [ACTIVATIONS.index(name) for name in activations]

    def array(values: Sequence[int]) -> IntArray:
        return np.array(values, dtype=np.int64)

    if alphas is None:
        alphas = [ACTIVATION_RECORDS[name].alpha for name in activations]
    net = Net(
        array(sizes),
        array(codes),
        np.array(alphas, dtype=np.float64),
        LOSSES.index(loss),
        array(weights),
        array(biases),
        array(strides),
    )
    return net, end


def one_layer(net: Net, layer: int) -> Net:
    """The net of one of the layers, with the parameters where they are."""
    here = slice(layer, layer + 1)
    return Net(
        net.sizes[layer : layer + 2],
        net.activations[here],
        net.alphas[here],
        net.loss,
        net.weights[here],
        net.biases[here],
        net.strides[here],
    )


def unit_vectors(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Rows (n, d) divided by their norms, in float64; those of zeros stay zero.

    They are divided by their largest elements first. The quotients of rows that are exactly proportional are of the
    same real numbers, and IEEE 754 rounds these alike: so these rows have the same unit vector, to the last bit. And
    no square overflows, or underflows while it counts.
    """
    v = rows.astype(np.float64)
    largest = np.maximum(v.max(axis=1), -v.min(axis=1))[:, np.newaxis]
    np.divide(v, largest, out=v, where=largest > 0)
    norms = np.sqrt(np.einsum("ij,ij->i", v, v))[:, np.newaxis]
    np.divide(v, norms, out=v, where=norms > 0)
    return v
