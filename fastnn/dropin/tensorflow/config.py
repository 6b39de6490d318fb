"""``tf.config``: there is no device but the CPU, and settings of devices and threads have no effect."""

from __future__ import annotations

from types import SimpleNamespace

from ..keras.sessions import ignored
from ..keras.subset import outside
from .names import TENSORFLOW

__all__ = [
    "experimental",
    "experimental_run_functions_eagerly",
    "get_visible_devices",
    "list_logical_devices",
    "list_physical_devices",
    "optimizer",
    "run_functions_eagerly",
    "set_logical_device_configuration",
    "set_soft_device_placement",
    "set_visible_devices",
    "threading",
]

__getattr__ = outside(__name__, __all__, frozenset(TENSORFLOW["config"].split()))


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """None, also where the machine has some: nothing here uses them."""
    return []


list_logical_devices = get_visible_devices = list_physical_devices

experimental_run_functions_eagerly = run_functions_eagerly = ignored
set_logical_device_configuration = set_soft_device_placement = set_visible_devices = ignored

experimental = SimpleNamespace(
    VirtualDeviceConfiguration=SimpleNamespace,
    enable_op_determinism=ignored,
    enable_tensor_float_32_execution=ignored,
    get_visible_devices=list_physical_devices,
    list_logical_devices=list_physical_devices,
    list_physical_devices=list_physical_devices,
    set_memory_growth=ignored,
    set_virtual_device_configuration=ignored,
    set_visible_devices=ignored,
)
optimizer = SimpleNamespace(get_jit=lambda: "", set_experimental_options=ignored, set_jit=ignored)
threading = SimpleNamespace(
    get_inter_op_parallelism_threads=lambda: 0,
    get_intra_op_parallelism_threads=lambda: 0,
    set_inter_op_parallelism_threads=ignored,
    set_intra_op_parallelism_threads=ignored,
)
