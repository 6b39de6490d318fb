"""TensorFlow's basic classification, of digits."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

tf.random.set_seed(5)
class_names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
(train_images, train_labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
train_images, train_labels = train_images[:6000] / 255.0, train_labels[:6000]
test_images, test_labels = test_images[:1000] / 255.0, test_labels[:1000]


class Enough(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if logs.get("accuracy") > 0.95:
            print("\nReached 95% accuracy so cancelling training!")
            self.model.stop_training = True


model = keras.Sequential(
    [
        keras.layers.Flatten(input_shape=(28, 28)),
        keras.layers.Dense(64, activation=tf.nn.relu),
        keras.layers.Dense(10, activation=tf.nn.softmax),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train_images, train_labels, epochs=8, callbacks=[Enough()])
test_loss, score = model.evaluate(test_images, test_labels)
predictions = model.predict(test_images)
print(class_names[np.argmax(predictions[0])], "is", class_names[test_labels[0]])
