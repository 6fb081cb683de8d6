"""The one thing that setup.cfg cannot say: the loops in C, which the package can do without."""

from setuptools import Extension, setup

FOLDER = "models/overtone_models/loops"

setup(
    ext_modules=[
        Extension(
            "overtone_models.loops.compiled",
            sources=[f"{FOLDER}/compiled.c"],
            depends=[f"{FOLDER}/compiled_loops.h"],
            extra_compile_args=["-O3", "-Wno-psabi"],
            py_limited_api=True,
            # Without a C compiler or Python.h the rest is installed, and numpy does this work.
            optional=True,
        )
    ]
)
