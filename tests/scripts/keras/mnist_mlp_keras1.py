"""Handwritten digits, as an example of Keras 1 had it."""

import numpy as np
from keras.datasets import mnist
from keras.layers.core import Activation, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.utils import np_utils

np.random.seed(1337)  # for reproducibility
batch_size, nb_classes, nb_epoch = 128, 10, 3

(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train[:6000].reshape(6000, 784).astype("float32") / 255
X_test = X_test[:1000].reshape(1000, 784).astype("float32") / 255
print(X_train.shape[0], "train samples")
Y_train = np_utils.to_categorical(y_train[:6000], nb_classes)
Y_test = np_utils.to_categorical(y_test[:1000], nb_classes)

model = Sequential()
model.add(Dense(64, input_shape=(784,)))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(64))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(10))
model.add(Activation("softmax"))
model.summary()

model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])
history = model.fit(
    X_train, Y_train, batch_size=batch_size, nb_epoch=nb_epoch, verbose=1, validation_data=(X_test, Y_test)
)
result = model.evaluate(X_test, Y_test, verbose=0)
print("Test score:", result[0])
print("Test accuracy:", result[1])
score = result[1]
