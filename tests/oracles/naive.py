"""Slow truths for the tests in pure Python: a network, one sample and one neuron at a time; and nearest neighbours.

Nothing here comes from fastnn. The equations are those of the docstrings of fastnn.MLP and fastnn.kernels.records,
and of the optimizers those of Keras 3.15's source, written as plainly as possible; in particular the gradient goes
through dL/da for every loss, without the shortcuts that softmax with cross-entropy allows, every activation's slope is
that at z, and the sums over pairs of points are exact, in whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

Vector = list[float]
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@dataclass
class Network:
    """weights[l][i][j] leads from input i of layer l to its output j, whose bias is biases[l][j] if there are any."""

    weights: list[list[Vector]]
    biases: Sequence[Vector | None] | None
    activations: list[str]  # one per layer, which may be followed by its number: "elu 0.7"
    loss: str

    def bias(self, layer: int) -> Vector | None:
        return self.biases[layer] if self.biases else None


def one_hot(labels: Sequence[int], outputs: int) -> list[Vector]:
    return [[1.0 if j == label else 0.0 for j in range(outputs)] for label in labels]


# ---- forward


def number(activation: str) -> tuple[str, float]:
    """The activation without its number, and that: leaky_relu's slope, 0.01 where none is given, or elu's factor, 1."""
    name, _, alpha = activation.partition(" ")
    return name, float(alpha) if alpha else {"leaky_relu": 0.01, "elu": 1.0}.get(name, 0.0)


def activate(name: str, z: Vector) -> Vector:
    if name == "softmax":
        total = sum(math.exp(zk) for zk in z)
        return [math.exp(zj) / total for zj in z]
    return [_activate_one(name, zj) for zj in z]


def _activate_one(activation: str, z: float) -> float:
    name, alpha = number(activation)
    if name == "identity":
        return z
    if name == "sigmoid":
        return 1 / (1 + math.exp(-z))
    if name == "tanh":
        return math.tanh(z)
    if name == "relu":
        return z if z > 0 else 0.0
    if name == "leaky_relu":
        return z if z > 0 else alpha * z
    if name == "elu":
        return z if z > 0 else alpha * math.expm1(z)
    if name == "selu":
        return SELU_SCALE * (z if z > 0 else SELU_ALPHA * math.expm1(z))
    if name == "gelu":
        return z * normal_share(z)
    if name == "silu":
        return z * logistic(z)
    if name == "softplus":
        return math.log1p(math.exp(z)) if z < 700 else z
    if name == "softsign":
        return z / (abs(z) + 1)
    if name == "hard_sigmoid":
        return min(max(z + 3, 0), 6) / 6
    assert name == "exponential"
    return math.exp(z)


def normal_share(z: float) -> float:
    """The share of a standard normal distribution below z."""
    return math.erfc(-z / math.sqrt(2)) / 2


def logistic(z: float) -> float:
    return math.exp(z) / (1 + math.exp(z)) if z < 0 else 1 / (1 + math.exp(-z))


Factors = Sequence[Vector]  # of every hidden layer's outputs: what dropout multiplies them by


def layers(network: Network, x: Vector, factors: Factors = ()) -> tuple[list[Vector], list[Vector]]:
    """Every layer's z, and every layer's output a, before its factors, with the input before them."""
    zs, outputs = [], [x]
    for layer, weights in enumerate(network.weights):
        inputs = times(outputs[-1], factors[layer - 1]) if factors and layer else outputs[-1]
        z, bias = [], network.bias(layer)
        for j in range(len(weights[0])):
            total = bias[j] if bias else 0.0
            for i, xi in enumerate(inputs):
                total += xi * weights[i][j]
            z.append(total)
        zs.append(z)
        outputs.append(activate(network.activations[layer], z))
    return zs, outputs


def times(a: Vector, b: Vector) -> Vector:
    return [ai * bi for ai, bi in zip(a, b, strict=True)]


def forward(network: Network, x: Vector, factors: Factors = ()) -> Vector:
    return layers(network, x, factors)[1][-1]


def loss(name: str, a: Vector, y: Vector) -> float:
    """The loss of one sample."""
    if name in ("quadratic", "rashid"):
        return sum((aj - yj) ** 2 for aj, yj in zip(a, y, strict=True)) / 2
    if name == "mean_squared_error":
        return sum((aj - yj) ** 2 for aj, yj in zip(a, y, strict=True)) / len(a)
    if name == "binary_cross_entropy":
        return -sum(_log(yj, aj) + _log(1 - yj, 1 - aj) for aj, yj in zip(a, y, strict=True))
    if name == "cross_entropy":
        return -sum(_log(yj, aj) for aj, yj in zip(a, y, strict=True))
    if name == "mean_absolute_error":
        return sum(abs(aj - yj) for aj, yj in zip(a, y, strict=True)) / len(a)
    if name == "huber":
        sizes = [abs(aj - yj) for aj, yj in zip(a, y, strict=True)]
        return sum(e**2 / 2 if e <= 1 else e - 0.5 for e in sizes) / len(a)
    if name == "poisson":
        return sum(_log(yj, yj / aj) - yj + aj for aj, yj in zip(a, y, strict=True))
    if name == "mean_poisson":
        return sum(aj - yj * math.log(aj + 1e-7) for aj, yj in zip(a, y, strict=True)) / len(a)
    if name == "normalised_cross_entropy":
        return -sum(yj * math.log(clipped(aj / sum(a))) for aj, yj in zip(a, y, strict=True))
    assert name == "clipped_binary_cross_entropy"
    probabilities = [clipped(aj) for aj in a]
    return -sum(yj * math.log(p) + (1 - yj) * math.log(1 - p) for p, yj in zip(probabilities, y, strict=True)) / len(a)


def clipped(p: float) -> float:
    """A probability, but no less than 1e-7 and no more than 1 - 1e-7."""
    return min(max(p, 1e-7), 1 - 1e-7)


def _log(factor: float, value: float) -> float:
    return factor * math.log(value) if factor else 0.0


def is_correct(a: Vector, y: Vector) -> bool:
    if len(a) == 1:
        return (a[0] > 0.5) == (y[0] > 0.5)
    return a.index(max(a)) == y.index(max(y))


def evaluate(
    network: Network, X: Sequence[Vector], Y: Sequence[Vector], weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """The mean of the samples' losses times their weights, and the share of correct samples."""
    outputs, weights = [forward(network, x) for x in X], weights or [1.0] * len(X)
    total = sum(w * loss(network.loss, a, y) for a, y, w in zip(outputs, Y, weights, strict=True))
    correct = sum(is_correct(a, y) for a, y in zip(outputs, Y, strict=True))
    return total / len(X), correct / len(X)


