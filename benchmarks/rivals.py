"""PyTorch, JAX and scikit-learn training the workloads, each in the best way known for it.

Each function takes a workload and its data and returns a Contender; it raises ImportError or UnavailableError where
its library or compiler is missing. Data are converted to floats in memory beforehand, and the settings listed in each
function are tried on a few thousand rows. PyTorch and JAX begin with the weights that fastnn begins with and see the
batches that it sees.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from contenders import Contender, UnavailableError, blas_settings, thread_counts, tuned, with_blas_threads
from programs import PROGRAMS
from workloads import Data, Parameters, Workload

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam, as in fastnn


def torch_batches(work: Workload, X: Any, targets: Any, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """An epoch's batches: one new order, the rows of a batch picked together; or slices, in order."""
    import torch

    if not work.shuffle:
        yield from zip(X.split(work.batch_size), targets.split(work.batch_size), strict=True)
        return
    for rows in torch.from_numpy(rng.permutation(len(X))).split(work.batch_size):
        yield X.index_select(0, rows), targets.index_select(0, rows)


def torch_data(work: Workload, data: Data) -> tuple[Any, Any]:
    """Inputs, and labels for the cross-entropy or else rows of targets."""
    import torch

    labels = work.loss == "cross_entropy"
    targets = data.labels.astype(np.int64) if labels else data.targets(work.dtype)
    return torch.from_numpy(data.floats(work.dtype)), torch.from_numpy(targets)


def torch_loss(work: Workload, outputs: Any, targets: Any) -> Any:
    """The loss of a batch; ``outputs`` come before the softmax."""
    from torch.nn import functional

    if work.loss == "cross_entropy":
        return functional.cross_entropy(outputs, targets)
    return functional.mse_loss(outputs, targets, reduction="sum") * (0.5 / len(outputs))


def pytorch(work: Workload, data: Data) -> Contender:
    """Linear layers, autograd and torch.optim; one thread or all, the fused or the for-each optimizer."""
    import torch

    def build(work: Workload, data: Data, *, threads: int, optimizer: str) -> Contender:
        activation = torch.nn.ReLU if work.activation == "relu" else torch.nn.Sigmoid
        layers: list[Any] = []
        for weights, biases in work.initial():
            linear = torch.nn.Linear(*weights.shape, bias=work.bias, dtype=getattr(torch, work.dtype))
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weights.T))
                if work.bias:
                    linear.bias.copy_(torch.from_numpy(biases))
            layers += [linear, activation()]
        linears = layers[::2]
        model = torch.nn.Sequential(*(layers[:-1] if work.loss == "cross_entropy" else layers))
        rule = torch.optim.Adam if work.optimizer == "adam" else torch.optim.SGD
        update = rule(model.parameters(), lr=work.learning_rate, **{optimizer: True})
        X, targets = torch_data(work, data)
        rng = work.model().rng

        def train() -> None:
            torch.set_num_threads(threads)
            for x, target in torch_batches(work, X, targets, rng):
                update.zero_grad()
                torch_loss(work, model(x), target).backward()
                update.step()

        def parameters() -> Parameters:
            return [
                (
                    linear.weight.detach().numpy().T,
                    linear.bias.detach().numpy() if work.bias else np.zeros(linear.out_features),
                )
                for linear in linears
            ]

        return Contender(train, parameters)

    settings = [{"threads": t, "optimizer": o} for t, o in product(thread_counts(), ("fused", "foreach"))]
    return tuned(build, work, data, settings)


def pytorch_compiled(work: Workload, data: Data) -> Contender:
    """A whole step, from batch to update, as one function under torch.compile; one thread or all."""
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no helper processes beside what is timed
    import torch
    from torch._inductor.utils import fresh_cache
    from torch.nn import functional

    if not shutil.which(os.environ.get("CXX", "g++")):
        raise UnavailableError("torch.compile needs a C++ compiler")

    def build(work: Workload, data: Data, *, threads: int) -> Contender:
        X, targets = torch_data(work, data)
        rng = work.model().rng
        activation = torch.relu if work.activation == "relu" else torch.sigmoid
        weights = [torch.from_numpy(weights.T.copy()) for weights, _ in work.initial()]
        biases = [torch.from_numpy(biases) for _, biases in work.initial()] if work.bias else []
        moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in weights + biases]
        steps = torch.zeros((), dtype=torch.float64)

        def loss(parameters: list[Any], x: Any, target: Any) -> Any:
            depth = len(work.sizes) - 1  # weights come first in parameters, then the biases, if any
            for layer, weight in enumerate(parameters[:depth]):
                x = functional.linear(x, weight, parameters[depth + layer] if work.bias else None)
                if layer < depth - 1 or work.loss == "quadratic":
                    x = activation(x)
            return torch_loss(work, x, target)

        gradients = torch.func.grad(loss)

        def step(parameters: list[Any], moments: list[tuple[Any, Any]], steps: Any, x: Any, target: Any) -> None:
            found = gradients(parameters, x, target)
            if work.optimizer == "sgd":
                for p, g in zip(parameters, found, strict=True):
                    p.sub_(g, alpha=work.learning_rate)
                return
            steps += 1
            rate = work.learning_rate * torch.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
            for p, g, (m, v) in zip(parameters, found, moments, strict=True):
                m.mul_(BETA1).add_(g, alpha=1 - BETA1)
                v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                p.sub_((rate * m / (v.sqrt() + EPSILON)).to(p.dtype))

        torch.set_num_threads(threads)
        torch._dynamo.reset()
        compiled = torch.compile(step)
        spare = [p.clone() for p in weights + biases], [(m.clone(), v.clone()) for m, v in moments], steps.clone()
        x, target = next(torch_batches(work, X, targets, np.random.default_rng()))
        with fresh_cache(), torch.no_grad():  # so that setup tells what compiling takes
            compiled(*spare, x, target)

        def train() -> None:
            torch.set_num_threads(threads)
            with torch.no_grad():
                for x, target in torch_batches(work, X, targets, rng):
                    compiled(weights + biases, moments, steps, x, target)

        def parameters() -> Parameters:
            zeros = [torch.zeros(len(w)) for w in weights]
            return [(w.numpy().T, b.numpy()) for w, b in zip(weights, biases or zeros, strict=True)]

        return Contender(train, parameters)

    return tuned(build, work, data, [{"threads": count} for count in thread_counts()])


