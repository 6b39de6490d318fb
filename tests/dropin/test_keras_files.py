"""Files of Keras' own formats: those that Keras wrote into tests/data, and those that fastnn writes.

That Keras reads the latter is in test_keras_parity, for an environment that has Keras.
"""

from __future__ import annotations

import contextlib
import json
import sys
import zipfile

import h5py
import keras_files
import numpy as np
import pytest
from keras_files import DATA, LABELS, X

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, metrics, models, optimizers
from fastnn.errors import FileFormatError

FOUND = json.loads((DATA / "keras_files.json").read_text())
WHOLE = [
    (name, ending) for name, endings in keras_files.ENDINGS.items() for ending in endings if "weights" not in ending
]


@pytest.mark.parametrize(("name", "ending"), WHOLE)
def test_models_that_keras_saved(name, ending):
    _, x, y = keras_files.MODELS[name]
    model = models.load_model(DATA / f"keras_{name}{ending}")
    np.testing.assert_allclose(model.predict(x, verbose=0), FOUND[name]["predict"], rtol=1e-6)
    assert type(model) is (models.Sequential if name == "sequential" else models.Model)
    assert model.optimizer.iterations == 6
    compiled = ["accuracy", "sparse_categorical_crossentropy"] if name == "sequential" else ["area"]
    assert model.metrics_names == ["loss", *compiled]
    if "fit" in FOUND[name]:  # training goes on as Keras' does
        history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        for figure, values in FOUND[name]["fit"].items():
            np.testing.assert_allclose(history[figure], values, rtol=1e-5)
    plain = models.load_model(DATA / f"keras_{name}{ending}", compile=False)
    assert plain.optimizer is None


def test_the_state_of_an_optimizer_is_keras():
    by_file = [models.load_model(DATA / f"keras_sequential{ending}").optimizer for ending in (".keras", ".h5")]
    states = [optimizer._home[1] for optimizer in by_file]
    assert (states[0] == states[1]).all()
    with h5py.File(DATA / "keras_sequential.h5") as file:
        group = file["optimizer_weights/adam"]
        kernel = group["sequential_dense_kernel_velocity"][()]
    assert (states[0][1][: 4 * 16].reshape(4, 16)[:, :5] == kernel).all()


def test_weights_that_keras_saved():
    for ending in (".weights.h5", ".keras", ".h5"):
        model = keras_files.sequential(keras)
        model.load_weights(DATA / f"keras_sequential{ending}")
        np.testing.assert_allclose(model.predict(X, verbose=0), FOUND["sequential"]["predict"], rtol=1e-6)


@pytest.mark.parametrize("name", keras_files.MODELS)
def test_json_of_keras(name):
    model = models.model_from_json(FOUND[name]["json"])
    assert not np.allclose(model.predict(X, verbose=0), FOUND[name]["predict"])
    theirs, ours = (json.loads(text)["config"] for text in (FOUND[name]["json"], model.to_json()))
    assert [(each["class_name"], each["config"]["name"]) for each in ours["layers"]] == [
        (each["class_name"], each["config"]["name"]) for each in theirs["layers"]
    ]
    for each, other in zip(ours["layers"], theirs["layers"], strict=True):
        assert each.get("inbound_nodes", []) == [{**node, "kwargs": {}} for node in other.get("inbound_nodes", [])]
        assert each["module"] == other["module"]


def same(first, second):
    return all((a == b).all() for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("ending", [".keras", ".h5", ".hdf5", ""])
@pytest.mark.parametrize("name", keras_files.MODELS)
def test_what_is_saved_is_loaded(tmp_path, name, ending, floatx):
    _, x, y = keras_files.MODELS[name]
    keras.config.set_floatx(floatx)
    try:
        model = keras_files.trained(keras, name)
    finally:
        keras.config.set_floatx("float32")
    model.save(tmp_path / f"model{ending}")
    start = (tmp_path / f"model{ending}").read_bytes()[:4]
    assert start == {".keras": b"PK\3\4", "": start}.get(ending, b"\x89HDF")
    loaded = models.load_model(tmp_path / f"model{ending}")
    assert type(loaded) is type(model)
    assert loaded.to_json() == model.to_json()
    assert same(loaded, model)
    assert {array.dtype for array in loaded.get_weights()} == {np.dtype(floatx)}
    for one in (model, loaded):
        keras.utils.set_random_seed(5)
        one.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert same(loaded, model)
    assert loaded.optimizer.iterations == 10
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)


