"""What `torchrun` tells the processes that it starts, in environment variables."""

import os


def world_size() -> int:
    """Return the number of processes that train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the rank of this process; only rank 0 prints and writes."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def attempt() -> int:
    """Return how often torchrun has restarted the processes after a failure (`--max-restarts`)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def may_restart() -> bool:
    """Return whether torchrun may restart the processes."""
    return int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) > 0
