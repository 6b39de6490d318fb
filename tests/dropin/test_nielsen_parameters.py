"""Weights and biases of fastnn.dropin.nielsen as their owner edits, replaces, keeps and copies them."""

import copy
import pickle

import book_oracle
import numpy as np
import pytest

from fastnn import FastnnError
from fastnn.dropin import nielsen


class TestParameters:
    @pytest.fixture
    def net(self, seeded):
        seeded(6)
        return nielsen.Network([12, 9, 10])

    def outputs(self, weights, biases, a):
        for w, b in zip(weights, biases, strict=True):
            a = book_oracle.sigmoid(w @ a + b)
        return a

    def test_edits_in_place_are_honoured(self, backend, net, small_data):
        x = small_data[0][0][0]
        net.weights[0][3, :] = 0.25
        net.biases[1] += 1
        np.testing.assert_allclose(net.feedforward(x), self.outputs(net.weights, net.biases, x), rtol=1e-13)

    @pytest.mark.parametrize("how", ["item", "list", "biases"])
    def test_replaced_arrays_are_honoured_also_when_edited_later(self, backend, net, small_data, disagreement, how):
        oracle = copy_to_oracle(net)
        rng = np.random.default_rng(0)
        mine = [rng.normal(size=w.shape) for w in net.weights]
        if how == "item":
            net.weights[1] = oracle.weights[1] = mine[1]
        elif how == "list":
            net.weights, oracle.weights = list(mine), list(mine)
        else:
            net.biases = [np.zeros_like(b) for b in net.biases]
            oracle.biases = list(net.biases)
        x = small_data[0][0][0]
        np.testing.assert_allclose(net.feedforward(x), oracle.feedforward(x), rtol=1e-13)
        mine[1] *= 0.5
        np.testing.assert_allclose(net.feedforward(x), oracle.feedforward(x), rtol=1e-13)
        kept = [array.copy() for array in mine]
        net.update_mini_batch(small_data[0][:10], 1.0)
        oracle.update_mini_batch(small_data[0][:10], 1.0)
        assert disagreement(net, oracle) <= 1e-13
        for array, before in zip(mine, kept, strict=True):
            np.testing.assert_array_equal(array, before)

    def test_kept_arrays_do_not_change_in_training(self, backend, net, small_data):
        weights, biases, first = net.weights, net.biases, net.weights[0]
        before = [array.copy() for array in weights + biases]
        net.SGD(small_data[0], 1, 10, 1.0)
        net.update_mini_batch(small_data[0][:10], 1.0)
        for array, kept in zip(weights + biases, before, strict=True):
            np.testing.assert_array_equal(array, kept)
        assert weights[0] is first
        assert net.weights[0] is not first
        assert not np.array_equal(net.weights[0], first)

    def test_best_weights_kept_between_epochs(self, backend, small_data, seeded):
        class Keeper(nielsen.Network):
            def evaluate(self, test_data):
                self.kept = [*getattr(self, "kept", []), (self.weights, [w.copy() for w in self.weights])]
                return super().evaluate(test_data)

        seeded(1)
        net = Keeper([12, 9, 10])
        net.SGD(small_data[0], 3, 10, 1.0, test_data=small_data[1])
        for views, copies in net.kept:
            for view, array in zip(views, copies, strict=True):
                np.testing.assert_array_equal(view, array)
        assert not np.array_equal(net.kept[0][0][0], net.kept[2][0][0])

    def test_layers_of_other_sizes(self, net):
        rng = np.random.default_rng(0)
        net.weights = [rng.normal(size=(5, 12)), rng.normal(size=(10, 5))]
        net.biases = [rng.normal(size=(5, 1)), rng.normal(size=(10, 1))]
        x = rng.random((12, 1))
        np.testing.assert_allclose(net.feedforward(x), self.outputs(net.weights, net.biases, x), rtol=1e-13)

    @pytest.mark.parametrize("bad", [np.zeros((8, 12)), np.zeros(9), np.zeros((9, 12), complex)])
    def test_unusable_arrays_are_refused(self, net, bad):
        net.weights[0] = bad
        with pytest.raises(FastnnError, match="weights"):
            net.feedforward(np.zeros((12, 1)))

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
    def test_copies_are_independent(self, backend, net, small_data, disagreement, duplicate):
        other = duplicate(net)
        oracle = copy_to_oracle(net)
        net.SGD(list(small_data[0]), 1, 10, 1.0)
        assert disagreement(other, oracle) == 0
        other.update_mini_batch(small_data[0][:10], 1.0)
        oracle.update_mini_batch(small_data[0][:10], 1.0)
        assert disagreement(other, oracle) <= 1e-13

    def test_state_that_the_original_pickled(self, backend, net, small_data):
        restored = nielsen.network.__new__(nielsen.network)
        state = {"sizes": [12, 9, 10], "num_layers": 3, "weights": net.weights, "biases": net.biases}
        restored.__dict__.update(state)
        assert restored.evaluate(small_data[1]) == net.evaluate(small_data[1])
        restored.SGD(small_data[0], 1, 10, 1.0)


def copy_to_oracle(net):
    oracle = book_oracle.Network.__new__(book_oracle.Network)
    oracle.weights = [np.array(w, order="C") for w in net.weights]
    oracle.biases = [np.array(b, order="C") for b in net.biases]
    return oracle