# ---- backward


def loss_slope(name: str, a: Vector, y: Vector) -> Vector:
    """dL/da of one sample."""
    pairs = list(zip(a, y, strict=True))
    if name in ("quadratic", "rashid"):
        return [aj - yj for aj, yj in pairs]
    if name == "mean_squared_error":
        return [2 * (aj - yj) / len(a) for aj, yj in pairs]
    if name == "binary_cross_entropy":
        return [-yj / aj + (1 - yj) / (1 - aj) for aj, yj in pairs]
    if name == "cross_entropy":
        return [-yj / aj for aj, yj in pairs]
    if name == "mean_absolute_error":
        return [((aj > yj) - (aj < yj)) / len(a) for aj, yj in pairs]
    if name == "huber":
        return [(aj - yj if abs(aj - yj) <= 1 else math.copysign(1, aj - yj)) / len(a) for aj, yj in pairs]
    if name == "poisson":
        return [1 - yj / aj for aj, yj in pairs]
    if name == "mean_poisson":
        return [(1 - yj / (aj + 1e-7)) / len(a) for aj, yj in pairs]
    if name == "normalised_cross_entropy":
        total, slopes = sum(a), [0.0] * len(a)
        for j, (aj, yj) in enumerate(pairs):
            if clipped(aj / total) == aj / total:
                for k in range(len(a)):  # d(a_j / total) / da_k
                    slopes[k] -= yj / (aj / total) * (((j == k) * total - aj) / total**2)
        return slopes
    assert name == "clipped_binary_cross_entropy"
    return [(-yj / aj + (1 - yj) / (1 - aj)) / len(a) if clipped(aj) == aj else 0.0 for aj, yj in pairs]


