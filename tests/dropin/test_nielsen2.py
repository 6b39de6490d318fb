import copy
import json
import random

import book_oracle
import numpy as np
import pytest
import script_runner

from fastnn import FastnnError
from fastnn.dropin import nielsen
from fastnn.dropin import nielsen2 as network2

COSTS = {"cross_entropy": network2.CrossEntropyCost, "quadratic": network2.QuadraticCost}
MONITORS = {f"monitor_{data}_{figure}": True for data in ("evaluation", "training") for figure in ("cost", "accuracy")}


def twins(seeded, sizes, cost, large=False):
    seeded(1)
    net = network2.Network(sizes, cost=COSTS[cost])
    if large:
        net.large_weight_initializer()
    seeded(1)
    return net, book_oracle.Network2(sizes, cost, large)


class TestDraws:
    @pytest.mark.parametrize("large", [False, True])
    def test_same_seed_same_draws(self, seeded, large, disagreement):
        net, oracle = twins(seeded, [784, 30, 10], "quadratic", large)
        assert disagreement(net, oracle) == 0
        assert (net.sizes, net.num_layers, net.cost) == ([784, 30, 10], 3, network2.QuadraticCost)

    def test_cross_entropy_unless_told(self):
        assert network2.Network([3, 2]).cost is network2.CrossEntropyCost

    def test_an_overridden_initializer(self, small_data):
        class Zeros(network2.Network):
            def default_weight_initializer(self):
                self.biases = [np.zeros((y, 1)) for y in self.sizes[1:]]
                self.weights = [np.zeros((y, x)) for x, y in zip(self.sizes[:-1], self.sizes[1:], strict=True)]

        np.testing.assert_array_equal(Zeros([12, 9, 10]).feedforward(small_data[0][0][0]), np.full((10, 1), 0.5))


class TestTraining:
    @pytest.mark.parametrize("cost", COSTS)
    @pytest.mark.parametrize("lmbda", [0.0, 5.0])
    def test_lists_weights_and_printed_lines(self, backend, seeded, small_data, disagreement, capsys, cost, lmbda):
        training, tests = small_data
        net, oracle = twins(seeded, [12, 9, 10], cost)
        ours, theirs = list(training), list(training)
        seeded(2)
        found = net.SGD(ours, 3, 10, 0.5, lmbda=lmbda, evaluation_data=tests[:99], **MONITORS)
        state = random.getstate()
        printed = capsys.readouterr().out
        seeded(2)
        expected = oracle.SGD(theirs, 3, 10, 0.5, lmbda, tests[:99], **MONITORS)
        assert random.getstate() == state
        assert [id(pair) for pair in ours] == [id(pair) for pair in theirs]
        assert disagreement(net, oracle) <= 1e-12
        for mine, truth in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-12)
        script_runner.assert_same_lines(printed.splitlines(), capsys.readouterr().out.splitlines())

    @pytest.mark.quick("backend")
    @pytest.mark.parametrize("cost", COSTS)
    def test_mnist(self, backend, seeded, mnist, disagreement, cost):
        net, oracle = twins(seeded, [784, 30, 10], cost)
        seeded(2)
        net.SGD(mnist[0][:1000], 1, 10, 0.5, lmbda=0.1)
        seeded(2)
        oracle.SGD(mnist[0][:1000], 1, 10, 0.5, 0.1)
        assert disagreement(net, oracle) <= 1e-12

    def test_only_what_is_monitored(self, small_data, capsys):
        net = network2.Network([12, 9, 10])
        found = net.SGD(small_data[0], 2, 10, 0.5, evaluation_data=small_data[1], monitor_evaluation_accuracy=True)
        assert [len(figures) for figures in found] == [0, 2, 0, 0]
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Epoch 0 training complete"
        assert lines[1] == f"Accuracy on evaluation data: {found[1][0]} / 300"
        assert lines[2] == ""

    def test_early_stopping(self, seeded, small_data, capsys):
        net, oracle = twins(seeded, [12, 9, 10], "cross_entropy")
        seeded(2)
        found = net.SGD(
            list(small_data[0]), 60, 10, 0.5, evaluation_data=small_data[1][:20], early_stopping_n=2, **MONITORS
        )
        seeded(2)
        expected = oracle.SGD(
            list(small_data[0]), 60, 10, 0.5, evaluation_data=small_data[1][:20], early_stopping_n=2, **MONITORS
        )
        assert len(found[0]) < 60
        assert found[1] == expected[1]

    def test_early_stopping_watches_training_accuracy_alone(self, small_data, capsys):
        net = network2.Network([12, 9, 10])
        found = net.SGD(small_data[0], 50, 10, 0.0, monitor_training_accuracy=True, early_stopping_n=3)
        assert len(found[3]) == 4

    def test_update_mini_batch_and_backprop(self, backend, seeded, small_data, disagreement):
        for cost in COSTS:
            net, oracle = twins(seeded, [12, 9, 10], cost)
            net.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
            oracle.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
            assert disagreement(net, oracle) <= 1e-13
            for ours, theirs in zip(net.backprop(*small_data[0][0]), oracle.backprop(*small_data[0][0]), strict=True):
                for a, b in zip(ours, theirs, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-16)

    def test_the_cost_may_be_replaced(self, backend, seeded, small_data, disagreement):
        net, oracle = twins(seeded, [12, 9, 10], "cross_entropy")
        net.cost, oracle.cost = network2.QuadraticCost, "quadratic"
        net.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
        oracle.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
        assert disagreement(net, oracle) <= 1e-13


