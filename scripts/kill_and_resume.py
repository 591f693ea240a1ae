"""Kill a training at random moments and resume it until it is done: it must end with the weights of an unbroken one.

    python scripts/kill_and_resume.py --kills 50            # one model, and an ensemble of two: ten minutes
    python scripts/kill_and_resume.py --kills 3 --seed 1    # what the tests run

SIGKILL, SIGTERM and SIGINT take turns, and the training is so long that it is about done when the kills are: some
strike while Python starts, some in the midst of an epoch.  Prints how far each came; status 1 where weights differ.
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
SETTINGS = (
    "copy --count 2000 --checkpoint-every 9 --hidden-size 32 --batch-size 32 --dropout 0.2 --ema 0.99 --bucketing"
)
EPOCHS = 4  # for each kill


def train(*arguments: str) -> subprocess.Popen[str]:
    """Start a training that heeds SIGINT, which a process that was started in the background ignores."""
    return subprocess.Popen(
        [sys.executable, "-m", "doldari", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def unbroken(settings: list[str], run: Path) -> tuple[float, float]:
    """Train without interruptions: how many seconds the start took, and the training."""
    start = time.monotonic()
    with train(*settings, "--out", str(run)) as training:
        training.stdout.readline()
        begun = time.monotonic()
        training.communicate()
    assert training.returncode == 0
    return begun - start, time.monotonic() - begun


def broken(settings: list[str], run: Path, kills: int, times: tuple[float, float], rng: random.Random) -> None:
    """Train with so many interruptions, and then to the end."""
    seconds_to_start, seconds_to_train = times
    for kill in range(kills + 1):
        begun = (run / "run.json").exists()
        with train(*(["--resume", str(run)] if begun else [*settings, "--out", str(run)])) as training:
            if kill < kills:
                time.sleep(rng.uniform(0.0, seconds_to_start + 2 * seconds_to_train / kills))
                training.send_signal(SIGNALS[kill % len(SIGNALS)])
            _, error = training.communicate()
        record = json.loads((run / "run.json").read_text()) if (run / "run.json").exists() else {"steps": 0}
        name = SIGNALS[kill % len(SIGNALS)].name if kill < kills else "to the end"
        print(
            f"  {kill + 1:3} {name:10} status {training.returncode:4}   at least {record['steps']} steps", flush=True
        )
        if "Traceback" in error or (kill == kills and training.returncode != 0):
            raise SystemExit(f"{name}: {error}")


def weights_sha256(path: Path) -> str:
    """Compute the SHA-256 of all weights of a model file, in the order of their names."""
    digest = hashlib.sha256()
    for name, array in sorted(load_file(path).items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def main() -> None:
    """Kill one model's training, then an ensemble's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for members in (1, 2):
        epochs = EPOCHS * options.kills // members
        settings = [*SETTINGS.split(), "--ensemble", str(members), "--epochs", str(epochs)]
        print(f"{members} member(s), {options.kills} kills", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            runs = Path(directory) / "unbroken", Path(directory) / "broken"
            broken(settings, runs[1], options.kills, unbroken(settings, runs[0]), rng)
            sums = [weights_sha256(run / "model.safetensors") for run in runs]
        print(f"  unbroken {sums[0]}\n  broken   {sums[1]}", flush=True)
        if sums[0] != sums[1]:
            raise SystemExit("the weights differ")


if __name__ == "__main__":
    main()
