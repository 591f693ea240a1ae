"""SHA-256 checksums (FIPS 180-4) of weights, and of a model: its weights and its description."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def weights_sha256(weights: Mapping[str, NDArray[Any]]) -> str:
    """Compute the checksum, in hex, of named arrays: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(json.dumps([name, stored.dtype.str, array.shape]).encode() + b"\n")
        digest.update(stored.tobytes() if stored.size == 0 else stored.data)
    return digest.hexdigest()


def fingerprint(description: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> str:
    """Compute the checksum, in hex, of a model: its description, as JSON with sorted names, and its weights."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{text}\n{weights_sha256(weights)}".encode()).hexdigest()
