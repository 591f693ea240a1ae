"""Parquet and Arrow files: the rows of a few columns, read through `pyarrow` a few thousand at a time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from doldari.data.opening import Source
from doldari.data.rows import Rows, listed
from doldari.errors import ConfigError, DataError, MissingPackageError, quoted

if TYPE_CHECKING:
    import pyarrow

AT_ONCE = 4096  # rows
NESTED = "translation"  # the column in which data sets of translations have one text a language


def table_rows(source: Source, format: str, names: Sequence[str]) -> Rows:
    """Yield the number, from 1, and the texts of each row, or why it has none.

    Columns may be fields of one that is called translation.  DataError where the file is damaged, ConfigError where a
    column is not there, MissingPackageError without pyarrow.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingPackageError(
            f"{source.name}: needs pyarrow to be read; install it with: pip install 'doldari[arrow]'"
        ) from error
    if source.stdin or not source.path.is_file():
        raise DataError(f"{source.name}: {format} files are not read in order; give a file, not a pipe")
    number = 0
    try:
        for batch in batches(source, format, names):
            columns = [column_of(batch, name, source.name).to_pylist() for name in names]
            for cells in zip(*columns, strict=True):
                number += 1
                wrong = [name for name, cell in zip(names, cells, strict=True) if not isinstance(cell, str)]
                yield number, f"the field {quoted(wrong[0])} is not a text" if wrong else cells
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise DataError(f"{source.name}: cannot be read as {format}: {reason}") from error
    source.skim()


def batches(source: Source, format: str, names: Sequence[str]) -> "Iterator[pyarrow.RecordBatch]":
    """Yield some rows at a time; Arrow's two forms, files and streams, are told by their first bytes."""
    import pyarrow

    if format == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(source.path, memory_map=False) as file:
            there = file.schema_arrow.names
            chosen = list(names) if {*names} <= {*there} else [NESTED] if NESTED in there else None
            yield from file.iter_batches(AT_ONCE, columns=chosen, use_threads=False)
        return
    with pyarrow.OSFile(str(source.path)) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        reader: Any = pyarrow.ipc.open_file(file) if is_file else pyarrow.ipc.open_stream(file)
        parts = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
        for part in parts:
            yield from (part.slice(start, AT_ONCE) for start in range(0, len(part), AT_ONCE))


def column_of(batch: "pyarrow.RecordBatch", name: str, file: str) -> Any:
    """Take a column, or a field of the one that has translations; ConfigError where there is none of that name."""
    names = batch.schema.names
    if name in names:
        return batch.column(name)
    nested = batch.column(NESTED) if NESTED in names else None
    fields = [nested.type.field(n).name for n in range(nested.type.num_fields)] if nested is not None else []
    if nested is None or name not in fields:
        raise ConfigError(f"{file}: no column {quoted(name)}; there are {listed(fields or names)}")
    return nested.field(name)
