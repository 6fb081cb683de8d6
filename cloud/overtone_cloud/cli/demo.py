"""`overtone demo`: the whole path on this machine."""

import argparse
import shutil
from pathlib import Path

from overtone_cloud.demo.fleet import DemoError
from overtone_cloud.demo.report import rows, write_report


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the command line."""
    parser = subparsers.add_parser("demo", help="train, convert, four devices, three rounds, listen, measure")
    parser.add_argument("--data", type=Path, metavar="CORPUS", help="recordings (default: synthesised voices)")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), metavar="DIR")
    parser.add_argument("--agent", type=Path, metavar="PROGRAM", help="overtone-agent of the device's environment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few epochs, one round: figures mean little")
    parser.set_defaults(func=_demo)


def _demo(args: argparse.Namespace) -> int:
    from overtone_cloud.demo.run import Demo, DemoSettings

    settings = DemoSettings(out=args.out, agent=_agent(args.agent), data=args.data, seed=args.seed)
    if args.quick:
        settings = settings.quick()
    report = Demo(settings, lambda text: print(text, flush=True)).run()
    write_report(report, args.out)
    print()
    width = max(len(name) for name, _ in rows(report))
    for name, value in rows(report):
        print(f"{name:{width}}  {value}")
    print(f"\n{args.out / 'report.html'} and report.json; {report['seconds']:.0f} s in all")
    return 0


def _agent(program: Path | None) -> Path:
    path = shutil.which(str(program) if program else "overtone-agent")
    if path is None:
        raise DemoError(f"there is no program {program or 'overtone-agent'}; `make demo` installs it")
    return Path(path).absolute()
