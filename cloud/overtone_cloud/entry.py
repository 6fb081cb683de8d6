"""Where the console scripts begin: a missing library is one line that names the extra to install."""

import importlib


def overtone() -> int:
    """Run `overtone`."""
    return _run("overtone", "overtone_cloud.cli")


def aggregator() -> int:
    """Run `overtone-aggregator`."""
    return _run("overtone-aggregator", "overtone_cloud.aggregator.cli")


def _run(program: str, module: str) -> int:
    try:
        main = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("overtone_"):
            raise
        raise SystemExit(
            f"{program}: {error.name} is not installed; the cloud side needs: pip install 'overtone[cloud]'"
        ) from None
    return int(main())
