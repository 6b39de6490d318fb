"""fastnn.dropin.nielsen_py3 and nielsen2_py3 against book_oracle: what the port does otherwise than the book."""

import pickle
import random

import book_oracle
import numpy as np
import pytest
import script_runner

from fastnn.dropin import nielsen, nielsen2, nielsen2_py3, nielsen_py3

MONITORS = {f"monitor_{data}_{figure}": True for data in ("evaluation", "training") for figure in ("cost", "accuracy")}
COSTS = {"cross_entropy": nielsen2_py3.CrossEntropyCost, "quadratic": nielsen2_py3.QuadraticCost}


def train_twice(net, seeded, capsys, data, *arguments, **options):
    """Two trainings on one list, which keeps its order: what they return and print, and the random state after them."""
    ours = list(data)
    seeded(2)
    found = [net.SGD(ours, *arguments, **options), net.SGD(zip(*zip(*ours, strict=True), strict=True), *arguments)]
    assert [id(pair) for pair in ours] == [id(pair) for pair in data]
    return found, capsys.readouterr().out.splitlines(), random.getstate()


def twins(seeded, cost="cross_entropy"):
    seeded(1)
    net = nielsen2_py3.Network([12, 9, 10], cost=COSTS[cost])
    seeded(1)
    return net, book_oracle.PortedNetwork2([12, 9, 10], cost)


class TestNetwork:
    @pytest.mark.quick("backend")
    @pytest.mark.parametrize("form", [list, iter])
    def test_weights_lines_and_lists(self, backend, seeded, small_data, disagreement, capsys, form):
        training, tests = small_data
        nets, results = [], []
        for kind in (nielsen_py3.Network, book_oracle.PortedNetwork):
            seeded(1)
            nets.append(kind([12, 9, 10]))
            results.append(train_twice(nets[-1], seeded, capsys, training, 2, 10, 3.0, test_data=form(tests)))
        assert results[0] == results[1]
        assert results[0][1][1].startswith("Epoch 1 : ")
        assert results[0][1][3] == "Epoch 1 complete"
        assert disagreement(*nets) <= 1e-12

    @pytest.mark.usefixtures("said_nothing_yet")
    @pytest.mark.parametrize("patched", [["sigmoid"], ["sigmoid_prime"], ["sigmoid", "sigmoid_prime"]])
    def test_functions_of_the_module(self, backend, seeded, small_data, disagreement, monkeypatch, patched):
        """sigmoid_prime, if it is not replaced itself, follows the module's sigmoid."""
        functions = {"sigmoid": lambda z: 1 / (1 + np.exp(-2 * z)), "sigmoid_prime": lambda z: 0.3 / (1 + z * z)}
        for name in patched:
            for module in (nielsen_py3, book_oracle):
                monkeypatch.setattr(module, name, functions[name])
        nets = []
        for kind in (nielsen_py3.Network, book_oracle.PortedNetwork):
            seeded(1)
            nets.append(kind([12, 9, 10]))
        with pytest.warns(UserWarning, match=f"slower: {', '.join(patched)} is replaced"):
            nets[0].update_mini_batch(small_data[0][:10], 1.0)
        nets[1].update_mini_batch(small_data[0][:10], 1.0)
        assert disagreement(*nets) <= 1e-13
        x = small_data[0][0][0]
        np.testing.assert_allclose(nets[0].feedforward(x), nets[1].feedforward(x), rtol=1e-13)

    @pytest.mark.usefixtures("said_nothing_yet")
    def test_those_of_the_books_module_are_others(self, seeded, small_data, monkeypatch):
        for module in (nielsen, nielsen2):
            monkeypatch.setattr(module, "sigmoid", np.tanh)
        for module, cost in ((nielsen_py3, {}), (nielsen2_py3, {"cost": nielsen2_py3.QuadraticCost})):
            net = module.Network([12, 9, 10], **cost)
            net.SGD(small_data[0], 1, 10, 0.5)
            assert net.feedforward(small_data[0][0][0]).min() > 0  # no tanh


