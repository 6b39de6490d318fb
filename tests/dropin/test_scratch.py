"""The network of fastnn.dropin.scratch against the tutorials' program, written anew from its description."""

import copy
import doctest
import gc
import gzip
import math
import pickle
import random

import numpy as np
import pytest
import scratch_oracle as oracle
from bars import idx

import fastnn
from fastnn.dropin import scratch, scratch_mse

PIXELS, ROWS, HIDDEN = 30, 40, 7
PROGRAMS = ["fit", "fit_mse"]
SCALED = {"fit": lambda pixels: pixels / 255.0, "fit_mse": lambda pixels: 2.0 * pixels / 255 - 1}  # what predict takes


def images(count=ROWS, seed=0):
    return np.random.default_rng(seed).choice([0, 0, 0, 1, 128, 255], (count, PIXELS)).astype(np.uint8)


LABELS = np.random.default_rng(9).integers(0, 10, ROWS).tolist()
X = images()


def train(module, program, dataset, labels=LABELS, *, lr=0.1, epochs=20, hidden=HIDDEN, seed=3, **options):
    np.random.seed(seed)
    return getattr(module, program)(dataset, labels, lr, epochs, hidden, **options)


def disagreement(ours, theirs):
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.quick
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("program", PROGRAMS)
def test_same_seed_same_numbers_and_lines(program, capsys):
    ours = train(scratch, program, X.tolist())
    state, printed = np.random.get_state(), capsys.readouterr().out
    theirs = train(oracle, program, X.tolist(), pixels=PIXELS)
    assert capsys.readouterr().out == printed
    assert printed.count("\n") == 3
    assert [array.shape for array in ours] == [(PIXELS, HIDDEN), (1, HIDDEN), (HIDDEN, 10), (1, 10)]
    assert {array.dtype for array in ours} == {np.dtype(np.float64)}
    assert disagreement(ours, theirs) < 1e-13
    for after, expected in zip(np.random.get_state(), state, strict=True):
        np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_first_draws_are_the_originals_bit_by_bit(program):
    ours, theirs = train(scratch, program, X, epochs=0), train(oracle, program, X, epochs=0, pixels=PIXELS)
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_hundred_epochs_of_mnist(program, capsys):
    (digits, labels), _ = fastnn.datasets.load_mnist()
    dataset, labels = digits[:300].tolist(), labels[:300].tolist()
    ours = train(scratch, program, dataset, labels, lr=0.1, epochs=100, hidden=50)
    printed = capsys.readouterr().out
    theirs = train(oracle, program, dataset, labels, lr=0.1, epochs=100, hidden=50)
    assert capsys.readouterr().out == printed
    assert disagreement(ours, theirs) < 1e-10
    name = program.replace("fit", "predict")
    for held_out in (SCALED[program](digits[300:400]), digits[300:400]):
        expected = getattr(oracle, name)(held_out, *theirs)
        np.testing.assert_array_equal(getattr(scratch, name)(held_out, *ours), expected)
        np.testing.assert_array_equal(getattr(scratch, name)(held_out.tolist(), *ours), expected)


FORMS = {
    "uint8": lambda X: X,
    "int64": lambda X: X.astype(np.int64),
    "float64": lambda X: X.astype(float),
    "float32": lambda X: X.astype(np.float32),
    "lists of floats": lambda X: X.astype(float).tolist(),
    "lists of integers beyond bytes": lambda X: (X.astype(int) * 2 - 100).tolist(),
    "lists of NumPy's integers": lambda X: [list(row) for row in X],
    "lists of bools": lambda X: (X > 0).tolist(),
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
    "list of arrays": list,
    "columns first": np.asfortranarray,
    "read-only": lambda X: np.frombuffer(X.tobytes(), np.uint8).reshape(X.shape),
    "other numbers": lambda X: X * 1.5 - 100.25,
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("form", FORMS)
def test_images_of_any_form(form, program):
    dataset = FORMS[form](X)
    ours = train(scratch, program, dataset)
    assert disagreement(ours, train(oracle, program, dataset, pixels=PIXELS)) < 1e-12


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("form", FORMS)
def test_predict_takes_inputs_of_any_form_as_they_are(form, program):
    dataset, name = FORMS[form](X), program.replace("fit", "predict")
    w1, b1, w2, b2 = train(oracle, program, X, pixels=PIXELS)
    weights = w1, b1, w2, b2 + 0.1 * np.arange(10)  # so that scaled inputs have other classes
    expected = getattr(oracle, name)(np.array(dataset), *weights)
    assert (expected != getattr(oracle, name)(SCALED[program](np.array(dataset)), *weights)).any()
    found = getattr(scratch, name)(dataset, *weights)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected, strict=True)
    for i, image in enumerate(dataset):
        for single in (image, [image], dataset[i : i + 1]):
            np.testing.assert_array_equal(getattr(scratch, name)(single, *weights), expected[i : i + 1], strict=True)


