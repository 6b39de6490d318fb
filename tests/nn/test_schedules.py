"""Learning-rate schedules: fit's use of any, and those of fastnn.schedules."""

from __future__ import annotations

import math

import naive
import pytest
from problems import assert_trained_like, naive_network
from problems import make_mlp as make

from fastnn import schedules
from fastnn.errors import FastnnError


def test_a_schedule_gives_each_epochs_rate(backend, data):
    X, y = data
    model, calls = make(), []

    def schedule(epoch, rate):
        calls.append((epoch, rate))
        return rate / (epoch + 1)

    network = naive_network(model)
    history = model.fit(X, y, epochs=3, batch_size=20, learning_rate=0.3, schedule=schedule, shuffle=False)
    assert calls == [(0, 0.3), (1, 0.3), (2, 0.3)]
    assert history.learning_rate == [0.3, 0.15, pytest.approx(0.1)]
    for rate in history.learning_rate:
        optimizer = naive.Optimizer("sgd", rate)
        naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 20, optimizer)
    assert_trained_like(model, network, 1e-12)


def test_the_schedules_of_the_library():
    def rates(schedule, epochs):
        return [schedule(epoch, 8.0) for epoch in range(epochs)]

    assert rates(schedules.step_decay(2), 6) == [8, 8, 4, 4, 2, 2]
    assert rates(schedules.step_decay(3, 0.1), 4) == [8, 8, 8, pytest.approx(0.8)]
    assert rates(schedules.exponential_decay(0.5), 4) == [8, 4, 2, 1]
    assert rates(schedules.cosine_decay(5), 7) == pytest.approx(
        [8, 4 + 4 * math.sqrt(0.5), 4, 4 - 4 * math.sqrt(0.5), 0, 0, 0]
    )
    assert rates(schedules.cosine_decay(3, floor=0.25), 3) == pytest.approx([8, 5, 2])
    assert rates(schedules.cosine_decay(1), 2) == [8, 8 * (1 + math.cos(math.pi)) / 2]


@pytest.mark.parametrize(
    ("make_schedule", "message"),
    [
        (lambda: schedules.step_decay(0), "every: expected an integer of at least 1, found 0"),
        (lambda: schedules.step_decay(2, 0.0), "factor: expected a finite number above 0, found 0.0"),
        (lambda: schedules.exponential_decay("x"), "factor: expected a number, found str"),
        (lambda: schedules.cosine_decay(0), "epochs: expected an integer of at least 1, found 0"),
        (lambda: schedules.cosine_decay(5, 2), "floor: expected a finite number at least 0 and at most 1, found 2"),
    ],
)
def test_bad_schedules(make_schedule, message):
    with pytest.raises(FastnnError) as caught:
        make_schedule()
    assert str(caught.value) == message