class TestNetwork2:
    @pytest.mark.parametrize("cost", COSTS)
    def test_weights_lines_and_figures(self, backend, seeded, small_data, disagreement, capsys, cost):
        training, tests = small_data
        nets, results = twins(seeded, cost), []
        for net in nets:
            options = {"lmbda": 5.0, "evaluation_data": iter(tests[:99])} | MONITORS
            results.append(train_twice(net, seeded, capsys, training, 2, 10, 0.5, **options))
        (found, lines, state), (expected, truth, after) = results
        assert state == after
        for ours, theirs in zip(found[0], expected[0], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        script_runner.assert_same_lines(lines, truth)
        assert lines[:2] == ["Epoch 0 training complete", f"Cost on training data: {found[0][2][0]}"]
        assert "" not in lines
        assert disagreement(*nets) <= 1e-12

    @pytest.mark.usefixtures("said_nothing_yet")
    @pytest.mark.parametrize("cost", COSTS)
    def test_the_penalty_counts_once_per_pair(self, backend, seeded, small_data, cost):
        net, oracle = twins(seeded, cost)
        training, tests = small_data
        expected = [oracle.total_cost(training, 5.0), oracle.total_cost(tests, 5.0, convert=True)]
        found = [net.total_cost(training, 5.0), net.total_cost(tests, 5.0, convert=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        net.feedforward = oracle.feedforward  # the slower path
        with pytest.warns(UserWarning, match="feedforward is replaced"):
            assert net.total_cost(training, 5.0) == pytest.approx(expected[0], rel=1e-12)
        book = nielsen2.Network([12, 9, 10], cost=COSTS[cost])
        book.weights, book.biases = net.weights, net.biases
        assert found[0] > 2 * book.total_cost(training, 5.0)

    @pytest.mark.usefixtures("said_nothing_yet")
    def test_a_sigmoid_of_the_module(self, backend, seeded, small_data, disagreement, monkeypatch):
        for module in (nielsen2_py3, book_oracle):
            monkeypatch.setattr(module, "sigmoid", lambda z: 1 / (1 + np.exp(-2 * z)))
        net, oracle = twins(seeded, "quadratic")
        with pytest.warns(UserWarning, match="slower: sigmoid is replaced"):
            net.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
        oracle.update_mini_batch(small_data[0][:10], 0.5, 5.0, 300)
        assert disagreement(net, oracle) <= 1e-13

    def test_early_stopping(self, seeded, small_data, capsys):
        found = []
        for net in twins(seeded):
            seeded(2)
            options = {"evaluation_data": small_data[1][:20], "early_stopping_n": 2} | MONITORS
            found.append(net.SGD(small_data[0], 60, 10, 0.5, **options)[1])
        assert found[0] == found[1]
        assert len(found[0]) < 60

    @pytest.mark.parametrize("cost", COSTS)
    def test_files(self, tmp_path, seeded, small_data, disagreement, cost):
        net, _ = twins(seeded, cost)
        net.save(tmp_path / "net.json")
        again = nielsen2_py3.load(tmp_path / "net.json")
        assert disagreement(again, net) == 0
        assert (type(again), again.cost) == (nielsen2_py3.Network, COSTS[cost])
        assert type(nielsen2.load(tmp_path / "net.json")) is nielsen2.Network


def test_the_names_of_the_ports_modules():
    assert nielsen_py3.__all__ == ["Network", "sigmoid", "sigmoid_prime"]
    assert nielsen2_py3.__all__ == nielsen2.__all__
    z = np.array([-1000.0, -1.0, 0.0, 2.0, 1000.0])
    for module in (nielsen_py3, nielsen2_py3):
        np.testing.assert_array_equal(module.sigmoid(z), book_oracle.sigmoid(z))
        np.testing.assert_array_equal(module.sigmoid_prime(z), book_oracle.sigmoid_prime(z))


@pytest.mark.parametrize("module", [nielsen, nielsen2, nielsen_py3, nielsen2_py3])
def test_each_module_has_a_sigmoid_prime_of_its_own(module):
    own = module.sigmoid_prime
    assert pickle.loads(pickle.dumps(own)) is own
    assert own.__module__ == module.__name__
