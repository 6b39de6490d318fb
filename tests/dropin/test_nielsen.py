"""fastnn.dropin.nielsen against book_oracle: draws, weights, printed lines, data, methods and replaced parts."""

import doctest
import random
import warnings

import book_oracle
import numpy as np
import pytest

from fastnn.dropin import nielsen
from fastnn.dropin import nielsen as network
from fastnn.dropin.nielsen import base as book


def twins(seeded, sizes, seed=1, **options):
    """The drop-in and the oracle from the same seed."""
    seeded(seed)
    net = nielsen.Network(sizes, **options)
    seeded(seed)
    return net, book_oracle.Network(sizes, **options)


def train_both(seeded, net, oracle, data, *args, seed=2, **options):
    """Train both from the same seed on lists of their own; return the lists."""
    ours, theirs = list(data), list(data)
    seeded(seed)
    net.SGD(ours, *args, **options)
    state = random.getstate()
    seeded(seed)
    oracle.SGD(theirs, *args, **options)
    assert random.getstate() == state, "the global random must go on as after the original"
    return ours, theirs


class TestDraws:
    @pytest.mark.parametrize("weights_first", [False, True])
    def test_same_seed_same_draws(self, seeded, weights_first):
        net, oracle = twins(seeded, [784, 30, 10], weights_first=weights_first)
        for ours, theirs in zip(net.weights + net.biases, oracle.weights + oracle.biases, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_array_equal(ours, theirs)
        assert (net.sizes, net.num_layers) == ([784, 30, 10], 3)

    def test_the_variant_that_draws_weights_first(self, seeded, small_data, disagreement):
        seeded(1)
        net = nielsen.WeightsFirstNetwork([12, 9, 10])
        seeded(1)
        oracle = book_oracle.Network([12, 9, 10], weights_first=True)
        assert disagreement(net, oracle) == 0
        train_both(seeded, net, oracle, small_data[0], 1, 10, 1.0)
        x = small_data[0][0][0]
        np.testing.assert_allclose(net.forward(x), oracle.feedforward(x), rtol=1e-12)

    def test_the_global_stream_goes_on_as_after_the_original(self, seeded):
        seeded(3)
        nielsen.Network([5, 4, 3])
        after = np.random.randn()
        seeded(3)
        book_oracle.Network([5, 4, 3])
        assert np.random.randn() == after

    def test_float32_on_request(self):
        net = nielsen.Network([5, 4, 3], dtype="float32")
        assert {array.dtype.name for array in net.weights + net.biases} == {"float32"}
        assert {array.dtype.name for array in nielsen.Network([5, 4, 3]).weights} == {"float64"}


@pytest.fixture(scope="module")
def scaled(pixels):
    """MNIST / 255 as the tutorials make it: separate float64 columns."""
    return [np.reshape(row / 255, (784, 1)) for row in pixels]


@pytest.fixture(scope="module")
def oracle_count(mnist, scaled):
    """What the original counts after its first epoch."""
    np.random.seed(1)
    random.seed(1)
    oracle = book_oracle.Network([784, 30, 10])
    oracle.SGD([(x, y) for x, (_, y) in zip(scaled, mnist[0], strict=True)], 1, 10, 3.0)
    return oracle.evaluate([(x * np.float32(256 / 255), y) for x, y in mnist[2]])


class TestParity:
    """The promise of the module's docstring, word by word."""

    @pytest.mark.quick("backend")
    @pytest.mark.parametrize(("batches", "tolerance"), [(100, 1e-12), (1000, 1e-10)])
    def test_weights(self, backend, seeded, mnist, scaled, disagreement, capsys, batches, tolerance):
        data = [(x, y) for x, (_, y) in zip(scaled[: 10 * batches], mnist[0], strict=False)]
        net, oracle = twins(seeded, [784, 30, 10])
        ours, theirs = train_both(seeded, net, oracle, data, 1, 10, 3.0)
        assert disagreement(net, oracle) <= tolerance
        assert [id(pair) for pair in ours] == [id(pair) for pair in theirs]
        assert capsys.readouterr().out == "Epoch 0 complete\n" * 2

    def test_first_epoch(self, backend, seeded, mnist, scaled, capsys, oracle_count):
        tests = [(x * np.float32(256 / 255), y) for x, y in mnist[2]]
        seeded(1)
        net = nielsen.Network([784, 30, 10])
        net.SGD([(x, y) for x, (_, y) in zip(scaled, mnist[0], strict=True)], 1, 10, 3.0, test_data=tests)
        word, epoch, count, slash, total = capsys.readouterr().out.split()
        assert (word, epoch, slash, total) == ("Epoch", "0:", "/", "10000")
        assert abs(int(count) - oracle_count) <= 5

    @pytest.mark.parametrize("eta", [0.1, 3.0])
    def test_raw_pixels(self, backend, seeded, mnist, pixels, disagreement, eta):
        """Ten mini-batches already amplify rounding by a factor that depends on the seed: the median is promised."""
        data = [(row.reshape(784, 1), y) for row, (_, y) in zip(pixels[:100], mnist[0], strict=False)]
        found = []
        for seed in range(7):
            net, oracle = twins(seeded, [784, 30, 10], seed)
            train_both(seeded, net, oracle, data, 1, 10, eta, seed=seed)
            found.append(disagreement(net, oracle))
        assert np.median(found) <= 1e-12
        assert max(found) <= 1e-9

    def test_deep_network_and_odd_last_batch(self, backend, seeded, small_data, disagreement):
        net, oracle = twins(seeded, [12, 9, 7, 10])
        train_both(seeded, net, oracle, small_data[0][:95], 3, 10, 1.0)
        assert disagreement(net, oracle) <= 1e-12

    def test_weights_first_and_learning_rate(self, backend, seeded, small_data, disagreement):
        net, oracle = twins(seeded, [12, 9, 10], weights_first=True)
        seeded(2)
        net.SGD(list(small_data[0]), epochs=2, mini_batch_size=10, learning_rate=2.0)
        seeded(2)
        oracle.SGD(list(small_data[0]), 2, 10, 2.0)
        assert disagreement(net, oracle) <= 1e-12


class TestPrintedLines:
    def test_network(self, backend, seeded, small_data, capsys):
        training, tests = small_data
        net, oracle = twins(seeded, [12, 9, 10])
        train_both(seeded, net, oracle, training, 3, 10, 3.0, test_data=tests)
        lines = capsys.readouterr().out.splitlines()
        assert lines[:3] == lines[3:]
        assert lines[2].startswith("Epoch 2: ")
        assert lines[2].endswith(" / 300")

    @pytest.mark.parametrize("with_tests", [True, False])
    def test_tutorial_variant(self, backend, seeded, small_data, capsys, with_tests):
        training, tests = small_data
        tests = tests[:70] if with_tests else None
        seeded(4)
        net = network.network([12, 9, 10])
        net.SGD(list(training), epoches=3, mini_batch_size=10, eta=3.0, test_data=tests)
        seeded(4)
        book_oracle.Tutorial([12, 9, 10]).SGD(list(training), 3, 10, 3.0, tests)
        lines = capsys.readouterr().out.splitlines()
        assert lines[:3] == lines[3:]
        if with_tests:
            assert lines[0].startswith("Epoch 1: ")
            assert f"{100 * net.crroection_rate} %" == lines[2].removeprefix("Epoch 3: ")
        else:
            assert lines[0] == "Epoch 0 complete"

    def test_the_percentage_is_not_formatted(self, capsys):
        nielsen.network([2, 2])._report(0, 9123, 10000)
        nielsen.network([2, 2])._report(4, 1, 3)
        assert capsys.readouterr().out == f"Epoch 1: 91.23 %\nEpoch 5: {100 / 3} %\n"


class TestTrainingData:
    def forms(self, training):
        block = np.hstack([x for x, _ in training]).T.copy()
        return {
            "separate": training,
            "zip": zip([x for x, _ in training], [y for _, y in training], strict=True),
            "generator": (pair for pair in training),
            "tuple": tuple(training),
            "lists": [list(pair) for pair in training],
            "views": list(zip(block[:, :, None], [y for _, y in training], strict=True)),
            "read-only": [(frozen(x), frozen(y)) for x, y in training],
        }

    @pytest.mark.parametrize("form", ["zip", "generator", "tuple", "lists", "views", "read-only"])
    def test_every_form_trains_alike(self, backend, seeded, small_data, form):
        nets = []
        for chosen in ("separate", form):
            seeded(5)
            nets.append(nielsen.Network([12, 9, 10]))
            nets[-1].SGD(self.forms(list(small_data[0]))[chosen], 2, 10, 1.0)
        for a, b in zip(nets[0].weights, nets[1].weights, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_a_shuffled_list_of_views_trains_alike(self, backend, seeded, small_data):
        nets = []
        for form in ("separate", "views"):
            data = self.forms(list(small_data[0]))[form]
            seeded(5)
            random.shuffle(data)
            nets.append(nielsen.Network([12, 9, 10]))
            nets[-1].SGD(data, 2, 10, 1.0)
        for a, b in zip(nets[0].weights, nets[1].weights, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool"])
    def test_columns_of_every_type_are_used_as_given(self, backend, seeded, small_data, disagreement, dtype):
        data = [((x * 3).astype(dtype), y.astype(dtype)) for x, y in small_data[0]]
        net, oracle = twins(seeded, [12, 9, 10])
        train_both(seeded, net, oracle, data, 1, 10, 1.0)
        assert disagreement(net, oracle) <= 1e-12

    def test_the_loaders_float32_columns(self, backend, seeded, mnist, disagreement):
        net, oracle = twins(seeded, [784, 30, 10])
        train_both(seeded, net, oracle, mnist[0][:500], 1, 10, 3.0)
        assert disagreement(net, oracle) <= 1e-12

    def test_converted_once(self, monkeypatch, small_data):
        converted = []
        for name in ("vector_rows", "label_rows"):
            original = getattr(book.pair_data, name)
            monkeypatch.setattr(book.pair_data, name, lambda *args, f=original: converted.append(args[0]) or f(*args))
        nielsen.Network([12, 9, 10]).SGD(small_data[0], 4, 10, 1.0, test_data=small_data[1])
        assert converted == ["training_data", "test_data"]

    def test_test_data_may_be_a_zip(self, small_data, capsys):
        training, tests = small_data
        net = nielsen.Network([12, 9, 10])
        net.SGD(training, 2, 10, 1.0, test_data=zip(*zip(*tests, strict=True), strict=True))
        assert capsys.readouterr().out.splitlines()[1] == f"Epoch 1: {net.evaluate(tests)} / 300"


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


class TestMethods:
    @pytest.fixture
    def both(self, seeded):
        return twins(seeded, [12, 9, 7, 10])

    def test_feedforward(self, backend, both, small_data):
        net, oracle = both
        x = small_data[0][0][0]
        assert net.feedforward(x).shape == (10, 1)
        np.testing.assert_allclose(net.feedforward(x), oracle.feedforward(x), rtol=1e-13)
        np.testing.assert_array_equal(net.forward(x), net.feedforward(x))
        columns = np.hstack([x for x, _ in small_data[0][:6]])
        np.testing.assert_allclose(net.feedforward(columns), oracle.feedforward(columns), rtol=1e-13)
        byte = (x * 3).astype(np.uint8)
        np.testing.assert_allclose(net.feedforward(byte), oracle.feedforward(byte), rtol=1e-13)

    def test_backprop(self, backend, both, small_data):
        net, oracle = both
        x, y = small_data[0][0]
        for ours, theirs in zip(net.backprop(x, y), oracle.backprop(x, y), strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-16)

    def test_evaluate(self, backend, both, small_data):
        net, oracle = both
        assert net.evaluate(small_data[1]) == oracle.evaluate(small_data[1])
        assert net.evaluate(iter(small_data[1])) == oracle.evaluate(small_data[1])

    def test_update_mini_batch(self, backend, both, small_data, disagreement):
        net, oracle = both
        net.update_mini_batch(small_data[0][:7], 2.0)
        net.update_mini_batch(small_data[0][7:9], learning_rate=2.0)
        oracle.update_mini_batch(small_data[0][:7], 2.0)
        oracle.update_mini_batch(small_data[0][7:9], 2.0)
        assert disagreement(net, oracle) <= 1e-13

    def test_cost_derivative(self, both):
        np.testing.assert_array_equal(both[0].cost_derivative(np.ones((2, 1)), np.zeros((2, 1))), np.ones((2, 1)))

    def test_functions(self):
        z = np.array([-1000.0, -1.0, 0.0, 2.0, 1000.0])
        np.testing.assert_array_equal(nielsen.sigmoid(z), book_oracle.sigmoid(z))
        np.testing.assert_array_equal(nielsen.sigmoid_prime(z), book_oracle.sigmoid_prime(z))
        np.testing.assert_array_equal(nielsen.vectorized_result(3), book_oracle.one_hot(3))


class TestReplacedParts:
    """Overridden methods and functions are honoured on a slower path, said once."""

    def check(self, net, oracle, data, seeded, disagreement, names, eta=1.0):
        with pytest.warns(UserWarning, match=f"slower: {names} is replaced") as caught:
            train_both(seeded, net, oracle, data[0], 2, 10, eta, test_data=data[1])
        assert disagreement(net, oracle) <= 1e-12
        assert len({str(warning.message) for warning in caught}) == len(caught), "said once"
        assert caught[0].filename == __file__

    @pytest.fixture
    def oracle(self, seeded):
        seeded(1)
        return book_oracle.Network([12, 9, 10])

    def test_cost_derivative(self, backend, seeded, small_data, disagreement, oracle, said_nothing_yet):
        class CrossEntropy(nielsen.Network):
            def cost_derivative(self, output_activations, y):
                return (output_activations - y) / (output_activations * (1 - output_activations))

        oracle.output_delta = lambda z, a, y: (a - y) / (a * (1 - a)) * book_oracle.sigmoid_prime(z)
        seeded(1)
        net = CrossEntropy([12, 9, 10])
        self.check(net, oracle, small_data, seeded, disagreement, "cost_derivative")
        x, y = small_data[0][0]
        np.testing.assert_allclose(net.backprop(x, y)[0][1], oracle.backprop(x, y)[0][1], rtol=1e-10)

    def test_backprop(self, backend, seeded, small_data, disagreement, oracle, said_nothing_yet):
        class Doubled(nielsen.Network):
            def backprop(self, x, y):
                nabla_b, nabla_w = super().backprop(x, y)
                return [2 * g for g in nabla_b], [2 * g for g in nabla_w]

        original = oracle.backprop
        oracle.backprop = lambda x, y: tuple([2 * g for g in part] for part in original(x, y))
        seeded(1)
        self.check(Doubled([12, 9, 10]), oracle, small_data, seeded, disagreement, "backprop")

    def test_update_mini_batch_on_the_instance(
        self, backend, seeded, small_data, disagreement, oracle, said_nothing_yet
    ):
        seeded(1)
        net = nielsen.Network([12, 9, 10])
        net.update_mini_batch = lambda batch, eta: nielsen.Network.update_mini_batch(net, batch, eta / 2)
        original = oracle.update_mini_batch
        oracle.update_mini_batch = lambda batch, eta: original(batch, eta / 2)
        self.check(net, oracle, small_data, seeded, disagreement, "update_mini_batch")

    def test_activation_of_the_module(
        self, backend, seeded, small_data, disagreement, oracle, said_nothing_yet, monkeypatch
    ):
        for module in (network, book_oracle):
            monkeypatch.setattr(module, "sigmoid", np.tanh)
            monkeypatch.setattr(module, "sigmoid_prime", lambda z: 1 - np.tanh(z) ** 2)
        seeded(1)
        net = network.Network([12, 9, 10])
        self.check(net, oracle, small_data, seeded, disagreement, "sigmoid, sigmoid_prime", eta=0.02)
        np.testing.assert_allclose(net.feedforward(small_data[0][0][0]), oracle.feedforward(small_data[0][0][0]))

    def test_patched_class(self, backend, seeded, small_data, disagreement, oracle, said_nothing_yet, monkeypatch):
        monkeypatch.setattr(nielsen.Network, "cost_derivative", lambda self, a, y: 3 * (a - y))
        oracle.output_delta = lambda z, a, y: 3 * (a - y) * book_oracle.sigmoid_prime(z)
        seeded(1)
        self.check(nielsen.Network([12, 9, 10]), oracle, small_data, seeded, disagreement, "cost_derivative")

    @pytest.mark.parametrize("name", ["feedforward", "forward"])
    def test_the_forward_pass(self, backend, seeded, small_data, said_nothing_yet, name):
        class Fixed(nielsen.Network):
            pass

        setattr(Fixed, name, lambda self, a: np.eye(10)[:, [4]])
        net = Fixed([12, 9, 10])
        with pytest.warns(UserWarning, match=f"slower: {name} is replaced"):
            assert net.evaluate(small_data[1]) == sum(digit == 4 for _, digit in small_data[1])

    def test_evaluate_alone_does_not_slow_training(self, seeded, small_data, capsys, monkeypatch):
        class Named(nielsen.Network):
            def evaluate(self, test_data):
                assert test_data is tests
                return "nothing"

        tests = small_data[1]
        epochs = []
        original = book.run_epoch
        monkeypatch.setattr(book, "run_epoch", lambda *args, **named: epochs.append(1) or original(*args, **named))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Named([12, 9, 10]).SGD(small_data[0], 2, 10, 1.0, test_data=tests)
        assert epochs == [1, 1]
        assert capsys.readouterr().out.splitlines()[0] == "Epoch 0: nothing / 300"


def test_the_examples_in_the_documentation():
    failed, attempted = doctest.testmod(nielsen)
    assert attempted
    assert not failed