@pytest.mark.parametrize("form", [scratch.conver2one_hot, np.float32, lambda labels: list(map(float, labels))])
def test_labels_may_be_one_hot_or_whole_floats_and_images_stay_as_they_are(form):
    dataset = X.copy()
    ours = train(scratch, "fit", dataset, form(LABELS))
    assert disagreement(ours, train(oracle, "fit", X, pixels=PIXELS)) < 1e-13
    assert (dataset == X).all()


def test_the_logarithm_of_the_printed_loss_ends_at_1e_minus_8(capsys):
    w1, b1, w2, b2 = train(oracle, "fit", X, lr=60.0, epochs=9, pixels=PIXELS)
    p = oracle.softmax(oracle.active_relu(X / 255 @ w1 + b1) @ w2 + b2)[np.arange(ROWS), LABELS]
    assert (p < 1e-12).any()
    capsys.readouterr()
    train(oracle, "fit", X, lr=60.0, epochs=10, pixels=PIXELS)
    expected = capsys.readouterr().out
    train(scratch, "fit", X, lr=60.0, epochs=10)
    assert capsys.readouterr().out == expected
    assert f"Loss: {-np.mean(np.log(p + 1e-8)):.4f}" in expected
    assert f"Loss: {-np.mean(np.log(p)):.4f}" not in expected


def test_predict_sees_edits_of_fits_arrays_and_takes_others():
    w = train(scratch, "fit", X)
    network = list(w)
    for edit in (
        lambda: w[0].__imul__(-1),
        lambda: w[1].__setitem__((0, 2), 3.0),
        lambda: w[2].__setitem__(slice(0, 3), 0.5),
        lambda: w[3].__setitem__((0, 4), 0.7),
        lambda: network.__setitem__(0, np.array(w[0])),
        lambda: network.__setitem__(3, w[3].copy() * -1),
        lambda: network.__setitem__(1, w[1][0]),
        lambda: network.__setitem__(2, w[2].tolist()),
        lambda: network.__setitem__(slice(None), [array.astype(np.float32) for array in w]),
        lambda: network.__setitem__(slice(None), copy.deepcopy(w)),
        lambda: network.__setitem__(slice(None), pickle.loads(pickle.dumps(w))),
    ):
        edit()
        expected = oracle.predict(X, *network).tolist()
        assert [scratch.predict(image, *network).item() for image in X] == expected
        assert scratch.predict(X, *network).tolist() == expected


def test_predict_keeps_networks_apart_and_nothing_alive():
    gc.collect()
    before = len(scratch._fitted)
    first, second = train(scratch, "fit", X), train(scratch, "fit", X, seed=4)
    mixed = first[0], *second[1:]
    for network in (first, second, mixed):
        assert scratch.predict(X, *network).tolist() == oracle.predict(X, *network).tolist()
    assert len(scratch._fitted) == before + 2
    del first, second, mixed, network
    gc.collect()
    assert len(scratch._fitted) == before


def test_fits_arrays_are_the_callers_own():
    first = train(scratch, "fit", X)
    kept = [array.copy() for array in first]
    train(scratch, "fit", X, epochs=5)
    assert all((a == b).all() for a, b in zip(first, kept, strict=True))
    assert all(array.flags.writeable for array in first)


