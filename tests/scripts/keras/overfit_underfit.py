"""Too large a network, held back by weight decay, dropout and a rate that falls."""

import keras
import numpy as np
from keras import layers, regularizers

keras.utils.set_random_seed(6)
rng = np.random.default_rng(6)
X = rng.normal(size=(800, 28)).astype("float32")
y = ((X[:, :1] * X[:, 1:2] > 0) ^ (X[:, 2:3] > 1)).astype("float32")

lr_schedule = keras.optimizers.schedules.InverseTimeDecay(0.003, decay_steps=20 * 60, decay_rate=1, staircase=False)
models = {
    "plain": [layers.Dense(64, activation="elu"), layers.Dense(64, activation="elu")],
    "combined": [
        layers.Dense(64, kernel_regularizer=regularizers.l2(0.001), activation="elu"),
        layers.Dropout(0.3),
        layers.Dense(64, kernel_regularizer=keras.regularizers.L1L2(1e-5, 1e-3), activation="elu"),
        layers.Dropout(0.3),
    ],
}
histories = {}
for name, hidden in models.items():
    model = keras.Sequential([layers.Input((28,)), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(
        optimizer=keras.optimizers.AdamW(lr_schedule, weight_decay=1e-4),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryCrossentropy(name="binary_crossentropy"), "accuracy"],
    )
    histories[name] = model.fit(X[:600], y[:600], epochs=60, validation_data=(X[600:], y[600:]), verbose=0)
    print(name, {key: round(float(values[-1]), 3) for key, values in histories[name].history.items()})
history = histories["combined"]
# the penalties of the weights are in the loss, and not in the metric
assert history.history["loss"][-1] > history.history["binary_crossentropy"][-1]
score = history.history["val_accuracy"][-1]