OPTIMIZERS = {
    "momentum": lambda: optimizers.SGD(0.1, 0.9),
    "nesterov": lambda: optimizers.SGD(0.1, 0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "rmsprop with momentum": lambda: optimizers.RMSprop(0.01, momentum=0.5, clipnorm=1.0),
    "adamw": lambda: optimizers.AdamW(0.01),
    "nadam": lambda: optimizers.Nadam(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.01),
    "decay": lambda: optimizers.SGD(0.1, decay=0.1),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 20)),
}


@pytest.mark.parametrize("ending", [".keras", ".h5", ""])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_with_every_optimizer(tmp_path, optimizer, ending):
    def trained():
        keras.utils.set_random_seed(2)
        model = models.Sequential([layers.Dense(3, "tanh", input_shape=(4,)), layers.Dense(1)])
        model.compile(OPTIMIZERS[optimizer](), "mse")
        model.fit(X, LABELS, batch_size=2, verbose=0, shuffle=False)
        return model

    model = trained()
    model.save(tmp_path / f"model{ending}")
    loaded = models.load_model(tmp_path / f"model{ending}")
    for one in (model, loaded):
        one.fit(X, LABELS, batch_size=2, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.hdf5", "m"])
@pytest.mark.parametrize("model", keras_files.MODELS)
def test_weights_alone(tmp_path, model, name):
    trained = keras_files.trained(keras, model)
    keras.saving.save_weights(trained, tmp_path / name)
    other = keras_files.MODELS[model][0](keras)
    other.load_weights(tmp_path / name)
    assert same(other, trained)
    smaller = models.Sequential([layers.Dense(3, input_shape=(4,))])
    with pytest.raises(FileFormatError, match=f"{name}, byte 0: expected "):
        smaller.load_weights(tmp_path / name)
    with pytest.raises(FileFormatError):
        models.load_model(tmp_path / name)


def test_checkpoints_of_weights(tmp_path):
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.weights.h5", "loss", save_best_only=True, save_weights_only=True
    )
    model = keras_files.functional(keras)
    model.fit(X, LABELS % 2, epochs=2, verbose=0, callbacks=[checkpoint])
    assert h5py.is_hdf5(tmp_path / "1.weights.h5")
    other = keras_files.functional(keras)
    other.load_weights(tmp_path / "2.weights.h5")
    assert same(other, model)


def test_configurations_make_equal_models():
    for make, *_ in keras_files.MODELS.values():
        model = make(keras)
        for other in (type(model).from_config(model.get_config()), models.clone_model(model)):
            assert other.to_json() == model.to_json()
            assert type(other) is type(model)
            assert not same(other, model)
    unbuilt = models.Sequential([layers.Dense(3)], name="later")
    assert not models.model_from_json(unbuilt.to_json(indent=2)).built
    with pytest.raises(fastnn.FastnnError, match=r"to_yaml, which Keras removed in 2\.6 is not in"):
        unbuilt.to_yaml()


# As Keras 1.2 and 2.2 wrote it.
OLD_JSON = {
    "1": {
        "class_name": "Sequential",
        "keras_version": "1.2.2",
        "config": [
            {
                "class_name": "Dense",
                "config": {
                    "W_constraint": None,
                    "b_constraint": None,
                    "name": "dense_1",
                    "activity_regularizer": None,
                    "trainable": True,
                    "init": "glorot_uniform",
                    "bias": True,
                    "input_dim": 4,
                    "b_regularizer": None,
                    "W_regularizer": None,
                    "activation": "relu",
                    "output_dim": 5,
                    "batch_input_shape": [None, 4],
                    "input_dtype": "float32",
                },
            },
            {"class_name": "Dropout", "config": {"p": 0.5, "trainable": True, "name": "dropout_1"}},
            {"class_name": "Activation", "config": {"activation": "softmax", "trainable": True, "name": "out"}},
        ],
    },
    "2": {
        "class_name": "Sequential",
        "config": {
            "name": "sequential_1",
            "layers": [
                {
                    "class_name": "Dense",
                    "config": {
                        "name": "dense_1",
                        "trainable": True,
                        "batch_input_shape": [None, 4],
                        "dtype": "float32",
                        "units": 5,
                        "activation": "relu",
                        "use_bias": True,
                        "kernel_initializer": {
                            "class_name": "VarianceScaling",
                            "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
                        },
                        "bias_initializer": {"class_name": "Zeros", "config": {}},
                        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
                        "bias_regularizer": None,
                        "activity_regularizer": None,
                        "kernel_constraint": None,
                        "bias_constraint": None,
                    },
                },
                {
                    "class_name": "Activation",
                    "config": {"name": "same", "trainable": True, "activation": "linear"},
                },
            ],
        },
        "keras_version": "2.2.4",
        "backend": "tensorflow",
    },
}


