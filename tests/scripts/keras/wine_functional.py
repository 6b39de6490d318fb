"""Three kinds of wine, by the functional interface."""

from keras.layers import Dense, Dropout, Input
from keras.models import Model
from keras.optimizers import Nadam
from keras.utils import set_random_seed
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

set_random_seed(4)
X, y = load_wine(return_X_y=True)
X = scale(X)

inputs = Input(shape=(13,))
x = Dense(16, activation="elu")(inputs)
x = Dropout(0.1)(x)
x = Dense(8, activation="swish")(x)
predictions = Dense(3, activation="softmax")(x)
model = Model(inputs=inputs, outputs=predictions)
model.summary()

model.compile(optimizer=Nadam(0.01), loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
history = model.fit(X, y, epochs=40, batch_size=16, verbose=0)
loss, score = model.evaluate(X, y, verbose=0)
print(f"loss {loss:.3f}, accuracy {score:.3f}")
