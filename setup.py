"""Builds the native extension: one C source per instruction set, chosen when fastnn.kernels.native is imported.

Without a working C compiler the install still succeeds; the reason is kept for ``fastnn backends``.

The environment variable FASTNN_CFLAGS adds flags for the C sources, though not for what Cython generates, and makes a
failure to compile an error. .ci/run builds with ``-Wall -Wextra -Werror``, and once more with the sanitizers, which
LDFLAGS needs as well: ``-fsanitize=address,undefined``.
"""

import os
import platform
import runpy
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("fastnn/kernels/native")
SOURCES = NATIVE / "src"
COMMON = ["-O3", "-g0", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
COMMON += ["-fvisibility=hidden"]
EXTRA = shlex.split(os.environ.get("FASTNN_CFLAGS", ""))
X86 = platform.machine().lower() in ("x86_64", "amd64")
# Only these units may use more than the baseline instruction set; see src/simd/.
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"]
UNIT_FLAGS = {"avx512_f32.c": AVX512, "avx512_f64.c": AVX512, "avx2_f32.c": AVX2, "avx2_f64.c": AVX2}


class BuildNative(build_ext):
    """Compiles each unit with its own flags, and turns a failure into a note instead of an error."""

    def build_extensions(self) -> None:
        note = Path(self.get_ext_fullpath("fastnn.kernels.native.native")).with_name("native_failure.txt")
        note.unlink(missing_ok=True)
        self.compiler.compile = self.compile_in_parallel
        try:
            super().build_extensions()
        except Exception as error:
            if EXTRA:
                raise
            note.parent.mkdir(parents=True, exist_ok=True)
            reason = " ".join(str(error).split())
            if len(reason) > 300:  # a whole command line
                reason = f"{reason[:150]} ... {reason[-100:]}"
            note.write_text(f"compiling the extension failed: {reason}\n")
            self.warn(f"fastnn will run without its native kernels: {reason}")
            self.extensions = []

    def compile_in_parallel(
        self, sources, output_dir, macros, include_dirs=None, debug=False, extra_postargs=None, depends=None
    ) -> list[str]:
        """What the compiler's own ``compile`` does for one source after another; returns the objects' paths."""
        compiler = self.compiler
        macros, objects, postargs, options, build = compiler._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        arguments = compiler._get_cc_args(options, debug, None)

        def compile_one(obj: str) -> None:
            src, ext = build[obj]
            flags = UNIT_FLAGS.get(Path(src).name, []) + (EXTRA if SOURCES in Path(src).parents else [])
            compiler._compile(obj, src, ext, arguments, postargs + flags, options)

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # the compilers are processes of their own
            list(pool.map(compile_one, [obj for obj in objects if obj in build]))
        return objects


def write_codes() -> None:
    """Write the records' codes as C enums, unless they are there, for a newer file would compile everything again."""
    header, path = runpy.run_path("fastnn/kernels/records.py")["c_header"](), SOURCES / "codes.h"
    if not path.exists() or path.read_text() != header:
        path.write_text(header)


def native_extension() -> Extension:
    write_codes()
    units = [f"simd/{name}" for name in ([*UNIT_FLAGS] if X86 else []) + ["generic_f32.c", "generic_f64.c"]]
    return Extension(
        "fastnn.kernels.native.native",
        sources=[
            str(NATIVE / "native.pyx"),
            *(
                str(SOURCES / name)
                for name in [*units, "dispatch.c", "io/csv_fields.c", "plan_search.c", "plan_train.c", "threads.c"]
            ),
        ],
        # also what puts them into the sdist: there, sources has the generated C instead of native.pyx
        depends=[str(path) for path in (*NATIVE.glob("*.p*x*"), *SOURCES.glob("**/*.h"))],
        include_dirs=[str(SOURCES), numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"), *([("FASTNN_X86", "1")] if X86 else [])],
        extra_compile_args=COMMON,
        extra_link_args=["-pthread"],
    )


setup(
    ext_modules=cythonize([native_extension()], build_dir="build"),
    cmdclass={"build_ext": BuildNative},
)
