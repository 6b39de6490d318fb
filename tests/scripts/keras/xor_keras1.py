"""Exclusive or, in the words of Keras 1."""

import numpy as np
from keras.layers.core import Activation, Dense
from keras.models import Sequential
from keras.optimizers import SGD

np.random.seed(3)

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
y = np.array([[0], [1], [1], [0]], "float32")

model = Sequential()
model.add(Dense(output_dim=16, input_dim=2, init="glorot_uniform"))
model.add(Activation("tanh"))
model.add(Dense(output_dim=1))
model.add(Activation("sigmoid"))

model.compile(loss="binary_crossentropy", optimizer=SGD(lr=0.1, momentum=0.9), metrics=["binary_accuracy"])
history = model.fit(X, y, nb_epoch=500, batch_size=1, verbose=0)

classes = model.predict_classes(X)
print(model.predict_proba(X).round(2))
print("classes:", classes.ravel())
score = float((classes == y).mean())
