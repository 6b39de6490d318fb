"""TensorFlow's basic regression: a car's fuel efficiency, until the validation loss gets no better."""

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.random.set_seed(1)
rng = np.random.RandomState(1)
dataset = pd.DataFrame(
    {
        "Cylinders": rng.choice([4.0, 6.0, 8.0], 392),
        "Horsepower": rng.uniform(50, 200, 392),
        "Weight": rng.uniform(1600, 5000, 392),
        "Model Year": rng.uniform(70, 82, 392),
        "Origin": rng.choice([1, 2, 3], 392),
    }
)
origin = dataset.pop("Origin")
dataset["USA"] = (origin == 1) * 1.0
dataset["Japan"] = (origin == 3) * 1.0
mpg = 45 - dataset["Weight"] / 250 + (dataset["Model Year"] - 70) / 2 + rng.randn(392)
normed = (dataset - dataset.mean()) / dataset.std()


class PrintDot(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch % 100 == 0:
            print("")
        print(".", end="")


model = keras.Sequential(
    [
        layers.Dense(64, activation="relu", input_shape=[len(normed.keys())]),
        layers.Dense(64, activation="relu"),
        layers.Dense(1),
    ]
)
model.compile(loss="mse", optimizer=tf.keras.optimizers.RMSprop(0.001), metrics=["mae", "mse"])
early_stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
history = model.fit(
    normed[:300], mpg[:300], epochs=200, validation_split=0.2, verbose=0, callbacks=[early_stop, PrintDot()]
)
hist = pd.DataFrame(history.history)
hist["epoch"] = history.epoch
print(hist.tail(2).round(2))
loss, score, mse = model.evaluate(normed[300:], mpg[300:], verbose=0)
print(f"Testing set mean absolute error: {score:5.2f} MPG")
print(model.predict(normed[300:]).flatten()[:3])
