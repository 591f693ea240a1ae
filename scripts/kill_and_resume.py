"""Kill a training at random moments and resume it until it is done: it must end with the weights of an unbroken one.

    python scripts/kill_and_resume.py --kills 50                # one model, and an ensemble of two: some minutes
    python scripts/kill_and_resume.py --kills 5 --seed 1        # what the tests run

SIGKILL, SIGTERM and SIGINT take turns.  Says for each kill how far training was; status 1 where weights differ.
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.numpy import load_file

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OPTIONS = "--epochs 6 --hidden-size 32 --batch-size 32 --dropout 0.2 --ema 0.99 --schedule plateau --bucketing"


def weights_sha256(path: Path) -> str:
    """Compute the SHA-256 of all weights of a model file, in the order of their names."""
    digest = hashlib.sha256()
    for name, array in sorted(load_file(path).items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def command(*arguments: str) -> list[str]:
    """Write the command line that trains."""
    return [sys.executable, "-m", "doldari", "train", *arguments]


def heed_interrupts() -> None:
    """Let SIGINT interrupt, which a process that was started in the background ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def kill_and_resume(directory: Path, options: list[str], kills: int, rng: random.Random) -> str:
    """Train with interruptions, in directory / "broken": the SHA-256 of the weights at its end."""
    start = time.monotonic()
    subprocess.run(command(*options, "--out", str(directory / "whole")), check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    run = directory / "broken"
    first = True
    for kill in range(kills):
        resume = ["--resume", str(run)] if (run / "run.json").exists() else [*options, "--out", str(run)]
        with subprocess.Popen(
            command(*resume), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
        ) as training:
            number = SIGNALS[kill % len(SIGNALS)]
            time.sleep(rng.uniform(0.0, seconds if first else min(seconds, 2.0)))
            training.send_signal(number)
            _, error = training.communicate()
        first = False
        if "Traceback" in error:
            raise SystemExit(f"{number.name}: a traceback\n{error}")
        record = json.loads((run / "run.json").read_text()) if (run / "run.json").exists() else {}
        print(
            f"  {kill + 1:3} {number.name:7} status {training.returncode:4}; {record.get('steps', 0):5} steps known",
            flush=True,
        )
    resume = ["--resume", str(run)] if (run / "run.json").exists() else [*options, "--out", str(run)]
    subprocess.run(command(*resume), check=True, stdout=subprocess.DEVNULL)
    return weights_sha256(run / "model.safetensors")


def main() -> None:
    """Kill one model's training, then an ensemble's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--count", type=int, default=4_000, help="pairs of the training")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for members in (1, 2):
        settings = f"copy --count {options.count} --ensemble {members} --checkpoint-every 9 {OPTIONS}".split()
        print(f"{members} member(s), {options.kills} kills", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            broken = kill_and_resume(Path(directory), settings, options.kills, rng)
            whole = weights_sha256(Path(directory) / "whole" / "model.safetensors")
        print(f"  unbroken {whole}\n  broken   {broken}", flush=True)
        if whole != broken:
            raise SystemExit("the weights differ")


if __name__ == "__main__":
    main()