def test_divergence_names_the_epoch_and_leaves_the_last_finite_weights(capsys):
    with pytest.raises(fastnn.DivergenceError, match=r"^epoch \d+: expected a finite loss .* \(lr 1e\+100\)") as caught:
        train(scratch, "fit_mse", X, lr=1e100)
    epoch = int(str(caught.value).split(":")[0].split()[1])
    printed = capsys.readouterr().out
    w1, b1, w2, b2 = expected = train(oracle, "fit_mse", X, lr=1e100, epochs=epoch - 1, pixels=PIXELS)
    assert disagreement(caught.value.weights, expected) < 1e-10
    with np.errstate(over="ignore"):
        assert np.isinf(np.square(oracle.active_relu((X / 127.5 - 1) @ w1 + b1) @ w2 + b2)).any()
    assert "nan" not in printed
    assert "inf" not in printed


@pytest.mark.parametrize("hidden", ["before ReLU", "after ReLU"])
def test_get_gradient_is_that_of_the_mean_squared_error(hidden):
    (w1, b1, w2, b2), x, y = train(oracle, "fit_mse", X, pixels=PIXELS), SCALED["fit_mse"](X), np.eye(10)[LABELS]

    def loss(wbs):
        return np.mean((np.maximum(0, x @ wbs[0] + wbs[1]) @ wbs[2] + wbs[3] - y) ** 2)

    wbs, z1 = [w1, b1, w2, b2], x @ w1 + b1
    a1 = np.maximum(0, z1)
    out = a1 @ w2 + b2
    slopes = 2 * (out - y) / y.size
    found = scratch.get_gradient(slopes, wbs, [x, z1 if hidden == "before ReLU" else a1, out])
    assert disagreement(found, oracle.get_gradient(slopes, wbs, [x, z1])) < 1e-13
    assert [(array.shape, array.dtype) for array in found] == [(array.shape, np.float64) for array in wbs]
    direction = [np.random.default_rng(i).normal(size=array.shape) for i, array in enumerate(wbs)]
    ahead, behind = (
        loss([value + step * d for value, d in zip(wbs, direction, strict=True)]) for step in (1e-6, -1e-6)
    )
    slope = sum((g * d).sum() for g, d in zip(found, direction, strict=True))
    np.testing.assert_allclose((ahead - behind) / 2e-6, slope, rtol=1e-7)


@pytest.fixture
def files(tmp_path):
    """A labels file and an images file of 50 images of 3 rows and 4 columns."""
    rng = np.random.default_rng(0)
    (tmp_path / "labels").write_bytes(idx(rng.integers(0, 10, 50).astype(np.uint8)))
    (tmp_path / "images").write_bytes(idx(rng.integers(0, 256, (50, 3, 4)).astype(np.uint8)))
    return tmp_path / "labels", tmp_path / "images"


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    """Put back what read_pic sets."""
    for module in (scratch, oracle):
        for name in ("PIXEL", "WIDTH", "LENGTH"):
            monkeypatch.setattr(module, name, getattr(module, name))


@pytest.mark.parametrize("count", [0, 1, 20, 50])
def test_read_pic_draws_what_the_original_draws(files, count):
    random.seed(count)
    found = scratch.read_pic(count, *files)
    state = random.getstate()
    random.seed(count)
    assert found == oracle.read_pic(count, *files)
    assert random.getstate() == state
    assert all(type(pixel) is int for image in found[0] for pixel in image)
    assert all(type(label) is int for label in found[1])


def test_read_pic_sets_the_sizes_of_its_images(files):
    for module in (scratch, scratch_mse):
        assert (module.PIXEL, module.WIDTH, module.LENGTH) == (784, 28, 28)
    scratch_mse.read_pic(1, *files)
    for module in (scratch, scratch_mse):
        assert (module.PIXEL, module.WIDTH, module.LENGTH) == (12, 4, 3)
        assert type(module.PIXEL) is type(module.WIDTH) is type(module.LENGTH) is int


