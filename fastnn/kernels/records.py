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
    derivative: str  # by z, in terms of a or, for those of z, of z
    source: str
    elementwise: bool = True  # whether any layer may have it, not the last alone
    of_z: bool = False  # whether a does not tell the derivative, because two z have the same a
    is_score: bool = False  # whether its outputs are scores of classes
    loss: str = "mean_squared_error"  # of a network that ends in it, where none is chosen
    alpha: float = 0.0  # the equation's number, where none is chosen; 0: it has none


class Loss(NamedTuple):
    """A sample's loss L, of the outputs a and the targets y, each summed over j = 1..k, the outputs."""

    name: str
    equation: str
    source: str
    output: str  # the activation of the last layer, where none is chosen
    fused: bool = False  # whether it is computed from the z of that activation, and goes with no other
    averages: bool = False  # whether L is the mean over the outputs, not the sum


class Optimizer(NamedTuple):
    """How a gradient g of the mean batch loss becomes an update of the weights w, with spec.Rule's numbers."""

    name: str
    equation: str
    source: str
    slots: int  # state vectors as large as the parameters
    learning_rate: float  # where none is given
    momentum: float = 0.0  # where none is given; 0: it has none
    weight_decay: float = 0.0  # where none is given
    beta2: float = 0.999  # how much of its mean of g^2 it keeps, if it has one
    epsilon: float = 1e-8
    initial_state: float = 0.0  # of every element


class Metric(NamedTuple):
    """What nearness of a query q and a row x is measured by: the value that kernels compute and compare."""

    name: str
    equation: str
    distance: str  # in terms of the value
    source: str
    coded: bool = True  # whether spec.Codes bound it


BACKPROPAGATION = "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors"

IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, SOFTMAX = range(6)
ELU, SELU, GELU, SILU, SOFTPLUS, SOFTSIGN, HARD_SIGMOID, EXPONENTIAL = range(6, 14)
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
            "a = z where z > 0, else alpha z",
            "1 where a > 0, else alpha",
            "Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models",
            alpha=0.01,
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
        Activation(
            "elu",
            "a = z where z > 0, else alpha (exp(z) - 1)",
            "1 where a > 0, else a + alpha",
            "Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network learning by ELUs",
            alpha=1.0,
        ),
        Activation(
            "selu",
            "a = 1.0507 z where z > 0, else 1.0507 * 1.6733 (exp(z) - 1)",
            "1.0507 where a > 0, else a + 1.0507 * 1.6733",
            "Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks",
        ),
        Activation(
            "gelu",
            "a = z P(z), where P(z) = (1 + erf(z / sqrt(2))) / 2",
            "P(z) + z exp(-z^2 / 2) / sqrt(2 pi)",
            "Hendrycks & Gimpel 2016, Gaussian error linear units",
            of_z=True,
        ),
        Activation(
            "silu",
            "a = z sigmoid(z)",
            "sigmoid(z) (1 + z (1 - sigmoid(z)))",
            "Elfwing, Uchibe & Doya 2018, Sigmoid-weighted linear units; swish of Ramachandran, Zoph & Le 2017",
            of_z=True,
        ),
        Activation(
            "softplus",
            "a = log(1 + exp(z))",
            "1 - exp(-a)",
            "Dugas, Bengio, Bélisle, Nadeau & Garcia 2001, Incorporating second-order functional knowledge",
        ),
        Activation(
            "softsign",
            "a = z / (1 + |z|)",
            "(1 - |a|)^2",
            "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks",
        ),
        Activation(
            "hard_sigmoid",
            "a = min(max(z / 6 + 1/2, 0), 1)",
            "1/6 where 0 < a < 1, else 0",
            "Courbariaux, Bengio & David 2015, BinaryConnect, with the slope of Howard et al. 2019, MobileNetV3",
        ),
        Activation("exponential", "a = exp(z)", "a", "the inverse link of a Poisson regression", loss="poisson"),
    )
}
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
HARD_SLOPE = 1 / 6  # of hard_sigmoid between its corners

