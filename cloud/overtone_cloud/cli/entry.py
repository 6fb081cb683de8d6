"""Entry points of the console scripts: a missing library or Ctrl-C is one line on stderr, not a traceback."""

import sys
from collections.abc import Callable

from overtone_cloud.cli import EXIT_INTERRUPTED

Main = Callable[[], int]


def overtone() -> int:
    """Run `overtone`."""
    return _run("overtone", _overtone_main)


def aggregator() -> int:
    """Run `overtone-aggregator`."""
    return _run("overtone-aggregator", _aggregator_main)


def _overtone_main() -> Main:
    from overtone_cloud.cli.main import main

    return main


def _aggregator_main() -> Main:
    from overtone_cloud.cli.aggregator import main

    return main


def _run(program: str, import_main: Callable[[], Main]) -> int:
    try:
        # Imports take a second, in which nothing of the program can handle Ctrl-C yet.
        return _imported(program, import_main)()
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return EXIT_INTERRUPTED


def _imported(program: str, import_main: Callable[[], Main]) -> Main:
    try:
        return import_main()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("overtone_"):
            raise
        raise SystemExit(
            f"{program}: {error.name} is not installed; the cloud side needs: pip install 'overtone[cloud]'"
        ) from None