def activation_slope(name: str, z: Vector, a: Vector, k: int, j: int) -> float:
    """da_k/dz_j."""
    name, alpha = number(name)
    if name == "softmax":
        return a[k] * ((1.0 if k == j else 0.0) - a[j])
    if k != j:
        return 0.0
    if name == "identity":
        return 1.0
    if name == "sigmoid":
        return a[j] * (1 - a[j])
    if name == "tanh":
        return 1 - a[j] ** 2
    if name == "relu":
        return 1.0 if z[j] > 0 else 0.0
    if name == "leaky_relu":
        return 1.0 if z[j] > 0 else alpha
    if name == "elu":
        return 1.0 if z[j] > 0 else alpha * math.exp(z[j])
    if name == "selu":
        return SELU_SCALE * (1.0 if z[j] > 0 else SELU_ALPHA * math.exp(z[j]))
    if name == "gelu":
        return normal_share(z[j]) + z[j] * math.exp(-(z[j] ** 2) / 2) / math.sqrt(2 * math.pi)
    if name == "silu":
        return logistic(z[j]) + z[j] * logistic(z[j]) * logistic(-z[j])
    if name == "softplus":
        return logistic(z[j])
    if name == "softsign":
        return 1 / (1 + abs(z[j])) ** 2
    if name == "hard_sigmoid":
        return 1 / 6 if -3 < z[j] < 3 else 0.0
    assert name == "exponential"
    return math.exp(z[j])


def gradient(network: Network, x: Vector, y: Vector, weight: float = 1.0, factors: Factors = ()) -> Network:
    """The gradient of one sample's loss times weight, as a network whose weights and biases are the slopes."""
    slope = [weight * s for s in loss_slope(network.loss, forward(network, x, factors), y)]
    return way_back(network, x, slope, factors)[0]


def way_back(network: Network, x: Vector, slope: Vector, factors: Factors = ()) -> tuple[Network, Vector]:
    """The same from the slopes dL/da of the last layer's outputs; and the slopes dL/dx of the inputs."""
    zs, outputs = layers(network, x, factors)
    weight_slopes: list[list[Vector]] = [[] for _ in network.weights]
    bias_slopes: list[Vector | None] = [None for _ in network.weights]
    for layer in reversed(range(len(network.weights))):
        z, a, before = zs[layer], outputs[layer + 1], outputs[layer]
        if factors and layer:
            before = times(before, factors[layer - 1])
        name, size = network.activations[layer], len(a)
        delta = [  # dL/dz_j
            sum(slope[k] * activation_slope(name, z, a, k, j) for k in (range(size) if name == "softmax" else [j]))
            for j in range(size)
        ]
        weight_slopes[layer] = [[xi * dj for dj in delta] for xi in before]
        if network.bias(layer):
            bias_slopes[layer] = delta
        back = delta
        if network.loss == "rashid" and layer == len(network.weights) - 1:
            back = slope  # the error itself, without the output's derivative
        slope = [sum(w * d for w, d in zip(row, back, strict=True)) for row in network.weights[layer]]
        if factors and layer:
            slope = times(slope, factors[layer - 1])
    slopes = Network(weight_slopes, bias_slopes, network.activations, network.loss)
    return slopes, slope


def mean_gradient(
    network: Network,
    X: Sequence[Vector],
    Y: Sequence[Vector],
    weights: Sequence[float] | None = None,
    factors: Sequence[Factors] | None = None,
) -> Network:
    """The gradient of the mean of the samples' losses times their weights."""
    weights, factors = weights or [1.0] * len(X), factors or [()] * len(X)
    total, *others = [gradient(network, *sample) for sample in zip(X, Y, weights, factors, strict=True)]
    for one in others:
        for (row, k, _), (other, _, _) in zip(places(total), places(one), strict=True):
            row[k] += other[k]
    for row, k, _ in places(total):
        row[k] /= len(X)
    return total


Place = tuple[Vector, int]  # a list and a position in it


def arrays(network: Network) -> Iterator[tuple[list[Place], int, bool]]:
    """Every matrix of weights and vector of biases: its parameters' places, its layer, and whether it is of weights."""
    for layer, weights in enumerate(network.weights):
        yield [(row, j) for row in weights for j in range(len(row))], layer, True
        bias = network.bias(layer)
        if bias:
            yield [(bias, j) for j in range(len(bias))], layer, False


def places(network: Network) -> Iterator[tuple[Vector, int, bool]]:
    """Every parameter as (list, position in it, whether it is a weight)."""
    for members, _, is_weight in arrays(network):
        for row, j in members:
            yield row, j, is_weight


# ---- training

Penalty = float | Sequence[float]  # of all layers, or of each


def of_layer(penalty: Penalty, layer: int) -> float:
    return penalty if isinstance(penalty, int | float) else penalty[layer]


