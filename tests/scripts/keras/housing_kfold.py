"""House prices, validated on each fourth of the data in turn."""

import numpy as np
from keras import layers, models

rng = np.random.RandomState(1)
train_data = rng.rand(404, 13) * rng.randint(1, 400, 13)
train_targets = 20 + (train_data / train_data.std(axis=0)) @ rng.randn(13)
train_data -= train_data.mean(axis=0)
train_data /= train_data.std(axis=0)


def build_model():
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu", input_shape=(train_data.shape[1],)))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


k = 4
num_val_samples = len(train_data) // k
all_scores = []
for i in range(k):
    held_out = slice(i * num_val_samples, (i + 1) * num_val_samples)
    model = build_model()
    history = model.fit(
        np.delete(train_data, np.r_[held_out], axis=0),
        np.delete(train_targets, np.r_[held_out], axis=0),
        validation_data=(train_data[held_out], train_targets[held_out]),
        epochs=60,
        batch_size=8,
        verbose=0,
    )
    all_scores.append(history.history["val_mae"][-1])
print("mean absolute errors:", np.round(all_scores, 2))
print("of the mean:", np.abs(train_targets - train_targets.mean()).mean().round(2))
score = np.mean(all_scores)
