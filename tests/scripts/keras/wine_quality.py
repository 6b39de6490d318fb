"""The quality of a wine, a number: regression of a data frame."""

import numpy as np
import pandas as pd
from keras.layers import Dense
from keras.models import Sequential
from keras.optimizers import RMSprop
from sklearn.metrics import r2_score

rng = np.random.RandomState(0)
columns = ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "alcohol"]
wines = pd.DataFrame(rng.randn(600, 6), columns=columns)
wines["quality"] = 6 + wines["alcohol"] - 0.5 * wines["volatile acidity"] + 0.1 * rng.randn(600)
y = wines.pop("quality")

model = Sequential()
model.add(Dense(64, input_dim=6, activation="relu"))
model.add(Dense(1))
model.compile(optimizer=RMSprop(learning_rate=0.002), loss="mse", metrics=["mae"])
history = model.fit(wines[:500], y[:500], epochs=40, batch_size=16, validation_split=0.1, verbose=0)
mse_value, mae_value = model.evaluate(wines[500:], y[500:], verbose=0)
score = r2_score(y[500:], model.predict(wines[500:]))
print(f"mse {mse_value:.3f}, mae {mae_value:.3f}, r2 {score:.3f}")
