"""Sonar returns: sixty standardised inputs, with and without dropout."""

import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import SGD
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, StandardScaler

rng = np.random.RandomState(7)
mines = rng.rand(208) < 0.5
X = rng.rand(208, 60) + 0.25 * mines[:, None] * np.sin(np.arange(60) / 10)
Y = np.where(mines, "M", "R")
encoded = LabelEncoder().fit_transform(Y)
X_train, X_test, y_train, y_test = train_test_split(X, encoded, test_size=0.3, random_state=7)
scaler = StandardScaler().fit(X_train)


def create_model(rate):
    model = Sequential()
    if rate:
        model.add(Dropout(rate, input_shape=(60,)))
    model.add(Dense(60, input_dim=60, kernel_initializer="normal", activation="relu"))
    model.add(Dense(30, kernel_initializer="normal", activation="relu"))
    model.add(Dense(1, kernel_initializer="normal", activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=SGD(0.03, momentum=0.9), metrics=["accuracy"])
    return model


for rate in (0, 0.2):
    model = create_model(rate)
    history = model.fit(scaler.transform(X_train), y_train, epochs=60, batch_size=16, validation_split=0.1, verbose=0)
    loss, score = model.evaluate(scaler.transform(X_test), y_test, verbose=0)
    print(f"dropout {rate}: {score:.3f}")