def jax_scan(work: Workload, data: Data) -> Contender:
    """One jitted scan over the epoch's batches, parameters donated; weights either way round, unrolled or not."""
    import jax
    import jax.numpy as jnp

    activation = jax.nn.relu if work.activation == "relu" else jax.nn.sigmoid

    def build(work: Workload, data: Data, *, weights: str, unroll: int) -> Contender:
        inputs_first = weights == "(in, out)"
        X, T = jnp.asarray(data.floats(work.dtype)), jnp.asarray(data.targets(work.dtype))
        params = [(w if inputs_first else w.T.copy(), *([b] if work.bias else [])) for w, b in work.initial()]
        rng = work.model().rng

        def loss(params: Any, x: Any, target: Any) -> Any:
            for layer, (w, *bias) in enumerate(params):
                x = x @ (w if inputs_first else w.T)
                x = x + bias[0] if bias else x
                if layer < len(params) - 1 or work.loss == "quadratic":
                    x = activation(x)
            if work.loss == "cross_entropy":
                return -jnp.sum(target * jax.nn.log_softmax(x)) / len(x)
            return 0.5 * jnp.sum(jnp.square(x - target)) / len(x)

        def update(state: Any, x: Any, target: Any) -> Any:
            params, m, v, steps = state
            gradients = jax.grad(loss)(params, x, target)
            if work.optimizer == "sgd":
                params = jax.tree.map(lambda p, g: p - work.learning_rate * g, params, gradients)
                return params, m, v, steps
            steps += 1
            rate = work.learning_rate * jnp.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
            params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v)
            return params, m, v, steps

        def epoch(state: Any, X: Any, T: Any, order: Any) -> Any:
            def step(state: Any, rows: Any) -> tuple[Any, None]:
                return update(state, X[rows], T[rows]), None

            return jax.lax.scan(step, state, order.reshape(-1, work.batch_size), unroll=unroll)[0]

        count = len(X) // work.batch_size * work.batch_size
        state = jax.tree.map(jnp.asarray, params)
        state = (state, jax.tree.map(jnp.zeros_like, state), jax.tree.map(jnp.zeros_like, state), jnp.zeros(()))
        compiled = jax.jit(epoch, donate_argnums=0).lower(state, X, T, jnp.zeros(count, jnp.int32)).compile()

        def train() -> None:
            nonlocal state
            order = rng.permutation(len(X))[:count].astype(np.int32)
            state = jax.block_until_ready(compiled(state, X, T, jnp.asarray(order)))

        def parameters() -> Parameters:
            return [
                (np.asarray(w) if inputs_first else np.asarray(w).T, np.asarray(b[0] if b else np.zeros(1)))
                for w, *b in state[0]
            ]

        return Contender(train, parameters)

    settings = [{"weights": w, "unroll": u} for w, u in product(("(in, out)", "(out, in)"), (1, 4))]
    return tuned(build, work, data, settings)


def scikit_learn(work: Workload, data: Data) -> Contender:
    """MLPClassifier.partial_fit, one epoch a call; for the quadratic workloads too it has the cross-entropy."""
    from sklearn.neural_network import MLPClassifier

    def build(work: Workload, data: Data, *, threads: int | None) -> Contender:
        adam = work.optimizer == "adam"
        model = MLPClassifier(
            work.sizes[1:-1],
            activation="relu" if work.activation == "relu" else "logistic",
            solver="adam" if adam else "sgd",
            learning_rate_init=work.learning_rate if adam else SKLEARN_RATE,
            momentum=0,
            alpha=0,
            batch_size=work.batch_size,
            random_state=1,
        )
        X, y = data.floats(work.dtype), data.labels
        first = max(400, work.batch_size)
        model.partial_fit(X[:first], y[:first], classes=np.arange(10))

        def train() -> None:
            model.partial_fit(X, y)

        return Contender(
            with_blas_threads(train, threads), lambda: list(zip(model.coefs_, model.intercepts_, strict=True))
        )

    return tuned(build, work, data, blas_settings())


SKLEARN_RATE = 0.3  # with the cross-entropy, learns as fast as the quadratic loss with 3.0


def numpy_program(work: Workload, data: Data) -> Contender:
    """The hand-written program that a workload comes from, with one BLAS thread or all."""
    return tuned(PROGRAMS[work.name[0]], work, data, blas_settings())


RIVALS: dict[str, Callable[[Workload, Data], Contender]] = {
    "NumPy program": numpy_program,
    "PyTorch": pytorch,
    "PyTorch compiled": pytorch_compiled,
    "JAX": jax_scan,
    "scikit-learn": scikit_learn,
}
