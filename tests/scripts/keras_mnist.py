"""Handwritten digits in Keras, as a reader of its tutorials would write it."""

import numpy as np
from keras import callbacks, layers, models, optimizers, utils
from keras.datasets import mnist

utils.set_random_seed(812)

# The data: images of 28 x 28 pixels, a few thousand of them
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train, y_train = x_train[:2000] / 255.0, y_train[:2000]
x_test, y_test = x_test[:500] / 255.0, y_test[:500]

# A first network
model = models.Sequential(
    [
        layers.Input(shape=(28, 28)),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=4, batch_size=32, validation_split=0.2)
print(list(history.history))
test_loss, test_accuracy = model.evaluate(x_test, y_test)
print(f"Test loss: {test_loss:.4f}, test accuracy: {test_accuracy:.4f}")
predictions = model.predict(x_test[:40])
print(predictions.argmax(axis=1)[:10], y_test[:10])
first_weights = model.get_weights()


# A second one on flat images and one-hot targets, which stops early
class Report(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"after epoch {epoch}: {logs['val_loss']:.4f}")


x_flat, x_flat_test = x_train.reshape((2000, 784)), x_test.reshape((500, 784))
one_hot, one_hot_test = utils.to_categorical(y_train, 10), utils.to_categorical(y_test, 10)
model = models.Sequential(
    [layers.Input((784,)), layers.Dense(24, activation="tanh"), layers.Dense(10, activation="softmax")]
)
model.compile(
    optimizer=optimizers.SGD(learning_rate=0.5, momentum=0.5, nesterov=True),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(
    x_flat,
    one_hot,
    epochs=12,
    batch_size=50,
    verbose=2,
    validation_data=(x_flat_test, one_hot_test),
    callbacks=[Report(), callbacks.EarlyStopping(patience=1, restore_best_weights=True, verbose=1)],
)
print("epochs:", len(history.epoch), "best:", int(np.argmin(history.history["val_loss"])))
model.evaluate(x_flat_test, one_hot_test, verbose=2)
second_weights = model.get_weights()
