"""Metrics of Keras and the data they are compared on. Run with Keras, it writes what Keras finds of each:

KERAS_BACKEND=jax python tests/helpers/keras_metrics.py > tests/data/keras_metrics.json
"""

from __future__ import annotations

import json

import numpy as np

RNG = np.random.RandomState(0)  # whose numbers are the same in every version of NumPy
COUNT = 57
SHARE = RNG.rand(COUNT, 1).astype("f4")
BINARY = (RNG.rand(COUNT, 1) > 0.5).astype("f4")
SHARES = RNG.dirichlet(np.ones(7), COUNT).astype("f4")
LABELS = RNG.randint(0, 7, COUNT)
ONE_HOT = np.eye(7, dtype="f4")[LABELS]
REALS, TARGETS = RNG.randn(COUNT, 2).astype("f4"), RNG.randn(COUNT, 2).astype("f4")
WEIGHTS = RNG.rand(COUNT).astype("f4")
STEPS = np.round(SHARE * 20) / 20  # which fall on thresholds

DATA = {
    "reals": (TARGETS, REALS),
    "share": (BINARY, SHARE),
    "flat": (BINARY[:, 0], SHARE),
    "steps": (BINARY, STEPS),
    "shares": (ONE_HOT, SHARES),
    "labels": (LABELS, SHARES),
    "columns": (LABELS[:, None], SHARES),
    "logits": (BINARY, SHARE * 8 - 4),
}


def cases():
    """(class, its arguments, the name of the data)."""
    regression = "MeanSquaredError RootMeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError LogCoshError"
    regression += " MeanSquaredLogarithmicError CosineSimilarity R2Score Hinge SquaredHinge CategoricalHinge Poisson"
    for name in [*regression.split(), "KLDivergence", "Accuracy"]:
        yield from ((name, {}, data) for data in ("reals", "share"))
    yield "R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, "reals"
    yield "MeanAbsoluteError", {}, "flat"
    for name in ("Hinge", "CategoricalHinge", "KLDivergence", "CategoricalAccuracy", "CategoricalCrossentropy"):
        yield name, {}, "shares"
    counts = "BinaryAccuracy AUC Precision Recall TruePositives FalsePositives TrueNegatives FalseNegatives"
    for name in counts.split():
        yield from ((name, {}, data) for data in ("share", "steps", "shares"))
    yield "BinaryAccuracy", {"threshold": 0.3}, "share"
    yield from (("Precision", {"thresholds": some}, "steps") for some in ([0.2, 0.5, 0.8], [0, 0.5, 1]))
    yield "Precision", {"top_k": 2}, "shares"
    yield "Recall", {"top_k": 2, "class_id": 1}, "shares"
    yield "Recall", {"class_id": 1, "thresholds": 0.1}, "shares"
    for curve in ("ROC", "PR"):
        for method in ("interpolation", "minoring", "majoring"):
            options = {"curve": curve, "summation_method": method}
            yield "AUC", options | {"num_thresholds": 20}, "steps"
            yield "AUC", options | {"num_thresholds": 20, "multi_label": True}, "shares"
            yield "AUC", options | {"thresholds": [0.3, 0.4, 0.9]}, "share"
    yield "AUC", {"from_logits": True}, "logits"
    yield "AUC", {"multi_label": True, "label_weights": [1.0, 2, 3, 4, 5, 6, 7]}, "shares"
    for name, argument, value in (
        ("SensitivityAtSpecificity", "specificity", 0.6),
        ("SpecificityAtSensitivity", "sensitivity", 0.3),
        ("PrecisionAtRecall", "recall", 0.4),
        ("RecallAtPrecision", "precision", 0.5),
    ):
        yield from ((name, {argument: value, "num_thresholds": count}, "steps") for count in (1, 7, 200))
    yield from (("BinaryCrossentropy", {}, data) for data in ("share", "shares"))
    yield "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"
    yield "CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "shares"
    for name in ("SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"):
        yield from ((name, {}, data) for data in ("labels", "columns"))
    for k in (1, 3, 5):
        yield "TopKCategoricalAccuracy", {"k": k}, "shares"
        yield "SparseTopKCategoricalAccuracy", {"k": k}, "labels"
    for average in (None, "micro", "macro", "weighted"):
        yield "F1Score", {"average": average}, "shares"
        yield "FBetaScore", {"average": average, "beta": 2.0, "threshold": 0.2}, "shares"


CASES = {f"{name} {json.dumps(options)} {data}": (name, options, data) for name, options, data in cases()}


def found(metric, data, weighted):
    """Its figure after two batches."""
    for rows in (slice(30), slice(30, None)):
        weights = (WEIGHTS[rows],) * weighted
        metric.update_state(*(array[rows] for array in DATA[data]), *weights)
    return np.asarray(metric.result(), float).tolist()


if __name__ == "__main__":
    from keras import metrics

    figures = {
        case: [found(getattr(metrics, name)(**options), data, weighted) for weighted in (False, True)]
        for case, (name, options, data) in CASES.items()
    }
    print(json.dumps(json.loads(json.dumps(figures), parse_float=lambda text: float(f"{float(text):.6g}")), indent=0))
