"""A model's layers as JSON, its weights in a file of their own."""

import numpy as np
from keras.layers import Dense
from keras.models import Sequential, model_from_json

np.random.seed(7)
X = np.random.rand(400, 8)
Y = (X[:, 1] + X[:, 5] > 1).astype("float32")

model = Sequential()
model.add(Dense(12, input_dim=8, kernel_initializer="uniform", activation="relu"))
model.add(Dense(8, kernel_initializer="uniform", activation="relu"))
model.add(Dense(1, kernel_initializer="uniform", activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(X, Y, epochs=60, batch_size=10, verbose=0)
scores = model.evaluate(X, Y, verbose=0)
print(f"{model.metrics_names[1]}: {scores[1] * 100:.2f}%")

with open("model.json", "w") as json_file:
    json_file.write(model.to_json())
model.save_weights("model.weights.h5")
print("Saved model to disk")

with open("model.json") as json_file:
    loaded_model = model_from_json(json_file.read())
loaded_model.load_weights("model.weights.h5")
print("Loaded model from disk")
loaded_model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
again = loaded_model.evaluate(X, Y, verbose=0)
print(f"{loaded_model.metrics_names[1]}: {again[1] * 100:.2f}%")
score = again[1]