def test_json_of_a_layer_as_an_activation():
    """As Keras 3.15 describes it, read and written."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    activation = {
        "module": "keras.layers",
        "class_name": "LeakyReLU",
        "config": {"name": "leaky_re_lu", "trainable": True, "dtype": policy, "negative_slope": 0.15},
        "registered_name": None,
    }
    dense = {"name": "dense", "trainable": True, "dtype": policy, "units": 2, "activation": activation}
    layer = {"module": "keras.layers", "class_name": "Dense", "config": dense, "registered_name": None}
    described = {"class_name": "Sequential", "config": {"layers": [layer], "build_input_shape": [None, 3]}}
    model = models.model_from_json(json.dumps(described))
    x = np.random.default_rng(0).normal(size=(9, 3))
    z = x @ model.get_weights()[0]
    np.testing.assert_allclose(model.predict(x, verbose=0), np.where(z > 0, z, 0.15 * z), rtol=1e-5)
    written = json.loads(model.to_json())["config"]["layers"][1]["config"]["activation"]
    assert written["config"] == {"name": "leaky_re_lu", "negative_slope": 0.15}
    assert {key: written[key] for key in ("module", "class_name", "registered_name")} == {
        key: activation[key] for key in ("module", "class_name", "registered_name")
    }


@pytest.mark.parametrize("version", OLD_JSON)
def test_json_of_older_keras(version):
    described = json.loads(json.dumps(OLD_JSON[version]))
    if version == "1":
        described["config"].pop()
    model = models.model_from_json(json.dumps(described))
    assert [type(layer) for layer in model.layers] == [
        layers.Dense,
        layers.Dropout if version == "1" else layers.Activation,
    ]
    assert model.input_shape == (None, 4)
    assert model.layers[0].units == 5


def older_file(path, changed=None):
    """A whole model as Keras 2.2 saved it, with the state of Adam."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype("f4") for shape in ((4, 5), (5,))]
    described = {key: value for key, value in OLD_JSON["2"].items() if key in ("class_name", "config")}
    adam = {"lr": 0.5, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7, "amsgrad": False}
    training = {
        "optimizer_config": {"class_name": "Adam", "config": adam},
        "loss": "mean_squared_error",
        "metrics": ["mae"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["model_config"] = json.dumps(described).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense_1", b"same"]
        layer = group.create_group("dense_1")
        names = [b"dense_1/kernel:0", b"dense_1/bias:0"]
        layer.attrs["weight_names"] = names
        for name, array in zip(names, weights, strict=True):
            layer[name] = array
        group.create_group("same").attrs["weight_names"] = np.zeros(0)
        group = file.create_group("optimizer_weights")
        state = [np.array(7, "i8"), weights[0] * 2, weights[1] * 2, weights[0] ** 2, weights[1] ** 2]
        state += [np.zeros(1, "f4")] * 2
        group.attrs["weight_names"] = [f"Adam/{i}:0".encode() for i in range(len(state))]
        for i, array in enumerate(state):
            group[f"Adam/{i}:0"] = array
        if changed is not None:
            changed(file)
    return weights


def test_a_model_that_keras_2_saved(tmp_path):
    kernel, bias = older_file(tmp_path / "old.h5")
    model = models.load_model(tmp_path / "old.h5")
    np.testing.assert_allclose(model.predict(X, verbose=0), np.maximum(X @ kernel + bias, 0), rtol=1e-5, atol=1e-6)
    assert model.metrics_names == ["loss", "mae"]
    assert (model.optimizer.iterations, model.optimizer.learning_rate) == (7, 0.5)
    state = model.optimizer._home[1]
    for slot, expected in zip(state, (kernel * 2, kernel**2), strict=True):
        np.testing.assert_array_equal(slot[: 4 * 16].reshape(4, 16)[:, :5], expected)
    model = models.Sequential([layers.Dense(5, "relu", input_shape=(4,))])
    model.load_weights(tmp_path / "old.h5")
    assert (model.get_weights()[0] == kernel).all()


def replace_weights(make):
    def change(file):
        del file["model_weights/dense_1/dense_1/bias:0"]
        make(file["model_weights/dense_1/dense_1"], "bias:0")

    return change


def edited(change):
    def edit(file):
        described = json.loads(file.attrs["model_config"])
        change(described)
        file.attrs["model_config"] = json.dumps(described)

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            replace_weights(lambda group, name: None),
            "an array 'dense_1/bias:0' in '/model_weights/dense_1', found none",
        ),
        (
            replace_weights(lambda g, name: g.create_dataset(name, (10**9,), "f4")),
            r"an array \(5,\) at .*\(1000000000,\)",
        ),
        (replace_weights(lambda g, name: g.create_dataset(name, (5,), "i4")), "an array of floats at .* found int32"),
        (
            replace_weights(lambda g, name: g.create_dataset(name, data=["a"] * 5)),
            "an array of floats at .* found object",
        ),
        (replace_weights(lambda g, n: g.__setitem__(n, h5py.ExternalLink("x.h5", "/a"))), "found a link to elsewhere"),
        (replace_weights(lambda g, n: g.__setitem__(n, h5py.SoftLink("/model_weights"))), "found a link to elsewhere"),
        (
            replace_weights(lambda g, n: g.create_dataset(n, (5,), "f4", external=[("/etc/passwd", 0, 20)])),
            "an array .* in this file, found one that is kept in another",
        ),
        (lambda file: file["model_weights"].attrs.__setitem__("layer_names", [b"same"]), "2 arrays of weights"),
        (lambda file: file["model_weights"].attrs.__setitem__("layer_names", [b"nowhere"]), "a group 'nowhere'"),
        (lambda file: file.attrs.__delitem__("model_config"), "a whole model, with its description"),
        (lambda file: file.attrs.__setitem__("model_config", "{"), "JSON text"),
        (lambda file: file.attrs.__setitem__("model_config", "[" * 10**5), "JSON text"),
        (
            edited(lambda m: m["config"]["layers"][0].update(class_name="Conv2D")),
            "class_name: expected one of .*Conv2D",
        ),
        (edited(lambda m: m["config"]["layers"][0]["config"].update(units=10**12)), "an array .* as the model has"),
        (edited(lambda m: m["config"]["layers"][0]["config"].update(dtype="float16")), "dtype: expected float32 or"),
        (edited(lambda m: m["config"]["layers"][0]["config"].update(trainable=False)), "trainable: expected no such"),
    ],
)
def test_forged_files(tmp_path, change, message):
    older_file(tmp_path / "bad.h5", change)
    with pytest.raises(FileFormatError, match=message) as caught:
        models.load_model(tmp_path / "bad.h5")
    assert str(caught.value).startswith(f"{tmp_path}/bad.h5, byte 0: expected ")


