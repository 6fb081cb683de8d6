"""Where the console scripts begin: a missing library is one line that names the extra to install, Ctrl-C is one too."""

import importlib
import sys
from collections.abc import Callable

EXIT_INTERRUPTED = 130


def overtone() -> int:
    """Run `overtone`."""
    return _run("overtone", "overtone_cloud.cli.main")


def aggregator() -> int:
    """Run `overtone-aggregator`."""
    return _run("overtone-aggregator", "overtone_cloud.cli.aggregator")


def _run(program: str, module: str) -> int:
    try:
        # Imports take a second, in which nothing of the program can handle Ctrl-C yet.
        return int(_main_of(program, module)())
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return EXIT_INTERRUPTED


def _main_of(program: str, module: str) -> Callable[[], int]:
    try:
        main: Callable[[], int] = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("overtone_"):
            raise
        raise SystemExit(
            f"{program}: {error.name} is not installed; the cloud side needs: pip install 'overtone[cloud]'"
        ) from None
    return main
