"""What importing fastnn brings, the names that programs import, and which file may import which."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastnn

PACKAGE = Path(fastnn.__file__).parent

# The rooms from the ground up: whatever a file imports of fastnn lies in its own room or on a lower floor. The errors
# lie below everything, the kernels included; adapters (dropin, cli) lie above all that knows nothing of them.
FLOORS = [
    {"errors"},
    {"kernels"},
    {"checks"},
    {"datasets", "io", "progress"},
    {"nn", "neighbors", "digit_image"},
    {"distributed", "metrics", "schedules"},
    {"any_model"},
    {"plots"},
    {"estimators"},
    {"fastnn"},  # the package's own names
    {"dropin"},
    {"accel"},
    {"draw"},
    {"cli"},
    {"__main__"},
]

PUBLIC = {
    "fastnn": [*fastnn.__all__, *fastnn._ESTIMATORS],
    "fastnn.accel": ["install", "load_ipython_extension", "report", "uninstall", "unload_ipython_extension"],
    "fastnn.cli": ["main"],
    "fastnn.datasets": ["load_images", "load_mnist", "read_csv", "read_idx", "read_mnist_pickle", "read_npz"],
    "fastnn.digit_image": ["centre_digit", "load_digit"],
    "fastnn.distributed": ["Neighbors"],
    "fastnn.errors": [
        "BackendError",
        "DivergenceError",
        "FastnnError",
        "FileAccessError",
        "FileFormatError",
        "ForbiddenFileError",
        "InvalidArgumentError",
        "InvalidTypeError",
        "MissingFileError",
    ],
    "fastnn.kernels": ["BackendStatus", "Kernels", "backends", "get_backend", "num_threads", "set_backend", "use"],
    "fastnn.metrics": ["accuracy_score", "confusion_matrix", "cost", "precision_recall_fscore_support"],
    "fastnn.neighbors": ["Neighbors", "Scores", "cross_validate_k", "vote"],
    "fastnn.plots": [
        "plot_backquery",
        "plot_confusion",
        "plot_decision_boundary",
        "plot_error_by_k",
        "plot_history",
        "plot_lr_find",
        "plot_mistakes",
        "plot_sweep",
        "plot_weights",
        "save",
    ],
    "fastnn.schedules": ["Schedule", "cosine_decay", "exponential_decay", "step_decay"],
    "fastnn.dropin.keras": ["Input", "Layer", "Model", "Sequential"],
    "fastnn.dropin.keras.activations": ["elu", "get", "relu", "softmax", "swish"],
    "fastnn.dropin.keras.callbacks": ["CSVLogger", "Callback", "EarlyStopping", "History", "ModelCheckpoint"],
    "fastnn.dropin.keras.config": ["floatx", "set_floatx"],
    "fastnn.dropin.keras.datasets.mnist": ["load_data"],
    "fastnn.dropin.keras.initializers": ["HeNormal", "RandomNormal", "get", "glorot_uniform", "he_normal", "normal"],
    "fastnn.dropin.keras.layers": [
        "ELU",
        "Activation",
        "Dense",
        "Dropout",
        "Flatten",
        "Input",
        "InputLayer",
        "Layer",
        "LeakyReLU",
        "ReLU",
        "Reshape",
        "Softmax",
    ],
    "fastnn.dropin.keras.losses": [
        "BinaryCrossentropy",
        "CategoricalCrossentropy",
        "Huber",
        "MeanAbsoluteError",
        "MeanSquaredError",
        "Poisson",
        "SparseCategoricalCrossentropy",
    ],
    "fastnn.dropin.keras.metrics": ["AUC", "MeanAbsoluteError", "Metric", "Precision", "mse"],
    "fastnn.dropin.keras.backend": ["clear_session", "epsilon", "floatx", "get_value", "set_floatx", "set_value"],
    "fastnn.dropin.keras.datasets.boston_housing": ["load_data"],
    "fastnn.dropin.keras.datasets.california_housing": ["load_data"],
    "fastnn.dropin.keras.datasets.cifar10": ["load_data"],
    "fastnn.dropin.keras.datasets.cifar100": ["load_data"],
    "fastnn.dropin.keras.datasets.fashion_mnist": ["load_data"],
    "fastnn.dropin.keras.datasets.imdb": ["get_word_index", "load_data"],
    "fastnn.dropin.keras.datasets.reuters": ["get_label_names", "get_word_index", "load_data"],
    "fastnn.dropin.keras.models": ["Model", "Sequential", "load_model"],
    "fastnn.dropin.keras.optimizers": ["SGD", "Adagrad", "Adam", "AdamW", "Nadam", "RMSprop", "get"],
    "fastnn.dropin.keras.regularizers": ["L1", "L1L2", "L2", "get", "l1", "l1_l2", "l2"],
    "fastnn.dropin.keras.saving": ["load_model", "save_model"],
    "fastnn.dropin.keras.wrappers": ["SKLearnClassifier", "SKLearnRegressor"],
    "fastnn.dropin.keras.wrappers.scikit_learn": ["KerasClassifier", "KerasRegressor"],
    "fastnn.dropin.tensorflow": ["cast", "config", "constant", "keras", "math", "nn", "random", "reduce_mean"],
    "fastnn.dropin.keras.utils": ["get_file", "normalize", "plot_model", "set_random_seed", "to_categorical"],
    "fastnn.dropin.layers": [
        "FullyConnectedLayer",
        "Neuron",
        "SimpleNetwork",
        "cross_entropy",
        "derivated_cross_entropy",
        "derivated_loss_L2",
        "derivated_sigmoid",
        "loss_L2",
        "sigmoid",
    ],
    "fastnn.dropin.layers_notebook": [
        "FullyConnectedLayer",
        "Neuron",
        "SimpleNetwork",
        "binary_cross_entropy",
        "derivated_binary_cross_entropy",
        "derivated_loss_L2",
        "derivated_sigmoid",
        "loss_L2",
        "sigmoid",
    ],
    "fastnn.dropin.mnist": [
        "IdxDecodeError",
        "datasets_url",
        "download_and_parse_mnist_file",
        "download_file",
        "parse_idx",
        "temporary_dir",
        "test_images",
        "test_labels",
        "train_images",
        "train_labels",
    ],
    "fastnn.dropin.mnist_loader": ["load_data", "load_data_wrapper", "vectorized_result"],
    "fastnn.dropin.nielsen": [
        "CrossEntropyCost",
        "Network",
        "QuadraticCost",
        "WeightsFirstNetwork",
        "network",
        "sigmoid",
        "sigmoid_prime",
        "vectorized_result",
    ],
    "fastnn.dropin.nielsen2": [
        "CrossEntropyCost",
        "Network",
        "QuadraticCost",
        "load",
        "sigmoid",
        "sigmoid_prime",
        "vectorized_result",
    ],
    "fastnn.dropin.nielsen2_py3": [
        "CrossEntropyCost",
        "Network",
        "QuadraticCost",
        "load",
        "sigmoid",
        "sigmoid_prime",
        "vectorized_result",
    ],
    "fastnn.dropin.nielsen_py3": ["Network", "sigmoid", "sigmoid_prime"],
    "fastnn.dropin.rashid": ["Rows", "load_csv", "neuralNetwork", "neuralnetwork"],
    "fastnn.dropin.rashid2017": ["Rows", "load_csv", "neuralNetwork", "neuralnetwork"],
    "fastnn.dropin.scratch": [
        "LENGTH",
        "PIXEL",
        "WIDTH",
        "active_relu",
        "conver2one_hot",
        "fit",
        "fit_mse",
        "forget",
        "get_gradient",
        "knn",
        "knn_batch",
        "predict",
        "predict_mse",
        "pt_image",
        "read_pic",
        "set_random_seed",
        "set_randon_seed",
        "softmax",
    ],
    "fastnn.dropin.scratch_knn": ["forget", "knn", "knn_batch"],
    "fastnn.dropin.sklearn.neighbors": ["KDTree", "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors"],
    "fastnn.dropin.scratch_mse": [
        "LENGTH",
        "PIXEL",
        "WIDTH",
        "active_relu",
        "conver2one_hot",
        "fit",
        "forget",
        "get_gradient",
        "knn",
        "knn_batch",
        "predict",
        "pt_image",
        "read_pic",
        "set_random_seed",
        "set_randon_seed",
        "softmax",
    ],
}

Graph = dict[str, set[str]]


def sources(package: Path) -> dict[str, Path]:
    """The files of a package by the name under which they are imported; a stub stands beside its Cython source."""
    files = sorted(path for ending in ("py", "pyi", "pyx") for path in package.rglob(f"*.{ending}"))
    names = {path: [package.name, *path.relative_to(package).with_suffix("").parts] for path in files}
    found: dict[str, Path] = {}
    for path, parts in names.items():
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name + ".pyi" * (path.suffix == ".pyi")] = path
    return found


def statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Every import of a file, inside functions and under TYPE_CHECKING too."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":  # of which only the imports are Python
        text = "\n".join(re.findall(r"^(?:from \S+ )?import (?:\([^)]*\)|.*)", text, re.MULTILINE))
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(package: Path) -> Graph:
    """For each file the files of the package that its imports name: a module or, of a package, its __init__."""
    files = sources(package)

    def targets(name: str, path: Path) -> Iterator[str]:
        around = name.removesuffix(".pyi").split(".")
        for node in statements(path):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
                continue
            above = around[: len(around) - node.level + (path.stem == "__init__")] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            inside = (f"{base}.{alias.name}" for alias in node.names)
            yield from (module if module in files else base for module in inside)

    return {name: set(targets(name, path)) & files.keys() - {name} for name, path in files.items()}


def cycle(graph: Graph) -> list[str]:
    """The files of one circle of imports, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def climbs(graph: Graph, floors: list[set[str]]) -> list[str]:
    """The imports of another room that is not on a lower floor."""
    level = {room: floor for floor, rooms in enumerate(floors) for room in rooms}

    def room(name: str) -> str:
        return name.split(".")[1] if "." in name else name

    homeless = {room(name) for name in graph} - level.keys()
    if homeless:
        return [f"{name} stands on no floor" for name in sorted(homeless)]
    return [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if room(target) != room(name) and level[room(target)] >= level[room(name)]
    ]


