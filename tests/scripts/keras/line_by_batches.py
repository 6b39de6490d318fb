"""A line through noisy points, batch by batch, and once more with a loss that forgives outliers."""

import numpy as np
from keras import initializers, optimizers
from keras.layers import Dense
from keras.losses import Huber
from keras.models import Sequential

np.random.seed(1337)
X = np.linspace(-1, 1, 200)
np.random.shuffle(X)
Y = 0.5 * X + 2 + np.random.normal(0, 0.05, (200,))
X_train, Y_train, X_test, Y_test = X[:160], Y[:160], X[160:], Y[160:]

model = Sequential()
model.add(Dense(1, input_dim=1, kernel_initializer="zeros", bias_initializer=initializers.Ones()))
model.compile(loss="mse", optimizer="sgd")
for step in range(301):
    cost = model.train_on_batch(X_train, Y_train)
    if step % 100 == 0:
        print("train cost:", cost)
cost = model.evaluate(X_test, Y_test, batch_size=40, verbose=0)
W, b = model.layers[0].get_weights()
print("test cost:", cost, "weights:", W, "biases:", b)

model.optimizer.learning_rate = 0.001
print("slower:", float(model.optimizer.learning_rate))
Y_train[:8] += 30
robust = Sequential([Dense(1, input_dim=1)])
robust.compile(loss=Huber(), optimizer=optimizers.SGD(0.05), metrics=["mean_absolute_error"])
history = robust.fit(X_train, Y_train, epochs=100, batch_size=16, verbose=0)
print("robust:", [w.ravel() for w in robust.get_weights()])
score = float(robust.evaluate(X_test, Y_test, verbose=0)[1])