class TestFigures:
    @pytest.mark.parametrize("cost", COSTS)
    def test_accuracy_and_total_cost(self, backend, seeded, small_data, cost):
        training, tests = small_data
        net, oracle = twins(seeded, [12, 9, 10], cost)
        assert net.accuracy(tests) == oracle.accuracy(tests)
        assert net.accuracy(training, convert=True) == oracle.accuracy(training, convert=True)
        assert net.total_cost(training, 5.0) == pytest.approx(oracle.total_cost(training, 5.0), rel=1e-13)
        assert net.total_cost(tests, 5.0, convert=True) == pytest.approx(
            oracle.total_cost(tests, 5.0, convert=True), rel=1e-13
        )

    def test_saturated_outputs_cost_what_the_original_says(self, seeded, small_data):
        net, oracle = twins(seeded, [12, 9, 10], "cross_entropy", large=True)
        net.biases[1][:] = oracle.biases[1][:] = 1000.0
        expected = oracle.total_cost(small_data[0], 0.0)
        assert expected > 1e300
        assert net.total_cost(small_data[0], 0.0) == pytest.approx(expected, rel=1e-12)

    def test_labels_outside_the_digits(self, small_data):
        with pytest.raises(FastnnError, match="labels"):
            network2.Network([12, 9, 10]).total_cost([(small_data[0][0][0], 10)], 0.0, convert=True)
        with pytest.raises(FastnnError, match="10 outputs"):
            network2.Network([12, 9, 3]).total_cost(small_data[1], 0.0, convert=True)

    def test_a_vectorized_result_of_ones_own(self, small_data, monkeypatch, said_nothing_yet):
        """A program for three classes replaces it in the module, as its network has three outputs."""
        data = [(x, digit % 3) for x, digit in small_data[1]]
        columns = [(x, np.eye(3)[:, [label]] * 0.9) for x, label in data]
        net = network2.Network([12, 9, 3])
        monkeypatch.setattr(network2, "vectorized_result", lambda label: np.eye(3)[:, [label]] * 0.9)
        expected = net.total_cost(columns, 5.0)
        assert net.total_cost(data, 5.0, convert=True) == pytest.approx(expected, rel=1e-14)
        net.feedforward = lambda a: np.full((3, 1), 0.5)
        with pytest.warns(UserWarning, match="feedforward is replaced"):
            assert net.total_cost(data, 0.0, convert=True) == pytest.approx(3 * np.log(2), rel=1e-13)

    def test_costs_are_of_the_originals_type(self, small_data):
        """So that lists of them print as those of the original do."""
        net = network2.Network([12, 9, 10])
        assert type(net.total_cost(small_data[0], 5.0)) is np.float64
        for cost in COSTS.values():
            assert type(cost.fn(np.full((3, 1), 0.5), np.zeros((3, 1)))) is np.float64


class Absolute:
    """A cost of one's own: sum |a - y|."""

    @staticmethod
    def fn(a, y):
        return np.abs(a - y).sum()

    @staticmethod
    def delta(z, a, y):
        return np.sign(a - y) * network2.sigmoid_prime(z)


class TestReplacedParts:
    def test_a_cost_of_ones_own(self, backend, seeded, small_data, disagreement, said_nothing_yet):
        net, oracle = twins(seeded, [12, 9, 10], "cross_entropy")
        net.cost = Absolute
        oracle.fn, oracle.output_delta = Absolute.fn, Absolute.delta
        seeded(2)
        with pytest.warns(UserWarning, match="slower: cost is replaced") as caught:
            found = net.SGD(list(small_data[0]), 2, 10, 0.5, 5.0, small_data[1], **MONITORS)
        seeded(2)
        expected = oracle.SGD(list(small_data[0]), 2, 10, 0.5, 5.0, small_data[1], **MONITORS)
        assert len(caught) == 1
        assert disagreement(net, oracle) <= 1e-12
        for mine, truth in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-12)

    def test_activation_of_the_module(self, backend, seeded, small_data, disagreement, said_nothing_yet, monkeypatch):
        for module in (network2, book_oracle):
            monkeypatch.setattr(module, "sigmoid", lambda z: 1 / (1 + np.exp(-2 * z)))
            monkeypatch.setattr(module, "sigmoid_prime", lambda z, f=module: 2 * f.sigmoid(z) * (1 - f.sigmoid(z)))
        net, oracle = twins(seeded, [12, 9, 10], "quadratic")
        seeded(2)
        with pytest.warns(UserWarning, match="sigmoid, sigmoid_prime is replaced"):
            found = net.SGD(list(small_data[0]), 1, 10, 0.5, 5.0, small_data[1], **MONITORS)
        seeded(2)
        expected = oracle.SGD(list(small_data[0]), 1, 10, 0.5, 5.0, small_data[1], **MONITORS)
        assert disagreement(net, oracle) <= 1e-12
        for mine, truth in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-12)

    def test_figures_of_ones_own(self, small_data, capsys):
        class Mine(network2.Network):
            def accuracy(self, data, convert=False):
                return 7

            def total_cost(self, data, lmbda, convert=False):
                return 0.5

        found = Mine([12, 9, 10]).SGD(small_data[0], 1, 10, 0.5, evaluation_data=small_data[1], **MONITORS)
        assert found == ([0.5], [7], [0.5], [7])