def test_read_pic_finds_mnist_beside_the_program(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    for path, name in zip(files, ("train-labels.idx1-ubyte", "train-images.idx3-ubyte"), strict=True):
        path.rename(tmp_path / "mnist" / name)
    random.seed(2)
    found = scratch.read_pic(pic_num=20)
    random.seed(2)
    assert found == oracle.read_pic(20)


def test_read_pic_of_letters(files):
    files[0].write_bytes(idx(np.arange(50, dtype=np.uint8) + 1))  # 1..26 in EMNIST
    images, labels = scratch.read_pic(50, *files)
    assert sorted(labels) == list(range(1, 51))
    assert all(scratch.knn(1, images, labels, image) == label for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize(("seed", "numpys"), [(scratch.set_random_seed, True), (scratch.set_randon_seed, False)])
def test_seeds(seed, numpys):
    random.seed(1)
    np.random.seed(1)
    seed(7)
    drawn = random.random(), np.random.random()
    np.random.seed(7 if numpys else 1)
    assert drawn == (random.Random(7).random(), np.random.random())


def test_a_seed_that_is_none_leaves_both_streams():
    random.seed(1)
    state = random.getstate()
    for bad in (2**32, -1, 1.5, "7"):
        with pytest.raises(fastnn.FastnnError, match="seed: expected an integer"):
            scratch.set_random_seed(bad)
    with pytest.raises(fastnn.FastnnError, match=r"seed: expected an int, float, str, bytes or None, found list"):
        scratch.set_randon_seed([7])
    assert random.getstate() == state


def test_the_variants_module_has_its_own_fit_and_predict():
    assert scratch_mse.fit is scratch.fit_mse
    assert scratch_mse.predict is scratch.predict_mse
    names = {}
    exec("from fastnn.dropin.scratch_mse import *", names)
    assert names["PIXEL"] == 784
    assert set(scratch.__all__) - set(scratch_mse.__all__) == {"fit_mse", "predict_mse"}
    assert not hasattr(scratch_mse, "HEIGHT")


def test_read_pic_of_compressed_files(files):
    random.seed(1)
    expected = scratch.read_pic(9, *files)
    for path in files:
        path.write_bytes(gzip.compress(path.read_bytes()))
    random.seed(1)
    assert scratch.read_pic(9, str(files[0]), str(files[1])) == expected


def test_pt_image_prints_a_picture(capsys):
    (digits, _), _ = fastnn.datasets.load_mnist()
    for form in (digits[0].tolist(), digits[0], digits[0].reshape(28, 28), digits[0].astype(float)):
        scratch.pt_image(form)
        printed = capsys.readouterr().out
        oracle.pt_image(digits[0].tolist())
        assert printed == capsys.readouterr().out
    scratch.pt_image([0, 26, 200, 255])
    assert capsys.readouterr().out == "  ..\n##@@\n"


def test_functions():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 10)) * 300
    np.testing.assert_array_equal(scratch.active_relu(z), oracle.active_relu(z))
    assert scratch.active_relu([-1, 0, 2]).tolist() == [0, 0, 2]
    np.testing.assert_allclose(scratch.softmax(z), oracle.softmax(z), rtol=1e-15)
    np.testing.assert_allclose(scratch.softmax(z[0]), oracle.softmax(z)[0], rtol=1e-15)
    np.testing.assert_allclose(scratch.softmax(z.reshape(2, 3, 10)).reshape(6, 10), oracle.softmax(z), rtol=1e-15)
    assert scratch.softmax([1, 1]).tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(scratch.conver2one_hot(LABELS), oracle.conver2one_hot(LABELS))
    assert scratch.conver2one_hot(LABELS).dtype == np.float64
    for whole in (np.array(LABELS, float), np.array(LABELS, np.float16), scratch.conver2one_hot(LABELS)):
        np.testing.assert_array_equal(scratch.conver2one_hot(whole), oracle.conver2one_hot(LABELS), strict=True)


W = train(scratch, "fit", X, epochs=0)
OUT = np.zeros((ROWS, 10))


