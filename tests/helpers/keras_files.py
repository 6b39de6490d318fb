"""Models whose files Keras wrote into tests/data, with what it predicts. Run with Keras, this writes them anew:

KERAS_BACKEND=jax python tests/helpers/keras_files.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "data"
X = (np.arange(24, dtype=np.float32).reshape(6, 4) % 7) / 7
LABELS = np.arange(6) % 3


def sequential(keras):
    """What most programs save."""
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(5, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(3, activation="softmax", kernel_regularizer="l2"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "sparse_categorical_crossentropy"])
    return model


def functional(keras):
    """A chain that is called layer by layer, with a model in it and layers of other kinds."""
    inner = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4, "tanh")])
    inputs = keras.layers.Input((4,))
    outputs = keras.layers.Activation("relu")(keras.layers.Dense(5, use_bias=False)(inputs))
    outputs = keras.layers.Dense(1, "sigmoid")(inner(outputs))
    model = keras.Model(inputs, outputs)
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    loss = keras.losses.BinaryCrossentropy()
    model.compile(keras.optimizers.SGD(rate), loss, metrics=[keras.metrics.AUC(name="area")])
    return model


MODELS = {"sequential": (sequential, X, LABELS), "functional": (functional, X, LABELS % 2)}
ENDINGS = {"sequential": (".keras", ".h5", ".weights.h5"), "functional": (".keras", ".h5")}


def trained(keras, name):
    """A model that has gone three epochs."""
    make, x, y = MODELS[name]
    keras.utils.set_random_seed(1)
    model = make(keras)
    model.fit(x, y, batch_size=4, epochs=3, verbose=0)
    return model


if __name__ == "__main__":
    import keras

    found = {}
    for name, (_, x, y) in MODELS.items():
        model = trained(keras, name)
        for ending in ENDINGS[name]:
            (model.save_weights if "weights" in ending else model.save)(DATA / f"keras_{name}{ending}")
        found[name] = {"predict": model.predict(x, verbose=0).tolist(), "json": model.to_json()}
        if name == "functional":  # which has no random masks
            found[name]["fit"] = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    (DATA / "keras_files.json").write_text(json.dumps(found, indent=0))
