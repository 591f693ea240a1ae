"""The data of a training on shards: read once beforehand, to be counted and checked and to hold pairs out."""

import dataclasses
from functools import partial
from itertools import islice
from pathlib import Path

from doldari.config import Config
from doldari.data import TASKS, require_file
from doldari.data.formats import Reading
from doldari.data.leaks import find_leaks
from doldari.data.opening import printable_name
from doldari.data.pairs import Pairs
from doldari.data.shards import Shards
from doldari.data.statistics import LOOKED_AT, column_warnings
from doldari.errors import ConfigError, DataError
from doldari.torchrun import world_size
from doldari.training.data import Texts, TrainingData, file_names, place_of, read_texts
from doldari.training.suitability import fits_length, say, say_skipped

HELD_OUT = 10_000  # pairs to validate with, if none are given; at most a tenth


def read_stream(data: Texts, validation: Texts | None, reading: Reading, *, config: Config) -> TrainingData:
    """Go through shards once; read the pairs to validate with, or hold some out.  Errors as `read_training_data`."""
    paths = shard_paths(data)
    if reading.count is not None or reading.digits is not None:
        raise ConfigError("{count}, {digits}: only for built-in tasks, not for files", count=None, digits=None)
    fits = partial(fits_length, config=config, has_features=bool(reading.columns and reading.columns.features))
    shards = Shards(paths, reading.columns, reading.format, fits, HELD_OUT if validation is None else 0)
    say_skipped(shards, config.training.max_length)
    first = Pairs.of(islice(shards, LOOKED_AT))
    first.origins = (shards.origins[0]._replace(name=printable_name(paths[0])),)
    for warning in column_warnings(first):
        say(warning)
    record = {
        "data": [str(path.absolute()) for path in paths],
        "validation": None if validation is None else place_of(validation),
        "split": validation is None,
    } | dataclasses.asdict(reading)
    if validation is not None:
        held_out = read_texts(validation, reading)
        return TrainingData(shards, held_out, record, len(find_leaks(shards, held_out).pairs))
    held_out = Pairs.of(shards.held_out)
    held_out.origins, held_out.has_features = shards.origins, shards.has_features
    return TrainingData(shards, held_out, record)


def shard_paths(data: Texts) -> list[Path]:
    """List the shards: files, and those in folders, by name.

    ConfigError for what can be read only once or is in memory, and where processes are more than shards.
    """
    paths: list[Path] = []
    names = file_names(data)
    if names is None:
        raise ConfigError("{stream}: needs files; pairs from Python are in memory already", stream=True)
    for name in names:
        if name == "-" or (name in TASKS and not Path(name).exists()):
            what = "standard input" if name == "-" else f"the built-in task {name}"
            raise ConfigError(
                f"{{stream}}: needs files, which are read again in every epoch, not {what}", stream=True
            )
        require_file(name)
        inside = sorted(Path(name).iterdir()) if Path(name).is_dir() else [Path(name)]
        found = [path for path in inside if path.name[0] not in "._" and path.suffix != ".json"]
        if not found:
            raise DataError(f"{name}: no files of pairs in this folder")
        paths += found
    for path in paths:
        if not path.is_file():
            raise ConfigError(
                f"{{stream}}: needs files, which are read again in every epoch; {path} is none", stream=True
            )
    if len(paths) < world_size():
        what = f"{len(paths)} shards for {world_size()} processes"
        raise ConfigError(f"{{stream}}: {what}; split the data into at least as many files", stream=True)
    return paths