def test_no_file_imports_itself_through_others():
    assert cycle(imports(PACKAGE)) == []


def test_nothing_imports_what_a_process_runs_at_its_start():
    """It imports accel's modules by their names, once fastnn can be imported, which the graph does not show."""
    start = "fastnn.accel.startup.sitecustomize"
    graph = imports(PACKAGE)
    assert start in graph
    assert [name for name, targets in graph.items() if start in targets] == []


def test_nothing_climbs():
    assert climbs(imports(PACKAGE), FLOORS) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("import house.b.top", {"house.b.top"}),
        ("def f():\n    from ..b import top", {"house.b.top"}),
        ("if TYPE_CHECKING:\n    from ..b.top import Thing", {"house.b.top"}),
        ("from ..b import Thing", {"house.b"}),
        ("from .. import b", {"house.b"}),
        ("from . import low", {"house.a.low"}),
        ("from house.b import *", {"house.b"}),
        ("from .. import __version__", {"house"}),
        ("import numpy as np\nfrom os import path", set()),
    ],
)
@pytest.mark.parametrize("ending", ["py", "pyx", "pyi"])
def test_imports_are_seen(tmp_path, importer, imported, ending):
    if ending == "pyx" and importer[:2] in ("de", "if"):
        importer = importer.partition("    ")[2]
    house = tmp_path / "house"
    for folder in (house, house / "a", house / "b"):
        folder.mkdir()
        (folder / "__init__.py").touch()
    (house / "a" / "low.py").touch()
    (house / "b" / "top.py").write_text("from ..a import new")
    (house / "a" / f"new.{ending}").write_text(importer)
    graph = imports(house)
    assert graph["house.a.new" + ".pyi" * (ending == "pyi")] == imported
    if ending != "pyi":
        floors = [{"a"}, {"b"}, {"house"}]
        assert (cycle(graph) != []) == (imported == {"house.b.top"})
        assert (climbs(graph, floors) != []) == bool(imported - {"house.a.low"})


