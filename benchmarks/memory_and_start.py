"""Memory and cold start of an agent that listens, and the cost of each of its imports. Prints JSON.

Everything is measured in fresh processes with the agent's own parts, as `overtone-bench` does. Each package is charged
for what it adds in the order in which the agent comes to it, with what it brings along; `used` says whether anything of
it ran, a Python function or a compiled one, after an agent's imports: while it announced itself, loaded a bundle,
listened and published.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import _common
import _targets

MEMORY_MB, START_S = 64.0, 0.6
STARTS = 5
PROFILED_S = 5.0
LISTEN = """
import json, sys
began = set(sys.modules)
import overtone_edge.agent.agent
used, known = set(), {}
def called(frame, event, argument):
    if event == "call":
        name = frame.f_globals.get("__name__")
    elif event == "c_call":
        name = getattr(argument, "__module__", None) or type(getattr(argument, "__self__", None)).__module__
    else:
        return
    if name:
        used.add(name.partition(".")[0].lstrip("_"))
sys.setprofile(called)
import threading
threading.setprofile(called)
from overtone_edge.bench.phases import Request, listen
from overtone_protocol import Presence, decode, encode
decode(encode(Presence(device="a", online=True, boot=bytes(16), software="1", runtime="1")))
listen(Request(**json.loads(sys.argv[1])))
sys.setprofile(None)
order = [name for name in sys.modules if name not in began and "." not in name]
print(json.dumps({"order": order, "used": sorted(used)}))
"""
COSTS = """
import importlib, json, sys, time
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
rows = [("python", resident() * 1024 / 1e6, 0.0)]
for name in sys.argv[1:]:
    before, began = resident(), time.perf_counter()
    importlib.import_module(name)
    rows.append((name, (resident() - before) * 1024 / 1e6, (time.perf_counter() - began) * 1000))
print(json.dumps(rows))
"""
# What is loaded by its submodule, not by its name alone.
SUBMODULES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "paho": "paho.mqtt.client",
    "overtone_edge": "overtone_edge.agent.agent",
}
WORTH_MB, WORTH_MS = 0.3, 2.0


def python(code, *arguments):
    """Return the last line that a fresh interpreter prints, read as JSON."""
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if process.returncode != 0:
        raise SystemExit(f"memory_and_start.py: {process.stderr.strip().splitlines()[-1]}")
    return json.loads(process.stdout.splitlines()[-1])


def imports(request):
    """Return `(package, MB, ms, used)` of what an agent imports until it listens, our own packages last."""
    from dataclasses import asdict

    modules = python(LISTEN, json.dumps(asdict(request)))
    ours = [name for name in modules["order"] if name.startswith("overtone_") and name != "overtone_edge"]
    others = [name for name in modules["order"] if not name.startswith(("overtone_", "_"))]
    order = [SUBMODULES.get(name, name) for name in [*others, *ours, "overtone_edge"]]
    used = set(modules["used"])
    return [
        {"package": name, "mb": round(mb, 2), "ms": round(ms, 2), "used": name.partition(".")[0] in used}
        for name, mb, ms in python(COSTS, *order)
    ]


def start(request):
    """Return seconds from the start of a process to its first decision, of several."""
    from overtone_edge.bench.phases import measure

    runs = [measure("cold", request) for _ in range(STARTS)]
    return [(max(one["moments_ns"].values()) - one["began_ns"]) / 1e9 for one in runs]


def table(rows):
    """Return the costly imports as text, the rest in one line."""
    costly = [row for row in rows if row["mb"] >= WORTH_MB or row["ms"] >= WORTH_MS]
    rest = [row for row in rows if row not in costly]
    lines = [(row["package"], f"{row['mb']:.1f}", f"{row['ms']:.1f}", "yes" if row["used"] else "no") for row in costly]
    lines.append((f"{len(rest)} others", f"{sum(r['mb'] for r in rest):.1f}", f"{sum(r['ms'] for r in rest):.1f}", ""))
    return _targets.columns(("import", "MB", "ms", "used"), lines)


def main() -> None:
    """Measure and print; the table goes to standard error."""
    arguments = _common.parser(__doc__).parse_args()
    _common.one_thread()

    from overtone_edge.bench.phases import measure

    bundle = _common.open_bundle(arguments.bundle, arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        request = _common.request(Path(folder), bundle, _common.sound(arguments, bundle), arguments.seconds)
        starts = start(request)
        fast = replace(request, paced=False)
        memory = measure("listen", fast)["memory"]
        rows = imports(replace(fast, seconds=min(fast.seconds, PROFILED_S)))
    standard = {"python", *sys.stdlib_module_names}
    unused = [r["package"] for r in rows if not r["used"] and r["mb"] >= WORTH_MB and r["package"] not in standard]
    print(table(rows), file=sys.stderr)
    figures = {
        "start_s": starts,
        "memory_mb": memory,
        "imports": rows,
        "costly_and_not_used": unused,
        "targets": [
            _targets.at_most("agent listening, resident", memory["listening_mb"], MEMORY_MB, "MB"),
            _targets.figure("agent until it listened, at most", memory["peak_mb"], "MB"),
            _targets.at_most("cold start to the first decision", statistics.median(starts), START_S, "s"),
            _targets.at_most(f"third-party packages of {WORTH_MB:g} MB or more that nothing uses", len(unused), 0),
        ],
    }
    _common.print_report("memory_and_start", bundle, figures)


if __name__ == "__main__":
    main()
