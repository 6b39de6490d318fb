"""Keras' wrappers for scikit-learn, in what scikit-learn does with estimators."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras.wrappers import SKLearnClassifier, SKLearnRegressor
from fastnn.dropin.keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
CLASSES = np.array(["a", "b", "c"])[X[:, :3].argmax(axis=1)]
TWO = (X[:, 0] > 0) * 1
NUMBERS = X @ [1.0, 2.0, 0.0, -1.0]


def build(units=8, activation="tanh", optimizer="adam"):
    model = keras.Sequential([keras.layers.Dense(units, activation, input_dim=4), keras.layers.Dense(3, "softmax")])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def build_two():
    model = keras.Sequential([keras.layers.Dense(8, "relu", input_dim=4), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def build_regressor(rate=0.05):
    model = keras.Sequential([keras.layers.Dense(8, "tanh", input_dim=4), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


def three(X, y, units=8):
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(units, "tanh")])
    model.add(keras.layers.Dense(y.shape[1], "softmax"))
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    return model


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def test_a_classifier_of_named_classes():
    estimator = KerasClassifier(build_fn=build, units=16, epochs=60, batch_size=10, verbose=0)
    history = estimator.fit(X, CLASSES)
    assert len(history.epoch) == 60
    assert estimator.model.layers[0].units == 16
    assert estimator.classes_.tolist() == ["a", "b", "c"]
    predicted = estimator.predict(X)
    assert predicted.shape == (90,)
    assert (predicted == CLASSES).mean() == pytest.approx(estimator.score(X, CLASSES))
    assert estimator.score(X, CLASSES) > 0.9
    assert estimator.predict_proba(X).shape == (90, 3)
    assert np.allclose(estimator.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    assert len(estimator.fit(X, keras.utils.to_categorical(TWO, 3), epochs=2).epoch) == 2
    assert estimator.classes_.tolist() == [0, 1, 2]


def test_a_classifier_with_one_output():
    estimator = KerasClassifier(build_two, epochs=30, verbose=0)
    estimator.fit(X, TWO)
    assert estimator.predict(X).shape == (90, 1)
    assert estimator.predict_proba(X).shape == (90, 2)
    assert estimator.score(X, TWO) == pytest.approx((estimator.predict(X)[:, 0] == TWO).mean())
    assert estimator.score(X, TWO) > 0.9


def test_a_regressor():
    estimator = KerasRegressor(build_regressor, nb_epoch=100, verbose=0)
    assert len(estimator.fit(X, NUMBERS).epoch) == 100
    assert estimator.predict(X).shape == (90,)
    assert estimator.score(X, NUMBERS) == pytest.approx(-np.mean((estimator.predict(X) - NUMBERS) ** 2), rel=1e-4)
    assert estimator.score(X, NUMBERS) > -0.5


def test_parameters():
    estimator = KerasClassifier(build, units=16, epochs=3)
    assert estimator.get_params() == {"units": 16, "epochs": 3, "build_fn": build}
    assert estimator.set_params(units=4, batch_size=7) is estimator
    assert estimator.get_params()["batch_size"] == 7
    assert repr(KerasRegressor(build_regressor, rate=1)).startswith("KerasRegressor(rate=1, build_fn=<function")
    assert estimator.filter_sk_params(build, {"activation": "relu"}) == {"units": 4, "activation": "relu"}
    for wrong in (lambda: KerasClassifier(build, layers=3), lambda: estimator.set_params(layers=3)):
        with pytest.raises(ValueError, match="layers: expected an argument of build_fn, fit, predict or evaluate"):
            wrong()
    with pytest.raises(fastnn.FastnnError, match="build_fn: expected a function"):
        KerasClassifier()
    with pytest.raises(fastnn.FastnnError, match="expected fit before predict"):
        estimator.predict(X)
    with pytest.raises(fastnn.FastnnError, match="expected fit before score"):
        KerasRegressor(build_regressor).score(X, NUMBERS)
    with pytest.raises(fastnn.FastnnError, match=r"y: expected labels .n,. or one-hot rows"):
        estimator.fit(X, np.zeros((90, 2, 2)))


def test_subclasses_and_objects_may_build_the_model():
    class Mine(KerasRegressor):
        def __call__(self, rate=0.1):
            return build_regressor(rate)

    assert len(Mine(rate=0.2, epochs=2, verbose=0).fit(X, NUMBERS).epoch) == 2


def test_a_classifier_without_accuracy_has_no_score():
    def plain():
        model = build_two()
        model.compile("sgd", "binary_crossentropy")
        return model

    estimator = KerasClassifier(plain, verbose=0)
    estimator.fit(X, TWO)
    with pytest.raises(ValueError, match=r'expected one compiled with metrics=\["accuracy"\], found figures loss'):
        estimator.score(X, TWO)


def test_no_import_of_scikit_learn_before_it_is_used(run_python):
    program = "import fastnn.dropin.keras.wrappers, sys; print('sklearn' in sys.modules)"
    child = run_python(program)
    assert child.stdout == "False\n", child.stderr


def test_scikit_learn_scores_searches_and_chains():
    pytest.importorskip("sklearn")  # an extra
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, StratifiedKFold, cross_val_score
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    estimator = KerasClassifier(build_fn=build, epochs=30, batch_size=5, verbose=0)
    assert is_classifier(estimator)
    assert is_regressor(KerasRegressor(build_regressor))
    assert clone(estimator).get_params() == estimator.get_params()
    assert cross_val_score(estimator, X, CLASSES, cv=StratifiedKFold(3)).min() > 0.6
    assert cross_val_score(estimator, X, CLASSES, cv=3, scoring="accuracy").min() > 0.6
    grid = GridSearchCV(estimator, {"units": [2, 16], "epochs": [5, 30]}, cv=3, n_jobs=1).fit(X, CLASSES)
    assert grid.best_params_["epochs"] == 30
    assert grid.predict(X).shape == (90,)
    search = RandomizedSearchCV(estimator, {"batch_size": [5, 10]}, n_iter=2, cv=3).fit(X, CLASSES)
    assert search.best_params_["batch_size"] in (5, 10)
    chain = Pipeline([("scale", StandardScaler()), ("mlp", KerasRegressor(build_regressor, epochs=60, verbose=0))])
    assert cross_val_score(chain, X, NUMBERS, cv=KFold(3)).max() < 0
    chain.fit(X, NUMBERS, mlp__epochs=2)
    assert "KerasRegressor" in repr(chain)


def test_the_wrappers_of_keras_3(capsys):
    pytest.importorskip("sklearn")  # an extra
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score

    options = {"epochs": 40, "batch_size": 10, "verbose": 0}
    estimator = SKLearnClassifier(three, model_kwargs={"units": 12}, fit_kwargs=options)
    assert is_classifier(estimator)
    assert estimator.fit(X, CLASSES) is estimator
    assert capsys.readouterr().out == ""
    assert estimator.predict(X).shape == (90,)
    assert capsys.readouterr().out.startswith("3/3 ━━━━━")  # as Keras', whose predict has no argument to silence it
    assert estimator.score(X, CLASSES) > 0.9
    assert estimator.decision_function(X).shape == (90, 3)
    assert estimator.model_.layers[0].units == 12
    assert len(estimator.history_.epoch) == 40
    assert clone(estimator).get_params() == estimator.get_params()
    assert cross_val_score(estimator, X, CLASSES, cv=3).min() > 0.6
    grid = GridSearchCV(estimator, {"model_kwargs": [{"units": 2}, {"units": 12}]}, cv=3).fit(X, CLASSES)
    assert grid.best_params_["model_kwargs"]["units"] in (2, 12)
    regressor = SKLearnRegressor(build_regressor(), fit_kwargs=options)
    assert regressor.fit(X, NUMBERS).score(X, NUMBERS) > 0.9
    assert regressor.predict(X).shape == (90,)
    assert regressor.model_ is not regressor.model
    assert regressor.fit(X, NUMBERS[:, None]).predict(X).shape == (90, 1)
    again = pickle.loads(pickle.dumps(regressor))
    assert (again.predict(X) == regressor.predict(X)).all()


def test_a_warm_start_goes_on():
    pytest.importorskip("sklearn")  # an extra
    estimator = SKLearnRegressor(build_regressor(), warm_start=True, fit_kwargs={"epochs": 20, "verbose": 0})
    first = copy.copy(estimator.fit(X, NUMBERS).history_.history["loss"])
    assert estimator.fit(X, NUMBERS).history_.history["loss"][0] < first[0]


def test_what_the_wrappers_of_keras_3_refuse():
    pytest.importorskip("sklearn")  # an extra
    for wrong, match in [
        (lambda: SKLearnClassifier(three).fit(X, np.zeros(90)), "y: expected labels of two or more classes"),
        (lambda: SKLearnClassifier(three).fit(X, NUMBERS), "y: expected labels of two or more classes, found contin"),
        (lambda: SKLearnRegressor(3).fit(X, NUMBERS), "model: expected a compiled model, or a function"),
        (lambda: SKLearnRegressor(keras.Sequential()).fit(X, NUMBERS), "model: expected a compiled one"),
        (lambda: SKLearnRegressor(three).predict(X), "SKLearnRegressor: expected fit before predict"),
        (lambda: SKLearnRegressor(three).set_params(epochs=3), "params: expected names among model, warm_start"),
    ]:
        with pytest.raises(fastnn.FastnnError, match=match):
            wrong()


def test_a_clone_has_new_weights_and_an_optimizer_of_its_own():
    model = build_regressor(0.25)
    model.fit(X, NUMBERS, verbose=0)
    clone = keras.models.clone_model(model)
    assert clone.optimizer.iterations == 0
    assert clone.optimizer.learning_rate == 0.25
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    assert not np.allclose(clone.layers[0].kernel, model.layers[0].kernel)
    assert not clone.layers[0].bias.any()
    before = model.get_weights()
    clone.fit(X, NUMBERS, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.weights, strict=True))
