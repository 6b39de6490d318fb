"""Which of a thousand words a review has, and whether it is a good one: names of functions, not strings."""

import numpy as np
from keras import layers, losses, metrics, models, optimizers

np.random.seed(0)
good = np.random.randint(0, 2, 1500)
sequences = [np.random.randint(0, 500 + 500 * label, 60) for label in good]


def vectorize_sequences(sequences, dimension=1000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x = vectorize_sequences(sequences)
y = np.asarray(good).astype("float32")

model = models.Sequential()
model.add(layers.Dense(16, activation="relu", input_shape=(1000,)))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(
    optimizer=optimizers.RMSprop(learning_rate=0.001),
    loss=losses.binary_crossentropy,
    metrics=[metrics.binary_accuracy],
)
history = model.fit(x[500:], y[500:], epochs=8, batch_size=64, validation_data=(x[:500], y[:500]), verbose=2)
history_dict = history.history
print(list(history_dict.keys()))
score = history_dict["val_binary_accuracy"][-1]
