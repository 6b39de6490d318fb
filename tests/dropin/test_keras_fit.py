"""Arguments of fit, evaluate and predict that say which rows are looked at and what is printed."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.dropin import keras
from fastnn.dropin.keras import layers, models

X = np.random.default_rng(0).random((20, 4), np.float32)
Y = X[:, :1] * 2


def model_of():
    keras.utils.set_random_seed(1)
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize(
    ("freq", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), ([1, 4], [1, 4]), (range(3, 5), [3, 4])]
)
def test_validation_after_some_epochs(freq, epochs):
    heard = []
    watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda i, logs: heard.extend([i + 1] * ("val_mae" in logs)))
    options = {"validation_data": (X, Y), "validation_freq": freq, "callbacks": [watcher]}
    history = model_of().fit(X, Y, epochs=5, verbose=0, **options).history
    assert heard == epochs
    assert len(history["val_loss"]) == len(epochs)


def test_only_the_first_batches_are_measured():
    model = model_of()
    first = model.evaluate(X[:8], Y[:8], verbose=0)
    assert model.evaluate(X, Y, 8, 0, None, 1) == model.evaluate(X, Y, batch_size=4, verbose=0, steps=2) == first
    assert model.evaluate(X, Y, steps=None, verbose=0) == model.evaluate(X, Y, batch_size=4, steps=9, verbose=0)
    assert (model.predict(X, 8, 0, 2) == model.predict(X, verbose=0)[:16]).all()
    validation = {"validation_data": (X, Y), "validation_steps": 2, "validation_batch_size": 4}
    model.optimizer.learning_rate = 0
    history = model.fit(X, Y, verbose=0, steps_per_epoch=1, validation_freq=1, **validation).history
    assert [history["val_loss"][0], history["val_mae"][0]] == first


def test_a_number_of_batches_gives_their_size():
    """Where there is no batch_size, Keras shares the rows out among so many batches."""
    sizes = {}
    for name, options in {"steps": {"steps_per_epoch": 3}, "size": {"batch_size": 7}}.items():
        model = model_of()
        history = model.fit(X, Y, verbose=0, shuffle=False, epochs=2, **options)
        sizes[name] = history.history, history.params["steps"], model.get_weights()[0].tolist()
    assert sizes["steps"] == sizes["size"]
    model = model_of()
    model.optimizer.learning_rate = 0
    whole = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0, steps=3) == whole
    assert len(model.predict(X, verbose=0, steps=3)) == 20
    history = model.fit(X[:4], Y[:4], verbose=0, validation_data=(X, Y), validation_steps=3).history
    assert [history["val_loss"][0], history["val_mae"][0]] == whole


def test_what_changes_no_figure_is_taken():
    idle = {"workers": 4, "use_multiprocessing": True, "max_queue_size": 10}
    model, other = model_of(), model_of()
    history = model.fit(
        X, Y, verbose=0, validation_steps=None, validation_batch_size=None, steps_per_epoch=None, **idle
    )
    assert history.history == other.fit(X, Y, verbose=0).history
    assert model.evaluate(X, Y, verbose=0, steps=None, **idle) == pytest.approx(other.evaluate(X, Y, verbose=0))
    assert (model.predict(X, verbose=0, **idle) == model.predict(X, verbose=0)).all()


@pytest.mark.parametrize(("verbose", "lines"), [(3, 2), (2, 4), (1, 4), (True, 4), ("auto", 4), (0, 0), (False, 0)])
def test_what_is_printed(capsys, verbose, lines):
    model_of().fit(X, Y, epochs=2, verbose=verbose)
    assert len(capsys.readouterr().out.splitlines()) == lines