@dataclass
class Optimizer:
    """One update rule with its memory, a list of numbers for every parameter."""

    name: str
    learning_rate: float
    momentum: float = 0.0
    l2: Penalty = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    updates: int = 0  # already made
    l1: Penalty = 0.0
    weight_decay: float = 0.0
    clip_value: float = 0.0
    clip_norm: float = 0.0
    global_clip_norm: float = 0.0
    memory: list[Vector] = field(default_factory=list)

    def update(self, network: Network, slopes: Network) -> None:
        """Move every parameter of the network by its slope: penalties, clipping, decay, and then the optimizer."""
        self.updates += 1
        gradients = []
        for (members, layer, is_weight), (slope_members, _, _) in zip(arrays(network), arrays(slopes), strict=True):
            g = [row[k] for row, k in slope_members]
            if is_weight:
                weights = [row[k] for row, k in members]
                signs = [(w > 0) - (w < 0) for w in weights]
                l1, l2 = of_layer(self.l1, layer), of_layer(self.l2, layer)
                g = [gi + l2 * w + l1 * sign for gi, w, sign in zip(g, weights, signs, strict=True)]
            gradients.append(g)
        numbers = [gi for g in self.clipped(gradients) for gi in g]
        for number, ((row, k, _), g) in enumerate(zip(places(network), numbers, strict=True)):
            if number == len(self.memory):
                self.memory.append([0.1 if self.name == "adagrad" else 0.0, 0.0])
            row[k] -= self.learning_rate * self.weight_decay * row[k]
            row[k] = self.moved(row[k], g, self.memory[number])

    def clipped(self, gradients: list[Vector]) -> list[Vector]:
        if self.clip_value:
            return [[min(max(gi, -self.clip_value), self.clip_value) for gi in g] for g in gradients]
        if self.clip_norm:
            return [[gi * self.clip_norm / max(norm(g), self.clip_norm) for gi in g] for g in gradients]
        if self.global_clip_norm:
            total = norm([gi for g in gradients for gi in g])
            return [[gi * self.global_clip_norm / max(total, self.global_clip_norm) for gi in g] for g in gradients]
        return gradients

    def moved(self, w: float, g: float, memory: Vector) -> float:
        """One parameter after its update; changes its memory."""
        rate, t = self.learning_rate, self.updates
        if self.name == "sgd":
            return w - rate * g
        if self.name == "momentum":
            memory[0] = self.momentum * memory[0] - rate * g
            return w + memory[0]
        if self.name == "nesterov":
            memory[0] = self.momentum * memory[0] - rate * g
            return w + self.momentum * memory[0] - rate * g
        if self.name == "adagrad":
            memory[0] += g**2
            return w - rate * g / math.sqrt(memory[0] + self.epsilon)
        if self.name == "rmsprop":
            memory[1] = self.beta2 * memory[1] + (1 - self.beta2) * g**2
            memory[0] = self.momentum * memory[0] + rate * g / math.sqrt(memory[1] + self.epsilon)
            return w - memory[0]
        memory[0] = self.beta1 * memory[0] + (1 - self.beta1) * g
        memory[1] = self.beta2 * memory[1] + (1 - self.beta2) * g**2
        if self.name == "nadam":
            u = [self.beta1 * (1 - 0.5 * 0.96**i) for i in range(1, t + 2)]
            so_far = math.prod(u[:-1])
            mean = u[-1] * memory[0] / (1 - so_far * u[-1]) + (1 - u[-2]) * g / (1 - so_far)
            return w - rate * mean / (math.sqrt(memory[1] / (1 - self.beta2**t)) + self.epsilon)
        assert self.name in ("adam", "adamw")  # which differ in their default weight_decay
        rate *= math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return w - rate * memory[0] / (math.sqrt(memory[1]) + self.epsilon)


def norm(vector: Vector) -> float:
    return math.sqrt(math.fsum(x**2 for x in vector))


