"""relu against selu on the topics of newswires, by one function that builds each network."""

import keras
import numpy as np
from keras.layers import Activation, Dense, Dropout
from keras.models import Sequential

keras.utils.set_random_seed(11)
rng = np.random.RandomState(11)
topics = rng.randint(0, 6, 1200)
x = (rng.rand(1200, 200) < 0.05 + 0.2 * (np.arange(200) % 6 == topics[:, None])).astype("float32")
y = keras.utils.to_categorical(topics)


def create_network(n_dense=3, dense_units=16, activation="selu", dropout_rate=0.1, kernel_initializer="lecun_normal"):
    model = Sequential()
    model.add(Dense(dense_units, input_shape=(200,), kernel_initializer=kernel_initializer))
    model.add(Activation(activation))
    model.add(Dropout(dropout_rate))
    for _ in range(n_dense - 1):
        model.add(Dense(dense_units, kernel_initializer=kernel_initializer))
        model.add(Activation(activation))
        model.add(Dropout(dropout_rate))
    model.add(Dense(6))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    return model


network1 = {"activation": "relu", "kernel_initializer": "glorot_uniform"}
network2 = {"activation": "selu", "kernel_initializer": "lecun_normal"}
scores = []
for network in (network1, network2):
    model = create_network(**network)
    history = model.fit(x, y, batch_size=16, epochs=15, verbose=0, validation_split=0.1)
    loss, accuracy = model.evaluate(x, y, batch_size=16, verbose=0)
    scores.append(accuracy)
    print(network["activation"], "loss:", loss, "accuracy:", accuracy)
score = scores[1]
