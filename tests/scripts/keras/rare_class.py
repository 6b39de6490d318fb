"""One sample in ten of a class that matters: weights of classes, precision, recall and the area under the curve."""

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(10)
rng = np.random.default_rng(10)
X = rng.normal(size=(1500, 12))
y = (X[:, :3].sum(axis=1) + 0.4 * rng.normal(size=1500) > 2.3).astype("float32")
neg, pos = np.bincount(y.astype(int))
print(f"Total: {len(y)}, positive: {pos}")

METRICS = [
    keras.metrics.BinaryAccuracy(name="accuracy"),
    keras.metrics.Precision(name="precision"),
    keras.metrics.Recall(name="recall"),
    keras.metrics.AUC(name="auc"),
]
model = keras.Sequential(
    [
        keras.Input(shape=(12,)),
        layers.Dense(16, activation="softplus"),
        layers.Dense(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(np.log(pos / neg))),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="binary_crossentropy", metrics=METRICS)
history = model.fit(
    X[:1000],
    y[:1000],
    batch_size=50,
    epochs=30,
    validation_data=(X[1000:], y[1000:]),
    class_weight={0: 0.6, 1: 4.0},
    verbose=0,
)
results = model.evaluate(X[1000:], y[1000:], verbose=0, return_dict=True)
for name in ("accuracy", "precision", "recall", "auc"):
    print(f"{name}: {results[name]:.3f}")
score = results["auc"]
