"""What `torchrun` tells the processes that it starts, in environment variables."""

import os


def world_size() -> int:
    """Count the processes that train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number this process among them; the first, 0, alone prints and writes."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def attempt() -> int:
    """Count how often torchrun started the processes anew, after one had ended badly (`--max-restarts`)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def may_restart() -> bool:
    """Tell whether torchrun would do that."""
    return int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) > 0
