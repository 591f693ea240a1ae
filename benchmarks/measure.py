"""Fair timing: all sides in turn, round after round, and the median of each."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata


def rounds_of(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time every side once a round, in turn; return the seconds of each side's rounds.

    A round not counted comes first.  Between sides there is a pause, in which the others' threads fall asleep:
    OpenBLAS's go on spinning on their cores for some 100 ms.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            time.sleep(0.2)
            start = time.perf_counter()
            work()
            if number > 0:
                times[name].append(time.perf_counter() - start)
    return times


def interleaved(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time all sides as `rounds_of`; return each side's median in seconds."""
    return {name: statistics.median(seconds) for name, seconds in rounds_of(sides, rounds).items()}


def repeated(work: Callable[[], object], seconds: float = 0.1) -> Callable[[], object]:
    """Repeat work as often as fits `seconds`, judged by one call, so that short work is timed well.

    The result carries `.times`, how often: divide by it.
    """
    work()
    start = time.perf_counter()
    work()
    times = max(1, round(seconds / (time.perf_counter() - start)))

    def many() -> None:
        for _ in range(times):
            work()

    many.times = times  # type: ignore[attr-defined]
    return many


def per_call(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time short work: as `interleaved`, with every side repeated; seconds a call."""
    many = {name: repeated(work) for name, work in sides.items()}
    return {name: seconds / many[name].times for name, seconds in interleaved(many, rounds).items()}


def in_process(code: str, rounds: int, **environment: str) -> tuple[float, float]:
    """Run Python code in processes of its own: median seconds of the whole process, and peak memory in MiB."""
    seconds, peaks = [], []
    # The process tells its own peak: what the system reports of a child includes its parent's, from before exec.
    code = f"import atexit; atexit.register(lambda: print(open('/proc/self/status').read())); {code}"
    for _ in range(rounds):
        start = time.perf_counter()
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
        seconds.append(time.perf_counter() - start)
        peaks.append(int(done.stdout.split("VmHWM:")[1].split()[0]) / 1024)
    return statistics.median(seconds), statistics.median(peaks)


def machine() -> dict[str, str]:
    """Describe the machine and the versions of what is measured on it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor()
    versions = {}
    for package in ("doldari", "numpy", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": f"{name}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        **versions,
    }
