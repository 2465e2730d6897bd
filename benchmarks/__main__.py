"""``make bench``: every ratio with its goal. Exit code 1 where a goal is missed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from benchmarks import claim, kubernetes, latency, push, startup, trace
from benchmarks.measure import Result
from benchmarks.server import migrated_server


def _in_database(run: Callable[[str], list[Result]]) -> Callable[[], list[Result]]:
    def run_in_database() -> list[Result]:
        with migrated_server() as url:
            return run(url)

    return run_in_database


BENCHMARKS: Mapping[str, Callable[[], list[Result]]] = {
    "startup": startup.run,
    "push": _in_database(push.run),
    "claim": _in_database(claim.run),
    "latency": latency.run,
    "kubernetes": kubernetes.run,
    "trace": trace.run,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, all without a name; how many goals were missed."""
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; ratios are of interleaved medians"
    )
    missed = 0
    for name in names or BENCHMARKS:
        for result in BENCHMARKS[name]():
            mark = {True: "✔", False: "✘", None: " "}[result.met]
            goal = f"   goal {result.goal}" if result.goal else ""
            print(f"{mark} {result.what}: {result.figure}{goal}", flush=True)
            missed += result.met is False
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
