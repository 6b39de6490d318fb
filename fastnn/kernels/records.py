"""The activations, losses, optimizers and metrics that there are, one record each.

All else follows from the records: the codes by which backends know them (a record's position), native's C enums
(:func:`c_header`, which setup.py writes into src/codes.h), the choices of MLP and of the command, and the defaults that
go with them. This module imports the standard library alone, so that ``fastnn --help`` can list the names without NumPy
and setup.py can read them without fastnn.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Activation(NamedTuple):
    """A layer's outputs a, as a function of z, its weighted inputs with the bias."""

    name: str
    equation: str
    derivative: str  # by z, in terms of a
    source: str
    elementwise: bool = True  # whether any layer may have it, not the last alone
    is_score: bool = False  # whether its outputs are scores of classes
    loss: str = "mean_squared_error"  # of a network that ends in it, where none is chosen


class Loss(NamedTuple):
    """A sample's loss L, of the outputs a and the targets y, each summed over j = 1..k, the outputs."""

    name: str
    equation: str
    source: str
    output: str  # the activation of the last layer, where none is chosen
    fused: bool = False  # whether it is computed from the z of that activation, and goes with no other


class Optimizer(NamedTuple):
    """How a gradient g of the mean batch loss becomes an update of the weights w, with spec.Rule's numbers."""

    name: str
    equation: str
    source: str
    slots: int  # state vectors as large as the parameters
    learning_rate: float  # where none is given
    momentum: float = 0.0  # where none is given; 0: it has none


class Metric(NamedTuple):
    """What nearness of a query q and a row x is measured by: the value that kernels compute and compare."""

    name: str
    equation: str
    distance: str  # in terms of the value
    source: str
    coded: bool = True  # whether spec.Codes bound it


BACKPROPAGATION = "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors"

IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, SOFTMAX = range(6)
ACTIVATION_RECORDS = {
    record.name: record
    for record in (
        Activation("identity", "a = z", "1", "linear regression"),
        Activation(
            "sigmoid",
            "a = 1 / (1 + exp(-z))",
            "a (1 - a)",
            BACKPROPAGATION,
            is_score=True,
            loss="binary_cross_entropy",
        ),
        Activation("tanh", "a = tanh(z)", "1 - a^2", "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp"),
        Activation(
            "relu",
            "a = max(0, z)",
            "1 where a > 0, else 0",
            "Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
        ),
        Activation(
            "leaky_relu",
            "a = z where z > 0, else 0.01 z",
            "1 where a > 0, else 0.01",
            "Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models",
        ),
        Activation(
            "softmax",
            "a_j = exp(z_j) / sum_k exp(z_k)",
            "da_j/dz_k = a_j ((1 where j = k, else 0) - a_k)",
            "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
            elementwise=False,
            is_score=True,
            loss="cross_entropy",
        ),
    )
}
LEAKY_SLOPE = 0.01  # of leaky_relu below 0

QUADRATIC, MEAN_SQUARED_ERROR, BINARY_CROSS_ENTROPY, CROSS_ENTROPY = range(4)
LOSS_RECORDS = {
    record.name: record
    for record in (
        Loss("quadratic", "L = sum_j (a_j - y_j)^2 / 2", "Nielsen, chapter 1, for one sample", "sigmoid"),
        Loss("mean_squared_error", "L = sum_j (a_j - y_j)^2 / k", "least squares", "identity"),
        Loss(
            "binary_cross_entropy",
            "L = -sum_j (y_j log a_j + (1 - y_j) log(1 - a_j)) = sum_j (max(z_j, 0) - z_j y_j + log(1 + exp(-|z_j|)))",
            "Nielsen, chapter 3",
            "sigmoid",
            fused=True,
        ),
        Loss(
            "cross_entropy",
            "L = -sum_j y_j log a_j = sum_j y_j (log(sum_k exp(z_k)) - z_j)",
            "Bridle 1990; Nielsen, chapter 3 (log-likelihood)",
            "softmax",
            fused=True,
        ),
    )
}

SGD, MOMENTUM, NESTEROV, ADAM = range(4)
OPTIMIZER_RECORDS = {
    record.name: record
    for record in (
        Optimizer("sgd", "w -= rate g", "Robbins & Monro 1951, A stochastic approximation method", 0, 0.1),
        Optimizer(
            "momentum",
            "v = momentum v - rate g; w += v",
            "Polyak 1964, Some methods of speeding up the convergence of iteration methods",
            1,
            0.01,
            momentum=0.9,
        ),
        Optimizer(
            "nesterov",
            "v = momentum v - rate g; w += momentum v - rate g",
            "Nesterov 1983, in the form of Sutskever et al. 2013",
            1,
            0.01,
            momentum=0.9,
        ),
        Optimizer(
            "adam",
            "m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; "
            "w -= rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)",
            "Kingma & Ba 2015, the form at the end of section 2",
            2,
            0.001,
        ),
    )
}

EUCLIDEAN, MANHATTAN, COSINE = range(3)
METRIC_RECORDS = {
    record.name: record
    for record in (
        Metric("euclidean", "sum_i (q_i - x_i)^2", "sqrt(value)", "Cover & Hart 1967, Nearest neighbor classification"),
        Metric("manhattan", "sum_i |q_i - x_i|", "value", "Minkowski's metric of order 1", coded=False),
        Metric("cosine", "1 - q.x / (|q| |x|), 1 where a norm is 0", "value", "Salton, Wong & Yang 1975"),
    )
}

# The names as types, which cannot be computed; tests/kernels/test_records.py compares them with the records.
ActivationName = Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"]
LossName = Literal["quadratic", "mean_squared_error", "binary_cross_entropy", "cross_entropy"]
OptimizerName = Literal["sgd", "momentum", "nesterov", "adam"]
MetricName = Literal["euclidean", "manhattan", "cosine"]

ACTIVATIONS = tuple(ACTIVATION_RECORDS)
HIDDEN_ACTIVATIONS = tuple(name for name, record in ACTIVATION_RECORDS.items() if record.elementwise)
LOSSES = tuple(LOSS_RECORDS)
OPTIMIZERS = tuple(OPTIMIZER_RECORDS)
SLOTS = tuple(record.slots for record in OPTIMIZER_RECORDS.values())  # by code
METRICS = tuple(METRIC_RECORDS)


def c_header() -> str:
    """The text of native's src/codes.h: the records' codes as C enums."""
    enums = (
        f"enum {{ {', '.join(name.upper() for name in names)} }};\n"
        for names in (ACTIVATIONS, LOSSES, OPTIMIZERS, METRICS)
    )
    return (
        "/* Codes of activations, losses, optimizers and metrics, as setup.py writes them from kernels/records.py. */\n"
        f"#ifndef FNN_CODES_H\n#define FNN_CODES_H\n\n{''.join(enums)}\n#endif\n"
    )