def rewritten(path, change):
    """A ".keras" file of Keras', whose members have been changed."""
    with zipfile.ZipFile(DATA / "keras_functional.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def edit_json(change):
    def edit(members):
        described = json.loads(members["config.json"])
        change(described)
        members["config.json"] = json.dumps(described)

    return edit


def nodes(layer, sources):
    made = [{"args": [{"config": {"keras_history": [source, 0, 0]}}], "kwargs": {}} for source in sources]
    return edit_json(lambda d: d["config"]["layers"][layer].update(inbound_nodes=made))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("model.weights.h5"), "an archive with model.weights.h5"),
        (lambda m: m.update({"model.weights.h5": bytes(10**8)}), "bytes of model.weights.h5, found 100000000"),
        (lambda m: m.update({"model.weights.h5": m["model.weights.h5"][:9000]}), "an undamaged file of Keras'"),
        (lambda m: m.update({"config.json": b" " * (2**24 + 1)}), "bytes of config.json"),
        (nodes(2, ["dense_2", "dense_2"]), "a layer that is called more than once"),
        (nodes(2, ["activation"]), "inbound_nodes: expected a chain from"),
        (
            edit_json(lambda d: d["config"]["layers"].append(d["config"]["layers"][1] | {"name": "x"})),
            "no single chain",
        ),
        (edit_json(lambda d: d["config"].update(input_layers=[["a", 0, 0], ["b", 0, 0]])), "several inputs"),
        (edit_json(lambda d: d["compile_config"].update(loss="ctc")), "loss: expected one of"),
    ],
)
def test_forged_archives(tmp_path, change, message):
    rewritten(tmp_path / "good.keras", lambda members: None)
    models.load_model(tmp_path / "good.keras")
    rewritten(tmp_path / "bad.keras", change)
    with pytest.raises(FileFormatError, match=message):
        models.load_model(tmp_path / "bad.keras")


