"""A learning rate that drops every ten epochs, and one that falls with each update."""

import math

import numpy as np
from keras.callbacks import LearningRateScheduler
from keras.layers import Dense
from keras.models import Sequential
from keras.optimizers import SGD

np.random.seed(7)
X = np.random.randn(351, 34)
Y = (X[:, :5].sum(axis=1) > 0).astype(int)


def step_decay(epoch):
    return 0.1 * math.pow(0.5, math.floor((1 + epoch) / 10.0))


def fit(optimizer, **options):
    model = Sequential()
    model.add(Dense(34, input_dim=34, kernel_initializer="random_normal", activation="relu"))
    model.add(Dense(1, kernel_initializer="random_normal", activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return model.fit(X, Y, validation_split=0.33, epochs=40, batch_size=28, verbose=0, **options)


timed = fit(SGD(learning_rate=0.1, momentum=0.8, decay=0.1 / 40, nesterov=False))
history = fit(SGD(learning_rate=0.1, momentum=0.9), callbacks=[LearningRateScheduler(step_decay)])
print([round(float(rate), 5) for rate in history.history["learning_rate"][::10]])
print("val_accuracy:", timed.history["val_accuracy"][-1], history.history["val_accuracy"][-1])
score = min(timed.history["val_accuracy"][-1], history.history["val_accuracy"][-1])
