"""What the process that ``python -m fastnn.accel`` became writes when its program is over.

Nothing is imported later than this module, which is imported when the process starts: see startup/sitecustomize.py.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

from ..io.atomic import write_atomically
from . import rows
from .environment import CHECK, PROFILE, RECORDS, REPORT
from .startup.fastnn_accel_finder import say


def prepare() -> Callable[[], None]:
    """What writes what this process is asked for now, whatever becomes of its environment, and removes the records."""
    folder = os.environ[RECORDS].rpartition(os.pathsep)[2]
    has_profile, is_checked = bool(os.environ.get(PROFILE)), bool(os.environ.get(CHECK))
    report = os.environ.get(REPORT)

    def finish() -> None:
        try:
            found = rows.total(rows.read(folder))
            if has_profile:
                say(f"the calls of all processes\n{rows.profile(found)}")
            if is_checked:
                say(f"fastnn beside scikit-learn on the same data\n{rows.checked(found)}")
            if report:
                text = json.dumps(rows.as_objects(found, checked=is_checked), indent=1)
                write_atomically(report, [text.encode() + b"\n"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return finish
