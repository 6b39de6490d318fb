"""Digits through a layer of 32 numbers and back."""

import keras
from keras import layers
from keras.datasets import mnist

keras.utils.set_random_seed(9)
(x_train, _), (x_test, _) = mnist.load_data()
x_train = x_train[:4000].astype("float32").reshape((4000, 784)) / 255.0
x_test = x_test[:500].astype("float32").reshape((500, 784)) / 255.0

input_img = keras.Input(shape=(784,))
encoded = layers.Dense(32, activation="relu")(input_img)
decoded = layers.Dense(784, activation="sigmoid")(encoded)
autoencoder = keras.Model(input_img, decoded)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
history = autoencoder.fit(
    x_train, x_train, epochs=8, batch_size=128, shuffle=True, validation_data=(x_test, x_test), verbose=2
)
decoded_imgs = autoencoder.predict(x_test)
print(decoded_imgs.shape)
score = history.history["val_loss"][-1]