def test_a_room_without_a_floor_is_named():
    assert climbs({"house.attic": set()}, [{"a"}, {"house"}]) == ["attic stands on no floor"]


@pytest.mark.parametrize("module", PUBLIC)
def test_public_paths_stay(module):
    loaded = importlib.import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(loaded, name)] == []


def test_import_and_training_load_nothing_heavy(run_python):
    program = """
import sys
import fastnn
heavy = {"dask", "distributed", "numba", "llvmlite", "sklearn", "scipy", "matplotlib", "pandas", "PIL"}
print(sorted(heavy & set(sys.modules)))
model = fastnn.MLP([2, 3], seed=0)
model.fit([[1, 2]], [0], epochs=1)
fastnn.plots.check_plot
print(sorted(heavy & set(sys.modules)))
"""
    child = run_python(program)
    assert child.stdout.splitlines() == ["[]", "[]"], child.stderr


@pytest.mark.quick
def test_every_public_name_is_there(run_python):
    program = """
import fastnn
for name in fastnn.__all__:
    assert getattr(fastnn, name) is getattr(fastnn, name), name
assert set(fastnn.__all__) <= set(dir(fastnn))
try:
    fastnn.nothing
except AttributeError as error:
    print(error)
"""
    child = run_python(program)
    assert child.stdout.strip() == "module 'fastnn' has no attribute 'nothing'", child.stderr