QUADRATIC, MEAN_SQUARED_ERROR, BINARY_CROSS_ENTROPY, CROSS_ENTROPY, MEAN_ABSOLUTE_ERROR, HUBER = range(6)
POISSON, MEAN_POISSON, NORMALISED_CROSS_ENTROPY, CLIPPED_BINARY_CROSS_ENTROPY = range(6, 10)
LOSS_RECORDS = {
    record.name: record
    for record in (
        Loss("quadratic", "L = sum_j (a_j - y_j)^2 / 2", "Nielsen, chapter 1, for one sample", "sigmoid"),
        Loss("mean_squared_error", "L = sum_j (a_j - y_j)^2 / k", "least squares", "identity", averages=True),
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
        Loss(
            "mean_absolute_error", "L = sum_j |a_j - y_j| / k", "least absolute deviations", "identity", averages=True
        ),
        Loss(
            "huber",
            "L = sum_j h(a_j - y_j) / k, where h(e) = e^2 / 2 where |e| <= 1, else |e| - 1/2",
            "Huber 1964, Robust estimation of a location parameter",
            "identity",
            averages=True,
        ),
        Loss(
            "poisson",
            "L = sum_j (y_j log(y_j / a_j) - y_j + a_j) = sum_j (y_j log y_j - y_j z_j - y_j + exp(z_j))",
            "half the deviance of McCullagh & Nelder 1989, Generalized linear models; scikit-learn's",
            "exponential",
            fused=True,
        ),
        Loss(
            "mean_poisson",
            "L = sum_j (a_j - y_j log(a_j + 1e-7)) / k",
            "Keras' poisson",
            "exponential",
            averages=True,
        ),
        Loss(
            "normalised_cross_entropy",
            "L = -sum_j y_j log p_j, where p_j = a_j / sum_k a_k, but no less than 1e-7 and no more than 1 - 1e-7",
            "Keras' categorical_crossentropy",
            "sigmoid",
        ),
        Loss(
            "clipped_binary_cross_entropy",
            "L = -sum_j (y_j log p_j + (1 - y_j) log(1 - p_j)) / k, where p_j = a_j, but no less than 1e-7 and no more "
            "than 1 - 1e-7",
            "Keras' binary_crossentropy",
            "sigmoid",
            averages=True,
        ),
    )
}
SMALLEST_PROBABILITY = 1e-7  # of losses that clip

SGD, MOMENTUM, NESTEROV, ADAM, RMSPROP, ADAMW, NADAM, ADAGRAD = range(8)
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
        Optimizer(
            "rmsprop",
            "v = beta2 v + (1 - beta2) g^2; m = momentum m + rate g / sqrt(v + epsilon); w -= m",
            "Tieleman & Hinton 2012, lecture 6.5 of Neural networks for machine learning; as in Keras",
            2,
            0.001,
            beta2=0.9,
            epsilon=1e-7,
        ),
        Optimizer(
            "adamw",
            "w -= rate weight_decay w; then as adam",
            "Loshchilov & Hutter 2019, Decoupled weight decay regularization; the default factor is Keras'",
            2,
            0.001,
            weight_decay=0.004,
        ),
        Optimizer(
            "nadam",
            "m, v as adam; u_t = beta1 (1 - 0.96^t / 2), U_t = u_1 .. u_t; "
            "w -= rate (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta2^t)) + epsilon)",
            "Dozat 2016, Incorporating Nesterov momentum into Adam",
            2,
            0.001,
        ),
        Optimizer(
            "adagrad",
            "v += g^2; w -= rate g / sqrt(v + epsilon)",
            "Duchi, Hazan & Singer 2011, Adaptive subgradient methods, with Keras' v = 0.1 at first",
            1,
            0.001,
            epsilon=1e-7,
            initial_state=0.1,
        ),
    )
}
NADAM_DECAY = 0.96  # of the momentum's warm-up

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
ActivationName = Literal[
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "softmax",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "exponential",
]
LossName = Literal[
    "quadratic",
    "mean_squared_error",
    "binary_cross_entropy",
    "cross_entropy",
    "mean_absolute_error",
    "huber",
    "poisson",
    "mean_poisson",
    "normalised_cross_entropy",
    "clipped_binary_cross_entropy",
]
OptimizerName = Literal["sgd", "momentum", "nesterov", "adam", "rmsprop", "adamw", "nadam", "adagrad"]
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
    slots = f"static const int SLOTS_OF[] = {{{', '.join(map(str, SLOTS))}}}; /* state vectors of each optimizer */\n"
    return (
        "/* Codes of activations, losses, optimizers and metrics, as setup.py writes them from kernels/records.py. */\n"
        f"#ifndef FNN_CODES_H\n#define FNN_CODES_H\n\n{''.join(enums)}{slots}\n#endif\n"
    )
