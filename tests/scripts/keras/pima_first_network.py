"""A first network: whether a patient has diabetes, from eight numbers."""

import numpy as np
from keras.layers import Dense
from keras.models import Sequential

np.random.seed(7)

# What the file of the tutorials holds is made here: eight inputs, and whether a weighted sum of them is large
dataset = np.random.rand(768, 9) * [17, 199, 122, 99, 846, 67, 2.4, 81, 1]
dataset[:, 8] = (dataset[:, 1] / 199 + dataset[:, 5] / 67 + 0.2 * np.random.randn(768)) > 1
X = dataset[:, 0:8]
Y = dataset[:, 8]

model = Sequential()
model.add(Dense(12, input_dim=8, activation="relu"))
model.add(Dense(8, activation="relu"))
model.add(Dense(1, activation="sigmoid"))

model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(X, Y, epochs=150, batch_size=10, verbose=0)

scores = model.evaluate(X, Y)
print(f"\n{model.metrics_names[1]}: {scores[1] * 100:.2f}%")
rounded = [round(float(x[0])) for x in model.predict(X)]
print(rounded[:5], "expected", Y[:5])
score = scores[1]
