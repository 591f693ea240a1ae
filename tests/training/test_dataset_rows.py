"""Rows that are dictionaries, as Hugging Face's `datasets` gives them."""

import pytest

import doldari
from doldari.data.formats import Columns
from doldari.data.string_tasks import reverse_pairs
from doldari.training.data import text_pairs

PAIRS = reverse_pairs(60)


class Dataset:
    """What a dataset is to who reads it: rows by number, and one after the other."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]

    def __iter__(self):
        return iter(self.rows)


@pytest.mark.parametrize(
    "row, columns",
    [
        (lambda source, target: {"target": target, "source": source, "id": 3}, None),
        (lambda source, target: {"fr": target, "en": source}, Columns("en", "fr")),
        (lambda source, target: {"id": "3", "translation": {"fr": target, "en": source}}, Columns("en", "fr")),
    ],
)
def test_rows_by_name(row, columns):
    assert list(text_pairs(Dataset([row(*pair) for pair in PAIRS]), columns)) == list(text_pairs(PAIRS))


def test_features_by_name():
    rows = [{"source": "walk", "target": "walked", "features": "V;PST"}]
    assert list(text_pairs(rows, Columns(1, 2, 3))) == list(text_pairs([("walk", "walked", "V;PST")]))


def test_rows_that_come_once():
    """As Hugging Face's IterableDataset: neither a length nor rows by number."""

    class Rows:
        def __iter__(self):
            return ({"source": source, "target": target} for source, target in PAIRS)

    settings = {"hidden_size": 4, "embedding_size": 4, "epochs": 1, "progress": False}
    ours = doldari.train(Rows(), **settings)
    assert ours.predict(["abc"]) == doldari.train(PAIRS, **settings).predict(["abc"])


def test_training_on_rows():
    rows = Dataset([{"word": source, "phones": target} for source, target in PAIRS])
    settings = {"hidden_size": 4, "wordvec_size": 4, "epochs": 1, "progress": False}
    ours = doldari.train(rows, source_column="word", target_column="phones", **settings)
    assert ours.predict(["abc"]) == doldari.train(PAIRS, **settings).predict(["abc"])
    with pytest.raises(
        doldari.DataError, match=r"pairs\[0\]: the field 'source' is not there, only 'word', 'phones'"
    ):
        doldari.train(rows, **settings)