def train_epoch(
    network: Network,
    X: Sequence[Vector],
    Y: Sequence[Vector],
    order: Sequence[int],
    batch: int,
    optimizer: Optimizer,
    weights: Sequence[float] | None = None,
    factors: Sequence[Factors] | None = None,
    rates: Sequence[float] | None = None,
    outputs: list[Vector] | None = None,
) -> tuple[float, int, int]:
    """Visit the rows ``order`` in batches; return the summed loss, the number correct and the number of updates.

    A sample counts before its batch's update, and so do its outputs, which are appended to ``outputs``. ``rates``: the
    batches' learning rates.
    """
    total, correct, batches = 0.0, 0, 0
    weights, factors = weights or [1.0] * len(X), factors or [()] * len(X)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        for row in rows:
            a = forward(network, X[row], factors[row])
            total += weights[row] * loss(network.loss, a, Y[row])
            correct += is_correct(a, Y[row])
            if outputs is not None:
                outputs.append(a)
        samples = zip(*[(X[row], Y[row], weights[row], factors[row]) for row in rows], strict=True)
        if rates is not None:
            optimizer.learning_rate = rates[batches]
        optimizer.update(network, mean_gradient(network, *samples))
        batches += 1
    return total, correct, batches


def penalty(network: Network, l2: Penalty, l1: Penalty = 0.0) -> float:
    """What L1 and L2 add to the loss."""
    total = 0.0
    for members, layer, is_weight in arrays(network):
        if is_weight:
            total += of_layer(l2, layer) / 2 * sum(row[k] ** 2 for row, k in members)
            total += of_layer(l1, layer) * sum(abs(row[k]) for row, k in members)
    return total


# ---- nearest neighbours


def pair_values(metric: str, rows: Sequence[Vector], queries: Sequence[Vector]) -> list[Vector]:
    """For every query its value with every row, rounded once: the squared distance where the metric is euclidean."""
    unit = max(x.as_integer_ratio()[1] for vector in (*rows, *queries) for x in vector)
    wholes = [_wholes(row, unit) for row in rows]
    return [[_pair_value(metric, query, row, unit) for row in wholes] for query in (_wholes(q, unit) for q in queries)]


def _wholes(vector: Vector, unit: int) -> list[int]:
    """The numbers in units of 1 / unit; as every float is whole in units of some power of two, nothing is lost."""
    ratios = [x.as_integer_ratio() for x in vector]
    return [numerator * (unit // denominator) for numerator, denominator in ratios]


def _pair_value(metric: str, q: list[int], x: list[int], unit: int) -> float:
    if metric == "euclidean":
        return sum([(a - b) ** 2 for a, b in zip(q, x, strict=True)]) / unit**2  # ints: the quotient is rounded once
    if metric == "manhattan":
        return sum([abs(a - b) for a, b in zip(q, x, strict=True)]) / unit
    assert metric == "cosine"
    square = sum([a * a for a in q]) * sum([b * b for b in x])  # (|q| |x|)^2
    if square == 0:
        return 1.0
    dot = sum([a * b for a, b in zip(q, x, strict=True)])
    norms = Fraction(math.isqrt(square << 512), 1 << 256)
    if dot <= 0:
        return float(1 - dot / norms)
    return float((square - dot * dot) / (norms * (norms + dot)))  # 1 - dot / norms, but nothing cancels


def direction(vector: Vector) -> tuple[int, ...]:
    """What vectors that are exactly proportional, by a positive factor, have in common: wholes without a divisor."""
    wholes = _wholes(vector, max(x.as_integer_ratio()[1] for x in vector))
    divisor = math.gcd(*wholes) or 1
    return tuple(whole // divisor for whole in wholes)


def signed_cosine_square(q: Sequence[int], x: Sequence[int]) -> Fraction:
    """cos^2 of the angle, negative where the cosine is; it ascends as the cosine does. 0 where a vector is zero."""
    dot = sum([a * b for a, b in zip(q, x, strict=True)])
    square = sum([a * a for a in q]) * sum([b * b for b in x])
    return Fraction(dot * abs(dot), square) if square else Fraction(0)


def k_nearest(values: Sequence[float], k: int, limit: float = math.inf) -> list[tuple[float, int]]:
    """The k least values up to ``limit`` with their indices, ascending, the lowest index first among equals."""
    return sorted((value, index) for index, value in enumerate(values) if value <= limit)[:k]


def vote(
    distances: Sequence[float], labels: Sequence[int | str], weights: str | Callable[[float], float] = "uniform"
) -> int | str:
    """The label with the most votes among the neighbours', the lowest of equals."""
    votes: dict[int | str, float] = {}
    for distance, label in zip(distances, labels, strict=True):
        if callable(weights):
            weight = weights(distance)
        elif weights == "uniform":
            weight = 1
        elif 0 in distances:
            weight = 1 if distance == 0 else 0
        else:
            weight = 1 / distance
        votes[label] = votes.get(label, 0) + weight
    return min(label for label in votes if votes[label] == max(votes.values()))