@pytest.mark.parametrize("name", ["keras_sequential.keras", "keras_sequential.h5"])
def test_damaged_files_are_an_error_or_load(tmp_path, name):
    data = (DATA / name).read_bytes()
    path = tmp_path / name
    for size in range(0, len(data), 2039):
        path.write_bytes(data[:size])
        with pytest.raises(FileFormatError):
            models.load_model(path)
    rng = np.random.default_rng(0)
    for position in rng.integers(len(data), size=60):
        path.write_bytes(data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :])
        with contextlib.suppress(FileFormatError):
            models.load_model(path)


def test_a_kept_file_survives_a_failed_save(tmp_path):
    model = keras_files.trained(keras, "sequential")
    model.save(tmp_path / "model.keras")
    before = (tmp_path / "model.keras").read_bytes()
    model.layers[0].__class__ = type("OwnDense", (layers.Dense,), {})
    with pytest.raises(fastnn.FastnnError, match=r"class to be saved: expected one of .*, found 'OwnDense'"):
        model.save(tmp_path / "model.keras")
    assert (tmp_path / "model.keras").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(fastnn.FastnnError, match="nowhere: there is no such folder"):
        keras_files.trained(keras, "sequential").save(tmp_path / "nowhere" / "model.keras")


def test_metrics_of_the_programs_own_are_left_out(tmp_path):
    def rmse(y_true, y_pred):
        return np.sqrt(np.mean(np.square(y_true - y_pred)))

    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=["mae", rmse, metrics.mean_squared_error, metrics.RootMeanSquaredError()])
    with pytest.warns(UserWarning, match="the file goes without the metrics rmse"):
        model.save(tmp_path / "model.keras")
    names = ["loss", "mae", "mean_squared_error", "root_mean_squared_error"]
    assert models.load_model(tmp_path / "model.keras").metrics_names == names


def test_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    for name in ("a.keras", "a.h5", "a.hdf5"):
        with pytest.raises(fastnn.FastnnError, match=rf"{name}: Keras' .*need h5py: pip install fastnn-cpu\[h5\]"):
            model.save(tmp_path / name)
    with pytest.raises(fastnn.FastnnError, match="need h5py"):
        model.save_weights(tmp_path / "a.weights.h5")
    for path in (DATA / "keras_sequential.keras", DATA / "keras_sequential.h5"):
        with pytest.raises(fastnn.FastnnError, match="need h5py"):
            models.load_model(path)
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "a")
    models.load_model(tmp_path / "a")


def test_save_format_says_it_too(tmp_path):
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    model.save(tmp_path / "a", save_format="h5")
    assert h5py.is_hdf5(tmp_path / "a")
    assert same(models.load_model(tmp_path / "a"), model)
    with pytest.raises(fastnn.FastnnError, match="save_format: expected one of keras, h5"):
        model.save(tmp_path / "a", save_format="tf")
    model.save(tmp_path / "b.keras", include_optimizer=False)