class TestFiles:
    @pytest.mark.parametrize("cost", COSTS)
    def test_round_trip(self, tmp_path, seeded, disagreement, cost):
        net, _ = twins(seeded, [12, 9, 10], cost)
        net.save(tmp_path / "net.json")
        again = network2.load(tmp_path / "net.json")
        assert disagreement(again, net) == 0
        assert (again.sizes, again.cost) == (net.sizes, net.cost)

    def test_the_originals_form(self, tmp_path, seeded, small_data):
        net, oracle = twins(seeded, [12, 9, 10], "quadratic")
        data = {
            "sizes": oracle.sizes,
            "weights": [w.tolist() for w in oracle.weights],
            "biases": [b.tolist() for b in oracle.biases],
            "cost": "QuadraticCost",
        }
        path = tmp_path / "original.json"
        path.write_text(json.dumps(data))
        x = small_data[0][0][0]
        np.testing.assert_allclose(network2.load(str(path)).feedforward(x), oracle.feedforward(x), rtol=1e-13)
        net.save(tmp_path / "ours.json")
        assert json.loads((tmp_path / "ours.json").read_text()) == data

    def test_loading_draws_as_the_original_does(self, tmp_path, seeded):
        network2.Network([4, 3]).save(tmp_path / "net.json")
        seeded(1)
        network2.load(tmp_path / "net.json")
        after = np.random.randn()
        seeded(1)
        book_oracle.Network2([4, 3])
        assert np.random.randn() == after

    def test_a_cost_that_was_made_a_name_of_the_module(self, tmp_path, monkeypatch):
        monkeypatch.setattr(network2, "Absolute", Absolute, raising=False)
        network2.Network([4, 3], cost=Absolute).save(tmp_path / "net.json")
        assert network2.load(tmp_path / "net.json").cost is Absolute

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ("{", "character"),
            ("[1, 2]", "object with sizes"),
            ("[" * 100_000, "nested"),
            ({"weights": None}, "object with sizes"),
            ({"cost": "load"}, "QuadraticCost or CrossEntropyCost"),
            ({"cost": "nothing"}, "QuadraticCost or CrossEntropyCost"),
            ({"sizes": [4, 4]}, "for sizes"),
            ({"sizes": [10**9, 10**9]}, "for sizes"),
            ({"sizes": ["4", 3]}, "for sizes"),
            ({"weights": [[[1.0, 2.0], [1.0]]]}, "for sizes"),
            ({"weights": [[["a"]]]}, "for sizes"),
            ({"biases": [[1.0, 2.0, 3.0]]}, "for sizes"),
        ],
    )
    def test_damaged_files_are_refused(self, tmp_path, change, match):
        path = tmp_path / "net.json"
        network2.Network([4, 3]).save(path)
        path.write_text(change if isinstance(change, str) else json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(FastnnError, match=match) as caught:
            network2.load(path)
        assert str(path) in str(caught.value)

    def test_missing_and_binary_files(self, tmp_path):
        with pytest.raises(FastnnError, match=r"none\.json: there is no such file"):
            network2.load(tmp_path / "none.json")
        (tmp_path / "net.json").write_bytes(b'"\xff"')
        with pytest.raises(FastnnError, match="byte 1"):
            network2.load(tmp_path / "net.json")
        with pytest.raises(FastnnError):
            network2.Network([4, 3]).save(tmp_path / "none" / "net.json")


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"monitor_evaluation_cost": True}, "evaluation_data"),
            ({"early_stopping_n": 2}, "early_stopping_n.*monitored accuracy"),
            ({"lmbda": "5"}, "lmbda"),
            ({"training_data": iter([])}, "training_data.*at least one"),
        ],
    )
    def test_unusable_arguments(self, small_data, arguments, match):
        arguments = {"training_data": small_data[0], "epochs": 1, "mini_batch_size": 10, "eta": 1.0} | arguments
        with pytest.raises(FastnnError, match=match):
            network2.Network([12, 9, 10]).SGD(**arguments)


def test_copies_are_independent(seeded, small_data, disagreement):
    net, oracle = twins(seeded, [12, 9, 10], "quadratic")
    other = copy.deepcopy(net)
    net.SGD(small_data[0], 1, 10, 0.5)
    assert disagreement(other, oracle) == 0


def test_the_costs_are_names_of_nielsen_too():
    assert (nielsen.QuadraticCost, nielsen.CrossEntropyCost) == (network2.QuadraticCost, network2.CrossEntropyCost)
