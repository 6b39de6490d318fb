"""Iris by Keras 2's wrapper for scikit-learn, cross-validated."""

import numpy
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import np_utils
from keras.wrappers.scikit_learn import KerasClassifier
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import LabelEncoder

seed = 7
numpy.random.seed(seed)
X, species = load_iris(return_X_y=True)
encoder = LabelEncoder()
encoder.fit(species)
dummy_y = np_utils.to_categorical(encoder.transform(species))


def baseline_model():
    model = Sequential()
    model.add(Dense(8, input_dim=4, activation="relu"))
    model.add(Dense(3, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


estimator = KerasClassifier(build_fn=baseline_model, epochs=100, batch_size=5, verbose=0)
kfold = KFold(n_splits=3, shuffle=True, random_state=seed)
results = cross_val_score(estimator, X, dummy_y, cv=kfold)
print(f"Baseline: {results.mean() * 100:.2f}% ({results.std() * 100:.2f}%)")
score = results.mean()
