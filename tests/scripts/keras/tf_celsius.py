"""One neuron that turns degrees Celsius into Fahrenheit."""

import numpy as np
import tensorflow as tf

celsius = np.array([-40, -10, 0, 8, 15, 22, 38], dtype=float)
fahrenheit = np.array([-40, 14, 32, 46, 59, 72, 100], dtype=float)

l0 = tf.keras.layers.Dense(units=1, input_shape=[1])
model = tf.keras.Sequential([l0])
model.compile(loss="mean_squared_error", optimizer=tf.keras.optimizers.Adam(0.1))
history = model.fit(celsius, fahrenheit, epochs=1500, verbose=False)
print("Finished training the model")
boiling = float(model.predict(np.array([100.0]))[0, 0])
print(f"100 degrees: {boiling:.1f}")
print(f"These are the layer variables: {l0.get_weights()}")
score = abs(boiling - 212)