def spoiled(place):
    arrays = [array.copy() for array in W]
    arrays[place][0, 0] = np.nan
    return arrays


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train(scratch, "fit", X[0]), r"train_dataset: expected at least one flattened image, \(n, d\)"),
        (lambda: train(scratch, "fit", [], []), "train_dataset: expected at least one flattened image"),
        (lambda: train(scratch, "fit", [[], []], [1, 2]), "train_dataset: expected at least one flattened image"),
        (lambda: train(scratch, "fit", X.reshape(ROWS, 5, 6)), "train_dataset: expected at least one flattened image"),
        (lambda: train(scratch, "fit", [[1, 2], [3]], [1, 2]), "train_dataset: expected a rectangular array"),
        (lambda: train(scratch, "fit", [[1, 2], 3], [1, 2]), "train_dataset: expected a rectangular array"),
        (lambda: train(scratch, "fit", [["a"]], [1]), "train_dataset: expected an array of real numbers"),
        (lambda: train(scratch, "fit", [[1.0, np.nan]], [1]), "train_dataset: expected finite numbers"),
        (lambda: train(scratch, "fit", X, LABELS[:-1]), f"train_labels: expected {ROWS} rows, as many as train_data"),
        (lambda: train(scratch, "fit", X, [10] * ROWS), r"train_labels: expected labels 0\.\.9, found 10 at index 0"),
        (lambda: train(scratch, "fit", X, [0.5] * ROWS), "train_labels: expected integer class labels"),
        (lambda: train(scratch, "fit", X, np.full((ROWS, 10), np.nan)), "train_labels: expected finite numbers"),
        (lambda: train(scratch, "fit", X, np.zeros((ROWS, 9))), "train_labels: expected labels"),
        (lambda: train(scratch, "fit", X, lr=-1), "lr: expected a finite number at least 0"),
        (lambda: train(scratch, "fit", X, epochs=1.5), "epochs: expected an integer"),
        (lambda: train(scratch, "fit", X, hidden=0), "hidden_node: expected an integer of at least 1"),
        (lambda: scratch.predict(X[0, 1:], *W), r"test_data: expected shape \(n, 30\), found shape \(1, 29\)"),
        (lambda: scratch.predict(5, *W), r"test_data: expected shape \(n, 30\), found shape \(\)"),
        (lambda: scratch.predict(X.reshape(-1, 5, 30), *W), r"test_data: expected shape \(n, 30\)"),
        (lambda: scratch.predict(X[0].reshape(5, 6), *W), r"test_data: expected shape \(n, 30\)"),
        (lambda: scratch.predict(X[0][:, np.newaxis], *W), r"test_data: expected shape \(n, 30\), found shape \(30, 1"),
        (lambda: scratch.predict([np.nan] * PIXELS, *W), "test_data: expected finite numbers"),
        (lambda: scratch.predict(["a"] * PIXELS, *W), "test_data: expected an array of real numbers"),
        (lambda: scratch.predict(X[0], np.ones((2, 3, 7)), *W[1:]), r"w1: expected shape \(inputs, outputs\)"),
        (lambda: scratch.predict(X[0], 7, *W[1:]), r"b1: expected shape \(1, 1\)"),
        (
            lambda: scratch.predict(X[0], W[0], W[1][:, 1:], *W[2:]),
            r"b1: expected shape \(1, 7\), found shape \(1, 6\)",
        ),
        (lambda: scratch.predict(X[0], *W[:2], W[2][:, :0], W[3]), r"w2: expected shape \(inputs, outputs\)"),
        (lambda: scratch.predict(X[0], *W[:2], W[2][1:], W[3]), r"w2: expected shape \(7, 10\)"),
        (lambda: scratch.predict(X[0], *W[:3], W[3].T), r"b2: expected shape \(1, 10\)"),
        (lambda: scratch.predict(X[0], *W[:3], "b"), "b2: expected an array of real numbers"),
        (lambda: scratch.predict(X, *spoiled(0)), r"w1: expected finite numbers, found nan at index \(0, 0\)"),
        (lambda: scratch.predict(X, *spoiled(3)), r"b2: expected finite numbers, found nan at index \(0, 0\)"),
        (lambda: scratch.predict([1e300] * PIXELS, W[0] * 1e20, *W[1:]), "test_data: expected images and weights with"),
        (lambda: scratch.pt_image([1, 2, 3]), "image: expected a square image"),
        (lambda: scratch.pt_image([]), "image: expected a square image"),
        (lambda: scratch.pt_image([-1, 0, 256, 0]), r"image: expected pixels 0\.\.255, found -1 to 256"),
        (lambda: scratch.conver2one_hot(5), r"labels: expected labels \(n,\), found a single number"),
        (lambda: scratch.conver2one_hot([1.0, 10.0]), r"labels: expected labels 0\.\.9, found 10\.0 at index 1"),
        (
            lambda: scratch.conver2one_hot([1.0, 2.5]),
            r"labels: .* integer class labels or .*, found 2\.5 at index 1",
        ),
        (
            lambda: scratch.conver2one_hot([1.0, np.nan]),
            r"labels: .* integer class labels or .*, found nan at index 1",
        ),
        (lambda: scratch.conver2one_hot([1.0, np.inf]), r"labels: expected labels 0\.\.9, found inf at index 1"),
        (lambda: scratch.get_gradient(0.3, W, [X, X[:, :7]]), r"loss: expected two dimensions, found shape \(\)"),
        (lambda: scratch.get_gradient(OUT, W[:3], [X, X[:, :7]]), "wbs: expected w1, b1, w2 and b2, found 3"),
        (lambda: scratch.get_gradient(OUT, W, [X]), "vals: expected the inputs and the hidden layer's values, found 1"),
        (lambda: scratch.get_gradient(OUT, W, [X[:, :7], X]), r"vals\[0\]: expected shape \(40, 30\), found"),
        (lambda: scratch.get_gradient(OUT, W, [X, X]), r"vals\[1\]: expected shape \(40, 7\), found shape"),
        (lambda: scratch.get_gradient(OUT[:, 1:], W, [X, X[:, :7]]), r"wbs\[2\]: expected shape \(7, 9\)"),
        (lambda: scratch.softmax(1.0), r"x: expected shape \(n, outputs\) or \(outputs,\)"),
        (lambda: scratch.read_pic(-1, "labels", "images"), "pic_num: expected an integer of at least 0"),
        (lambda: scratch.read_pic(1, "no labels", "no images"), "no images"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(fastnn.FastnnError, match=message):
        call()


def test_images_that_are_none(files):
    files[1].write_bytes(idx(np.zeros((50, 12), np.uint8)))
    with pytest.raises(fastnn.FastnnError, match=r"images, byte 3: expected 3 dimensions, .* found shape \(50, 12"):
        scratch.read_pic(1, *files)


def test_more_images_than_there_are(files):
    with pytest.raises(fastnn.FastnnError, match="pic_num: expected at most 50, the number of images, found 51"):
        scratch.read_pic(51, *files)


def four_layers(seed):
    """The model of the module's documentation, in float64."""
    model = fastnn.MLP(
        [784, 256, 128, 10],
        activation="relu",
        output="identity",
        loss="mean_squared_error",
        init="truncated_normal",
        dtype="float64",
        seed=seed,
    )
    for weights in model.weights:
        weights *= 0.1 * math.sqrt(len(weights))
    return model


@pytest.fixture(scope="module")
def original_of_four_layers():
    """20 images, their labels, and the original's losses and parameters after 100 updates by all of them."""
    (digits, labels), _ = fastnn.datasets.load_mnist()
    dataset, labels = digits[:20], labels[:20]
    model = four_layers(seed=2)
    weights, biases = [w.copy() for w in model.weights], [b.copy() for b in model.biases]
    losses = oracle.four_layers(dataset / 255, oracle.conver2one_hot(labels), weights, biases, 0.01, 100)
    return dataset, labels, losses, weights + biases


@pytest.mark.usefixtures("backend")
def test_the_program_of_four_layers(original_of_four_layers):
    dataset, labels, losses, parameters = original_of_four_layers
    model = four_layers(seed=2)
    history = model.fit(dataset, labels, epochs=100, batch_size=20, learning_rate=0.01, shuffle=False)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-10)
    assert disagreement(model.weights + model.biases, parameters) < 1e-10


def test_the_weights_of_the_program_of_four_layers_are_truncated_normal():
    weights = np.concatenate([w.ravel() for w in four_layers(seed=0).weights])
    assert np.abs(weights).max() <= 0.2
    np.testing.assert_allclose(weights.std(), 0.1 * 0.87963, rtol=0.01)  # the normal distribution's within two sigma
    assert all((b == 0).all() for b in four_layers(seed=0).biases)


def test_the_examples_in_the_documentation():
    failed, attempted = doctest.testmod(scratch)
    assert attempted
    assert not failed
