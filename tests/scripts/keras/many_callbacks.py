"""The callbacks that training has, all at once."""

import csv

import keras
import numpy as np
from keras import callbacks, layers

keras.utils.set_random_seed(8)
rng = np.random.default_rng(8)
X = rng.random((500, 10))
y = (X @ np.arange(10) > X.sum(axis=1) * 4.5).astype(int)

model = keras.Sequential([layers.Input((10,)), layers.Dense(16, "gelu"), layers.Dense(1, "sigmoid")])
model.compile(keras.optimizers.Adam(0.05, clipnorm=1.0), "binary_crossentropy", metrics=["accuracy"])
seen = []
history = model.fit(
    X,
    y,
    batch_size=25,
    epochs=40,
    validation_split=0.2,
    verbose=0,
    callbacks=[
        callbacks.ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True, verbose=0),
        callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=3, min_lr=1e-4),
        callbacks.EarlyStopping(monitor="val_loss", patience=12, restore_best_weights=True),
        callbacks.CSVLogger("log.csv"),
        callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
        callbacks.TerminateOnNaN(),
    ],
)
with open("log.csv") as file:
    rows = list(csv.DictReader(file))
print(len(rows), "epochs, learning rates", sorted({row["learning_rate"] for row in rows}))
best = keras.models.load_model("best.keras")
loss, score = best.evaluate(X[400:], y[400:], verbose=0)
print("best:", loss, "smallest of the history:", min(history.history["val_loss"]))
assert abs(loss - min(history.history["val_loss"])) < 1e-5
