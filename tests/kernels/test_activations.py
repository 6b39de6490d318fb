"""The native activations against mpmath, and the same bits from every instruction set of this CPU.

FASTNN_SIMD is read at import, so each instruction set computes in an interpreter of its own.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from pathlib import Path

import mpmath
import numpy as np
import pytest
from problems import EPSILON, HIDDEN

ADAPTIVE = ("optimizer=3", "optimizer=4", "optimizer=5", "optimizer=6", "optimizer=7")  # from Adam on
PROGRAM = """
import sys
import numpy as np
import problems
from fastnn.kernels import native

points = dict(np.load(sys.argv[1]))
found = {"simd": np.array(native.simd)}
for dtype, x in points.items():
    for name in problems.HIDDEN:
        out = np.empty_like(x)
        native.activate(name, x, out)
        found[f"{name} {dtype}"] = out

NETS = [
    ((784, 30, 10), ("sigmoid", "softmax"), "cross_entropy"),
    ((33, 17, 100, 3), ("tanh", "leaky_relu", "sigmoid"), "binary_cross_entropy"),
    ((64, 56, 1), ("relu", "identity"), "mean_squared_error"),
    ((5, 1, 2), ("tanh", "sigmoid"), "quadratic"),
]
RULES = [
    problems.rule("sgd", 0.3), problems.rule("sgd", 0.3, l2=0.01), problems.rule("momentum", 0.05, momentum=0.9),
    problems.rule("nesterov", 0.05, momentum=0.9), problems.rule("adam", 0.01, l2=0.01),
]
KERAS_NETS = [
    ((33, 17, 24, 3), ("gelu", "silu", "exponential"), "poisson"),
    ((33, 40, 17, 3), ("elu", "selu", "sigmoid"), "normalised_cross_entropy"),
    ((64, 56, 2), ("softplus", "hard_sigmoid"), "clipped_binary_cross_entropy"),
    ((64, 56, 4), ("softsign", "softplus"), "mean_poisson"),
    ((20, 24, 5), ("gelu", "identity"), "huber"),
    ((20, 24, 5), ("silu", "gelu"), "mean_absolute_error"),
    ((20, 24, 17, 5), ("elu 0.7", "leaky_relu 0.3", "identity"), "mean_squared_error"),
]
KERAS_RULES = [
    problems.rule("rmsprop", 0.002), problems.rule("rmsprop", 0.002, momentum=0.9, l1=0.01),
    problems.rule("adamw", 0.002, weight_decay=0.1), problems.rule("nadam", 0.002, clip_value=0.01),
    problems.rule("adagrad", 0.01, l2=0.01), problems.rule("sgd", 0.05, clip_norm=0.05),
    problems.rule("adam", 0.002, global_clip_norm=0.1),
]
EVERY, SOME = ("bytes", "sparse", "offset", "dense"), ("bytes", "dense")
for nets, rules, kinds, batches in ((NETS, RULES, EVERY, (1, 7, 140)), (KERAS_NETS, KERAS_RULES, SOME, (12, 140))):
    for net in nets:
        for dtype in points:
            for inputs in kinds:
                problem = problems.make(*net, dtype=dtype, inputs=inputs, rows=150)
                out = problem.output()
                native.forward(problem.net, problem.params, problem.X, problem.scale, out)
                found[f"forward {dtype} {net} {inputs}"] = out
                for rule in rules:
                    for batch in batches:
                        result, params, state = problems.train(native, problem, range(150), batch, rule)
                        assert nets is NETS or result.batches == -(-150 // batch), (net, rule, result)
                        key = f"{dtype} {net} {inputs} {rule} {batch}"
                        found["loss " + key], found["params " + key] = np.array(result.loss), params
                        found["state " + key] = state
np.savez(sys.argv[2], **found)
"""


def instruction_sets():
    """Those of this CPU, by the operating system's account."""
    flags = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not flags.exists():
        return ["generic"]
    has = set(flags.read_text().split()).issuperset
    avx2 = has({"avx2", "fma"})
    avx512 = avx2 and has({"avx512f", "avx512bw", "avx512dq", "avx512vl"})
    amx = avx512 and has({"avx512_vnni", "amx_tile", "amx_int8"})
    return ["generic"] + ["avx2"] * avx2 + ["avx512"] * avx512 + ["amx"] * amx


SETS = instruction_sets()


@functools.cache
def points(dtype):
    """Where the activations are looked at: special values, every magnitude and the whole range before saturation."""
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    range_end = 110 if dtype == "float32" else 760
    ends = [info.smallest_subnormal, info.tiny, info.eps, info.max]
    limits = np.log([float(info.max), float(info.tiny), float(info.smallest_subnormal)])
    limits = np.append(limits, limits[2] - np.log(2)).astype(dtype)  # where exp ends, is subnormal, is 0
    magnitudes = np.logspace(np.log10(float(info.smallest_subnormal)), np.log10(float(info.max)) - 0.01, 700)
    parts = [
        [0.0, np.inf, np.nan, 0.5, 1.0, 2.0, 3 * float(info.smallest_subnormal), *map(float, ends)],
        magnitudes,
        limits,
        np.nextafter(limits, np.zeros_like(limits)),
        np.nextafter(limits, 2 * limits),
        rng.uniform(0, 1, 500),
        rng.uniform(0, 20, 1000),
        rng.uniform(0, range_end, 1500),
        np.arange(1, 30) * 0.5 * np.log(2),  # where the reduction of exp's argument changes
        [0.21939443, 0.5149326, 0.51939774, 4.157294, 4.5050907],  # the worst float32 of a search of them all,
        [6.237699, 6.5739603, 5.8911829, 15.596567, 26.688902, 59.949715],  # for each function with and without FMA;
        [0.0017119672, 0.0075221760, 7.608274, 2.7445118, 0.8275916, 63.002316],  # of Keras', of 24 million each
    ]
    x = np.concatenate(parts).astype(dtype)
    return np.concatenate([x, -x])


@pytest.fixture(scope="module")
def results(run_python, tmp_path_factory):
    """What each instruction set computes."""
    folder, found = tmp_path_factory.mktemp("simd"), {}
    np.savez(folder / "points.npz", **{dtype: points(dtype) for dtype in EPSILON})
    for simd in SETS:
        child = run_python(PROGRAM, str(folder / "points.npz"), str(folder / f"{simd}.npz"), FASTNN_SIMD=simd)
        assert child.returncode == 0, child.stderr
        with np.load(folder / f"{simd}.npz") as file:
            found[simd] = dict(file)
        assert found[simd].pop("simd") == simd
        for values in found[simd].values():
            values[np.isnan(values)] = np.nan  # of two factors that are no numbers a compiler may take either's sign
    return found


@functools.cache
def truth(name, dtype):
    """The function at every finite point, in 40 digits."""
    with mpmath.workdps(40):
        values = [mpmath.mpf(float(x)) for x in points(dtype)[np.isfinite(points(dtype))]]
        return [TRUTHS[name](x) for x in values]


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def normal_share(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2 if abs(x) < 1000 else mpmath.mpf(x > 0)


SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
TRUTHS = {
    "sigmoid": logistic,
    "tanh": mpmath.tanh,
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "selu": lambda x: mpmath.mpf(SELU_SCALE) * (x if x > 0 else mpmath.mpf(SELU_ALPHA) * mpmath.expm1(x)),
    "gelu": lambda x: x * normal_share(x),
    "silu": lambda x: x * logistic(x),
    "softplus": lambda x: max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "exponential": mpmath.exp,
}
OVERFLOWING = ("selu", "exponential")
UNITS = {"softplus": 3, "silu": 4, "gelu": 8}  # the largest of 24 million float32: 2.7, 3.3, 6.9
FACTORS = {"gelu": normal_share, "silu": logistic}  # of z


@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("simd", SETS)
def test_accuracy_over_the_whole_range(results, simd, name, dtype):
    """At most 2 units in the last place in float32, a relative error of 1e-15 in float64.

    Those in UNITS are products and quotients of rounded functions, of which none cancels, and have a wider bound.
    Subnormal results, which have no 53 digits to be right in, are within one unit of theirs. Of products with z it is
    the other factor that has no more digits, and so they are within |z| such units.
    """
    x, found = points(dtype), results[simd][f"{name} {dtype}"]
    found, info = found[np.isfinite(x)], np.finfo(dtype)
    exact = truth(name, dtype)
    fits = np.array([value <= float(info.max) for value in exact])
    assert fits.all() == (name not in OVERFLOWING)
    assert (found[~fits] == np.inf).all()
    assert np.isfinite(found[fits]).all()
    found, exact = found[fits], [value for value, fit in zip(exact, fits, strict=True) if fit]
    rounded = np.array([float(value) for value in exact]).astype(dtype)
    spacing = np.spacing(np.minimum(np.abs(rounded), info.max / 2))
    with mpmath.workdps(40):
        errors = [abs(mpmath.mpf(float(value)) - true) for value, true in zip(found, exact, strict=True)]
        units = np.array([float(e / mpmath.mpf(float(s))) for e, s in zip(errors, spacing, strict=True)])
        relative = np.array([float(e / abs(true)) if true else 0.0 for e, true in zip(errors, exact, strict=True)])
    tiny = np.array([abs(float(value)) for value in exact]) < float(info.tiny)
    allowed = np.ones(len(units))
    if name in FACTORS:
        z = x[np.isfinite(x)][fits]
        factors = np.array([float(FACTORS[name](mpmath.mpf(float(value)))) for value in z])
        tiny |= factors < float(info.tiny)
        allowed += np.abs(z) * float(info.smallest_subnormal) / spacing
    assert tiny.sum() >= 4
    print(f"{simd} {name} {dtype}: {units[~tiny].max():.3f} ulp, {relative[~tiny].max():.3g} relative")
    assert (units <= allowed)[tiny].all()
    if dtype == "float32":
        assert units[~tiny].max() <= UNITS.get(name, 2)
    else:
        assert relative[~tiny].max() <= 1e-15


@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("simd", SETS)
def test_hard_sigmoid_is_within_rounding_of_one(results, simd, dtype):
    """Near its lower corner z / 6 and 1 / 2 cancel, so no relative bound holds."""
    x = points(dtype)
    x, found = x[np.isfinite(x)].astype(np.longdouble), results[simd][f"hard_sigmoid {dtype}"][np.isfinite(x)]
    assert np.abs(found - np.clip(x / 6 + np.longdouble(0.5), 0, 1)).max() <= EPSILON[dtype] / 2


UNDEFINED = {"gelu": [-np.inf], "silu": [-np.inf], "softsign": [-np.inf, np.inf]}  # 0 * inf and inf / inf, as in NumPy


@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("simd", SETS)
def test_special_values(results, simd, dtype):
    x = points(dtype)
    found = {name: results[simd][f"{name} {dtype}"] for name in HIDDEN}
    nan = np.isnan(x)
    assert nan.sum() == 2
    for name in HIDDEN:
        undefined = nan | (np.isin(x, UNDEFINED[name]) if name in UNDEFINED else False)
        assert np.isnan(found[name][undefined]).all(), name
        assert not np.isnan(found[name][~undefined]).any(), name
    floor = -np.dtype(dtype).type(np.longdouble(SELU_SCALE) * np.longdouble(SELU_ALPHA))
    ends = {
        **{"sigmoid": (0, 1), "tanh": (-1, 1), "exponential": (0, np.inf), "hard_sigmoid": (0, 1)},
        **{"softplus": (0, np.inf), "elu": (-1, np.inf), "selu": (floor, np.inf)},
    }
    for name, (lowest, highest) in ends.items():
        assert found[name][x == -np.inf] == lowest
        assert found[name][x == np.inf] == highest
        assert found[name][~nan].min() == lowest
        assert found[name][~nan].max() == highest
    assert (np.nanmin(found["softsign"]), np.nanmax(found["softsign"])) == (-1, 1)
    assert found["gelu"][x == np.inf] == found["silu"][x == np.inf] == np.inf
    small = np.abs(x) <= np.finfo(dtype).tiny
    assert small.sum() >= 40
    assert (found["sigmoid"][small] == 0.5).all()
    assert (found["exponential"][small] == 1).all()
    for name in ("tanh", "elu", "softsign"):
        assert (found[name][small] == x[small]).all()
    assert (np.signbit(found["tanh"]) == np.signbit(x))[~nan].all()
    assert (found["identity"][~nan] == x[~nan]).all()
    assert (found["relu"][~nan] == np.maximum(x[~nan], 0)).all()
    slope = np.dtype(dtype).type(0.01)
    assert (found["leaky_relu"][~nan] == np.where(x > 0, x, slope * x)[~nan]).all()


def test_the_default_is_the_best_instruction_set(run_python):
    child = run_python("from fastnn.kernels import native; print(native.simd)")
    assert child.stdout.split() == [SETS[-1]], child.stderr


def digest(found):
    """One SHA-256 of every array."""
    total = hashlib.sha256()
    for key in sorted(found):
        total.update(key.encode() + found[key].tobytes())
    return total.hexdigest()


@pytest.mark.skipif("avx512" not in SETS, reason="needs a CPU with AVX-512")
def test_avx2_and_avx512_give_the_same_bits(results):
    different = [key for key in results["avx2"] if results["avx2"][key].tobytes() != results["avx512"][key].tobytes()]
    assert not different
    assert digest(results["avx2"]) == digest(results["avx512"])


@pytest.fixture(scope="module")
def workloads(run_python):
    """Per instruction set the digests of tests/workloads.py, one for each number of threads."""
    found = {}
    for simd in SETS:
        child = run_python("import runpy; runpy.run_module('workloads', run_name='__main__')", FASTNN_SIMD=simd)
        assert child.returncode == 0, child.stderr
        output = json.loads(child.stdout)
        assert output["simd"] == simd
        found[simd] = output["digests"]
    return found


@pytest.mark.parametrize("simd", SETS)
def test_weights_do_not_depend_on_the_number_of_threads(workloads, simd):
    digests = workloads[simd]
    assert {name.split()[0] for name in digests} == {*"ABCD", "narrow"}
    assert all(len(of_threads) == 4 and len(set(of_threads)) == 1 for of_threads in digests.values()), digests
    assert len({of_threads[0] for of_threads in digests.values()}) == len(digests)


@pytest.mark.skipif("avx512" not in SETS, reason="needs a CPU with AVX-512")
def test_weights_are_the_same_with_avx2_and_avx512(workloads):
    assert workloads["avx2"] == workloads["avx512"]


@pytest.mark.skipif("avx2" not in SETS, reason="needs a CPU with AVX2")
def test_generic_agrees_within_rounding(results):
    """Baseline x86-64 has no fused multiply-add, so the last bits differ; a few updates do not magnify that much."""
    generic, avx2 = results["generic"], results["avx2"]
    assert generic.keys() == avx2.keys()
    keys = [key for key in avx2 if key.startswith("forward") or (key.startswith("params") and key.endswith(" 140"))]
    assert len(keys) == 4 * 2 * 4 * (1 + 5) + 7 * 2 * 2 * (1 + 7)
    for key in keys:
        found, expected = generic[key], avx2[key]
        # Adam and its kind let the rounding of a tiny slope through in full
        adaptive = any(optimizer in key for optimizer in ADAPTIVE)
        limit = (20000 if adaptive else 32) * EPSILON["float32" if "float32" in key else "float64"]
        assert np.abs(found - expected).max() <= limit * np.abs(expected).max(), key
