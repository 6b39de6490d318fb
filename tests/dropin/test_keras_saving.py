"""Files of fastnn.dropin.keras; how a tensor file keeps damage from going unnoticed is in test_model_io."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, losses, model_file, models, optimizers, saving
from fastnn.io import tensor_file

X = np.random.default_rng(0).random((40, 2, 3), np.float32)
LABELS = (X[:, 0, 0] > X[:, 1, 1]) * 1

KINDS = {
    "adam": (lambda: "adam", lambda: "sparse_categorical_crossentropy", "softmax", ["accuracy"]),
    "nesterov": (
        lambda: optimizers.SGD(0.1, 0.9, nesterov=True),
        lambda: losses.SparseCategoricalCrossentropy(from_logits=True),
        "linear",
        ["acc"],
    ),
    "sgd": (lambda: "sgd", lambda: "mse", "tanh", []),
}


def model_of(kind, use_bias=True):
    optimizer, loss, output, metrics = KINDS[kind]
    model = models.Sequential(
        [
            layers.Flatten(input_shape=(2, 3), name="flätten"),
            layers.Dropout(0.125),
            layers.Dense(4, "relu", use_bias=use_bias),
            layers.Dropout(0.5),
            layers.Dense(2, output, use_bias=use_bias),
        ],
        name="my net",
    )
    model.compile(optimizer(), loss(), metrics)
    return model


def targets(kind):
    return np.eye(2)[LABELS] if kind == "sgd" else LABELS


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_goes_on_as_if_it_had_not_been_saved(tmp_path, kind, floatx, trained):
    keras.config.set_floatx(floatx)
    try:
        model = model_of(kind, use_bias=kind != "sgd")
    finally:
        keras.config.set_floatx("float32")
    if trained:
        model.fit(X, targets(kind), epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(5)
    loaded = models.load_model(str(tmp_path / "model.keras"))
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    assert (loaded.name, loaded.input_shape, loaded.metrics_names) == (
        model.name,
        model.input_shape,
        model.metrics_names,
    )
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.loss.get_config() == model.loss.get_config()
    for one in (model, loaded):
        keras.utils.set_random_seed(5)  # loading has drawn nothing
        one.fit(X, targets(kind), epochs=2, verbose=0)
    assert loaded.optimizer.iterations == model.optimizer.iterations == (10 if trained else 4)
    assert all(a.dtype == floatx and (a == b).all() for a, b in zip(loaded.weights, model.weights, strict=True))
    assert (loaded.predict(X, verbose=0) == model.predict(X, verbose=0)).all()


def test_models_that_are_not_compiled(tmp_path):
    model = models.Sequential([layers.Dense(3, input_dim=6)])
    saving.save_model(model, tmp_path / "plain")
    with pytest.raises(fastnn.FastnnError, match=r"call `compile\(\)`"):
        models.load_model(tmp_path / "plain").fit(X.reshape(40, 6), X.reshape(40, 6)[:, :3], verbose=0)
    model_of("adam").save(tmp_path / "compiled")
    loaded = saving.load_model(tmp_path / "compiled", compile=False)
    assert loaded.optimizer is None


def test_the_tensors_are_there_for_other_programs(tmp_path):
    model = model_of("adam")
    model.fit(X, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    tensors = safetensors.numpy.load_file(tmp_path / "model.keras")
    names = [f"{kind}.{i}" for i in range(2) for kind in ("weights", "biases")]
    assert sorted(tensors) == sorted(prefix + name for prefix in ("", "optimizer.0.", "optimizer.1.") for name in names)
    assert all((tensors[name] == array).all() for name, array in zip(names, model.weights, strict=True))


def test_a_kept_file_survives_a_failed_save(tmp_path):
    model = model_of("adam")
    model.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    unbuilt = models.Sequential([layers.Dense(3)])
    with pytest.raises(fastnn.FastnnError, match="model: expected one that is built"):
        unbuilt.save(tmp_path / "model")
    with pytest.raises(fastnn.FastnnError, match="overwrite: expected no such option of save"):
        model.save(tmp_path / "model", overwrite=False)
    assert (tmp_path / "model").read_bytes() == before
    model.layers[2].__class__ = type("OwnDense", (layers.Dense,), {})
    with pytest.raises(
        fastnn.FastnnError, match=r"class to be saved: expected one of Activation, .*, found 'OwnDense'"
    ):
        model.save(tmp_path / "model")
    model = model_of("adam")
    model.add(layers.Dropout(0.5))
    with pytest.raises(fastnn.FastnnError, match="layers: expected no Dropout after the last Dense layer"):
        model.save(tmp_path / "model")  # what could not be loaded
    model = model_of("adam")
    assert (tmp_path / "model").read_bytes() == before
    with pytest.raises(fastnn.FastnnError, match="nowhere: there is no such folder"):
        model.save(tmp_path / "nowhere" / "model")


def test_other_files_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "real.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    (tmp_path / "real.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    fastnn.MLP([2, 2]).save(tmp_path / "mlp")
    model_of("adam").save(tmp_path / "ours")
    for load, name, found in (
        (models.load_model, "real.keras", "found a zip file, as Keras' own .keras, "),
        (models.load_model, "real.h5", "found an HDF5 file, as Keras' .h5 is"),
        (models.load_model, "missing.keras", "there is no such file"),
        (models.load_model, "mlp", "as in a model of fastnn.dropin.keras"),
        (fastnn.load, "ours", "as in a fastnn model"),
    ):
        with pytest.raises(fastnn.errors.FileFormatError, match=found) as caught:
            load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(fastnn.FastnnError, match="path: expected a str"):
        models.load_model(3)
    with pytest.raises(fastnn.FastnnError, match="custom_objects: expected no such option of load_model"):
        models.load_model(tmp_path / "ours", custom_objects={"f": print})


def forged(path, change):
    """A whole file, digest included, whose configuration ``change`` has edited."""
    model = model_of("adam")
    model.fit(X, LABELS, verbose=0)
    model.save(path)
    config, arrays = tensor_file.read(path, model_file._FORM)
    change(config)
    form = model_file._FORM._replace(
        tensors=lambda _: [tensor_file.Tensor(name, a.shape) for name, a in arrays.items()]
    )
    tensor_file.write(path, form, json.loads(json.dumps(config)), arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(name=3), "'name' of type str"),
        (lambda c: c.update(input_shape=[2, -3]), r"found input_shape\[1\]"),
        (lambda c: c.update(input_shape=[2, 4]), "tensor weights.0"),
        (lambda c: c.update(layers=[]), "at least one Dense layer"),
        (lambda c: c.update(layers=[3]), "a class and its config"),
        (lambda c: c["layers"][0].update({"class": "Conv2D"}), "found class: expected one of Activation, Dense"),
        (lambda c: c["layers"][2]["config"].update(units=10**12), "tensor weights.0"),
        (lambda c: c["layers"][2]["config"].update(units="4"), "units: expected an integer"),
        (lambda c: c["layers"][2]["config"].pop("units"), "the arguments of its kind"),
        (lambda c: c["layers"][2]["config"].update(bias_regularizer="l2"), "bias_regularizer: expected no such"),
        (lambda c: c["layers"][1]["config"].update(rate=2), "rate: expected a finite number"),
        (lambda c: c["layers"].pop(0), "a Flatten before it"),
        (lambda c: c["layers"].append(c["layers"][1]), "no Dropout after the last Dense layer"),
        (lambda c: c["compiled"].pop("loss"), "found compiled: expected values"),
        (lambda c: c["compiled"].update(iterations=-1), "iterations: expected an integer of at least 0"),
        (lambda c: c["compiled"].update(has_state=False), "tensors biases.0"),
        (lambda c: c["compiled"].update(metrics=["f2"]), "metrics: expected a metric of fastnn's part of Keras"),
        (lambda c: c["compiled"]["optimizer"].update({"class": "Adamax"}), "class: expected one of SGD, RMSprop"),
        (lambda c: c["compiled"]["optimizer"]["config"].update(epsilon=0), "epsilon: expected a finite number above 0"),
        (lambda c: c["compiled"]["loss"].update({"class": "MeanSquaredError"}), "from_logits: expected no such option"),
        (lambda c: c["compiled"]["loss"]["config"].update(from_logits=1), "from_logits: expected True or False"),
    ],
)
def test_forged_configurations(tmp_path, change, message):
    forged(tmp_path / "good", lambda config: None)
    models.load_model(tmp_path / "good")
    forged(tmp_path / "bad", change)
    with pytest.raises(fastnn.errors.FileFormatError, match=message):
        models.load_model(tmp_path / "bad")


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "model.keras"
    model_of("adam").save(path)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :])
        with pytest.raises(fastnn.errors.FileFormatError):
            models.load_model(path)
