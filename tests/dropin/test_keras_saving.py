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
    model.save(tmp_path / "model")
    keras.utils.set_random_seed(5)
    loaded = models.load_model(str(tmp_path / "model"))
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
    model.save(tmp_path / "model")
    tensors = safetensors.numpy.load_file(tmp_path / "model")
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
    with pytest.raises(fastnn.FastnnError, match="overwrite: expected True, or a path where there is no file"):
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
        (models.load_model, "real.keras", "expected an archive with config.json, as Keras writes, found metadata.json"),
        (models.load_model, "real.h5", "expected an undamaged file of Keras'"),
        (models.load_model, "missing.keras", "there is no such file"),
        (models.load_model, "mlp", "as in a model of fastnn.dropin.keras"),
        (fastnn.load, "ours", "as in a fastnn model"),
    ):
        with pytest.raises(fastnn.errors.FileFormatError, match=found) as caught:
            load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(fastnn.FastnnError, match="path: expected a str"):
        models.load_model(3)
    with pytest.raises(fastnn.FastnnError, match="custom_objects: expected a dict"):
        models.load_model(tmp_path / "ours", custom_objects=[print])


def forged(path, change):
    """A whole file, digest included, whose configuration ``change`` has edited."""
    model = model_of("adam")
    model.fit(X, LABELS, verbose=0)
    model.save(path)
    config, arrays = tensor_file.read(path, model_file._MODEL)
    change(config)
    form = model_file._MODEL._replace(
        tensors=lambda _: [tensor_file.Tensor(name, a.shape) for name, a in arrays.items()]
    )
    tensor_file.write(path, form, json.loads(json.dumps(config)), arrays)


def described(layer):
    """The place of a layer's description: 0 is the input."""
    return lambda config: config["model"]["config"]["layers"][layer]


def set_in(layer, **values):
    return lambda config: described(layer)(config)["config"].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model"]["config"].update(name=3), "name: expected a string"),
        (lambda c: c["model"].update(class_name="Conv"), "class_name: expected Sequential or Functional"),
        (lambda c: c.update(model={}), "description: expected a class_name and its config"),
        (set_in(0, batch_shape=[None, 2, -3]), r"found batch_shape\[1\]"),
        (set_in(0, batch_shape=[None, 2, 4]), "tensor weights.0"),
        (lambda c: c["model"]["config"].update(layers=[]), "at least one Dense layer"),
        (lambda c: c["model"]["config"].update(layers=[3]), "a class_name and its config"),
        (lambda c: described(1)(c).update(class_name="Conv2D"), "found class_name: expected one of Activation, Dense"),
        (set_in(3, units=10**12), "tensor weights.0"),
        (set_in(3, units="4"), "units: expected an integer"),
        (set_in(3, kernel_constraint="max_norm"), "kernel_constraint: expected no such"),
        (set_in(3, kernel_initializer={"class_name": "os.system", "config": {}}), "initializer: expected one of"),
        (set_in(3, window=2), "window: expected no such option"),
        (set_in(2, rate=2), "rate: expected a finite number"),
        (lambda c: c["model"]["config"]["layers"].pop(1), "a Flatten before it"),
        (
            lambda c: c["model"]["config"]["layers"].append(described(2)(c) | {"config": {"rate": 0.5}}),
            "no Dropout after the last Dense layer",
        ),
        (lambda c: c["training"].pop("loss"), "loss: expected one of"),
        (lambda c: c.update(iterations=-1), "iterations: expected an integer of at least 0"),
        (lambda c: c.update(has_state=False), "tensors biases.0"),
        (lambda c: c.update(training={}), "has_state: expected False"),
        (lambda c: c["training"].update(metrics=["f2"]), "metrics: expected a metric of fastnn's part of Keras"),
        (lambda c: c["training"]["optimizer"].update(class_name="Adamax"), "class_name: expected one of SGD, RMSprop"),
        (lambda c: c["training"]["optimizer"]["config"].update(epsilon=0), "epsilon: expected a finite number above 0"),
        (lambda c: c["training"]["loss"].update(class_name="MeanSquaredError"), "from_logits: expected no such option"),
        (lambda c: c["training"]["loss"]["config"].update(from_logits=1), "from_logits: expected True or False"),
    ],
)
def test_forged_configurations(tmp_path, change, message):
    forged(tmp_path / "good", lambda config: None)
    models.load_model(tmp_path / "good")
    forged(tmp_path / "bad", change)
    with pytest.raises(fastnn.errors.FileFormatError, match=message):
        models.load_model(tmp_path / "bad")


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "model"
    model_of("adam").save(path)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :])
        with pytest.raises(fastnn.errors.FileFormatError):
            models.load_model(path)
