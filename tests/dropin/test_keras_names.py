"""Every name that a Keras has or had: what of it fastnn lacks is a stand-in, which raises when it is used."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import sys
from types import ModuleType

import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras.modules import ALIASES, KERAS, OLDER_NAMES
from fastnn.dropin.keras.names import KERAS_1_AND_2, KERAS_3
from fastnn.dropin.keras.subset import StandIn, UnsupportedError

LACKING = [
    ("layers", "Conv2D"),
    ("layers", "BatchNormalization"),
    ("layers", "Embedding"),
    ("layers", "LSTM"),
    ("layers.convolutional", "Convolution2D"),
    ("layers.experimental.preprocessing", "Rescaling"),
    ("applications", "VGG16"),
    ("applications.vgg16", "preprocess_input"),
    ("preprocessing.image", "ImageDataGenerator"),
    ("ops", "matmul"),
    ("utils.multi_gpu_utils", "multi_gpu_model"),
    ("backend.tensorflow_backend", "gradients"),
    ("engine.topology", "InputSpec"),
]


@pytest.mark.parametrize(("module", "name"), LACKING)
def test_a_name_that_is_not_here_raises_when_it_is_used(module, name):
    there = importlib.import_module(f"{KERAS}.{module}")
    thing = getattr(there, name)
    assert hasattr(there, name)
    feature = rf"test_keras_names\.py:\d+: keras\.[a-z.0-9_]*{name}"
    with pytest.raises(UnsupportedError, match=f"{feature} is not in fastnn's part of Keras"):
        thing(32, (3, 3), activation="relu")
    with pytest.raises(UnsupportedError, match=f"{feature}, as the base of a class, is not in"):

        class Mine(thing):
            pass

    assert not isinstance(3, thing)
    assert not isinstance(thing, (thing, int))
    assert not issubclass(int, thing)


def test_the_error_names_the_programs_line():
    line = inspect.currentframe().f_lineno + 2
    with pytest.raises(UnsupportedError, match=rf"{__file__}:{line}: keras.layers.GRU is .* there is .*Dense.*Flatten"):
        keras.layers.GRU(3)
    line = inspect.currentframe().f_lineno + 3
    with pytest.raises(UnsupportedError, match=rf"{__file__}:{line}: keras.layers.GRU, as the base of a class"):

        class Mine(keras.layers.GRU):
            pass


def test_stand_ins_serve_as_type_hints_and_values():
    kind = keras.layers.GRU

    def f(x: kind | None, y: kind | None = None, z: list[kind] = ()):
        return x

    assert f(3) == 3
    assert repr(kind) == "<keras.layers.GRU: not in fastnn's part of Keras>"
    assert repr(copy.deepcopy(kind)) == repr(pickle.loads(pickle.dumps(kind))) == repr(kind)
    with pytest.raises(UnsupportedError, match=r"keras\.layers\.GRU\.from_config is not in"):
        kind.from_config({})


@pytest.mark.parametrize("module", ["", ".layers", ".layers.core", ".applications", ".utils.np_utils", ".ops.numpy"])
def test_unknown_names_are_attribute_errors(module):
    there = importlib.import_module(KERAS + module)
    assert not hasattr(there, "Quatsch")
    assert getattr(there, "Quatsch", None) is None
    with pytest.raises(AttributeError, match="has no attribute 'Quatsch'"):
        there.Quatsch  # noqa: B018  # looking it up is the test
    with pytest.raises(ImportError, match="cannot import name 'Quatsch'"):
        exec(f"from {KERAS}{module} import Quatsch")


@pytest.mark.quick
@pytest.mark.parametrize("module", sorted({*KERAS_3, *KERAS_1_AND_2}))
def test_every_name_of_keras_can_be_imported(module):
    full = f"{KERAS}.{module}".rstrip(".")
    for names in (KERAS_3, KERAS_1_AND_2):
        for name in names.get(module, "").split():
            exec(f"from {full} import {name}")
    stands = importlib.import_module(full)
    assert isinstance(stands, ModuleType)


@pytest.mark.parametrize("older", ALIASES)
def test_older_modules_are_those_of_now(older, run_python):
    now = sys.modules[f"{KERAS}.{ALIASES[older]}"]
    assert importlib.import_module(f"{KERAS}.{older}") is now
    parent, _, name = older.rpartition(".")
    scope = {}
    exec(f"from {KERAS}.{parent} import {name} as got".replace(". ", " "), scope)
    assert scope["got"] is now or isinstance(scope["got"], StandIn)


def test_older_modules_are_imported_first(run_python):
    program = """
import fastnn.dropin.keras.layers.core as core, fastnn.dropin.keras.layers.merge
from fastnn.dropin.keras.utils.np_utils import to_categorical
from fastnn.dropin.keras.optimizer_v2.adam import Adam
from fastnn.dropin.keras.layers.merge import concatenate
import fastnn.dropin.keras.applications.vgg16
print(core.Dense.__name__, to_categorical([0, 1]).shape, Adam.__name__, concatenate)
print(fastnn.dropin.keras.applications.vgg16.VGG16)
"""
    child = run_python(program)
    expected = [
        "Dense (2, 2) Adam <keras.layers.concatenate: not in fastnn's part of Keras>",
        "<keras.applications.vgg16.VGG16: not in fastnn's part of Keras>",
    ]
    assert child.stdout.splitlines() == expected, child.stderr


@pytest.mark.parametrize(("older", "now"), OLDER_NAMES.items())
def test_older_names(older, now):
    ours, older_ones = (
        getattr(sys.modules[f"{KERAS}.{name.split('.')[0]}"], name.split(".")[1]) for name in (now, older)
    )
    assert ours is older_ones or (isinstance(ours, StandIn) and isinstance(older_ones, StandIn))


def test_importing_everything_gives_stand_ins_but_keeps_built_in_functions():
    scope = {}
    exec(f"from {KERAS}.layers import *\nfrom {KERAS}.models import *\nfrom {KERAS}.backend import *", scope)
    assert scope["Dense"] is keras.layers.Dense
    assert scope["Sequential"] is keras.Sequential
    assert isinstance(scope["LSTM"], StandIn)
    assert "sum" not in scope


def test_the_version_is_that_of_the_keras_followed():
    assert keras.__version__ == "3.15.1"


def test_the_error_is_one_of_fastnns():
    assert issubclass(UnsupportedError, fastnn.FastnnError)
    assert issubclass(UnsupportedError, NotImplementedError)
