"""Handwritten digits, as an example of Keras 2 had it."""

import keras
from keras.datasets import mnist
from keras.layers import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import Adagrad

print("Keras", keras.__version__)
keras.utils.set_random_seed(0)
batch_size, num_classes, epochs = 64, 10, 3

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train[:6000].reshape(6000, 784).astype("float32")
x_test = x_test[:1000].reshape(1000, 784).astype("float32")
x_train /= 255
x_test /= 255
y_train = keras.utils.to_categorical(y_train[:6000], num_classes)
y_test = keras.utils.to_categorical(y_test[:1000], num_classes)

model = Sequential()
model.add(Dense(64, activation="relu", input_shape=(784,)))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation="softmax"))
model.summary()
model.compile(
    loss=keras.losses.categorical_crossentropy, optimizer=Adagrad(learning_rate=0.05), metrics=["categorical_accuracy"]
)
history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=1, validation_data=(x_test, y_test))
result = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", result[0])
print("Test accuracy:", result[1])
score = result[1]
