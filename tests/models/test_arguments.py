"""Wrong arguments to models: each is refused by name, with what was expected and what came."""

import re

import numpy as np
import pytest

from doldari import AttentionSeq2seq, PeekySeq2seq, Seq2seq
from doldari.models import Decoder, Encoder
from doldari.models.ensemble import Ensemble

rng = np.random.default_rng(0)
CASES = [
    (lambda: Seq2seq("a", 2, 3), TypeError, "Seq2seq: vocab_size must be a whole number, got str 'a'"),
    (lambda: Seq2seq(13, 16.5, 128), TypeError, "Seq2seq: wordvec_size must be a whole number, got float 16.5"),
    (lambda: Seq2seq(True, 4, 6), TypeError, "Seq2seq: vocab_size must be a whole number, got bool True"),
    (lambda: PeekySeq2seq(13, 16, 0), ValueError, "PeekySeq2seq: hidden_size must be at least 1, got 0"),
    (lambda: Seq2seq(13, 4, 6, layers=0), ValueError, "Seq2seq: layers must be at least 1, got 0"),
    (
        lambda: Seq2seq(13, 4, 6, target_vocab_size=-1),
        ValueError,
        "Seq2seq: target_vocab_size must be at least 1, got -1",
    ),
    (
        lambda: AttentionSeq2seq(13, 4, 7, bidirectional=True),
        ValueError,
        "AttentionSeq2seq: hidden_size must be even if bidirectional, half for each direction, got 7",
    ),
    (
        lambda: Seq2seq(13, 4, 6, bidirectional=1),
        TypeError,
        "Seq2seq: bidirectional must be True or False, got int 1",
    ),
    (lambda: Seq2seq(13, 4, 6, tie="no"), TypeError, "Seq2seq: tie must be True or False, got str 'no'"),
    (
        lambda: Seq2seq(13, 4, 6, tie=True),
        ValueError,
        "Decoder: tie: the scores are of 6 features, the embedding of 4",
    ),
    (lambda: Seq2seq(13, 4, 6, cell="rnn"), ValueError, "Seq2seq: cell must be one of lstm, gru, got str 'rnn'"),
    (lambda: Seq2seq(13, 4, 6, cell=[]), ValueError, "Seq2seq: cell must be one of lstm, gru, got list"),
    (
        lambda: Seq2seq(13, 4, 6, pad_id=13),
        ValueError,
        "Seq2seq: pad_id=13 is the id of no symbol: must be from 0 to 12",
    ),
    (lambda: Seq2seq(13, 4, 6, pad_id="0"), TypeError, "Seq2seq: pad_id must be the id of a symbol, got str '0'"),
    (lambda: Seq2seq(13, 4, 6, dropout=1), ValueError, "Seq2seq: dropout must be in [0, 1), got 1"),
    (lambda: Seq2seq(13, 4, 6, dropout=None), TypeError, "Seq2seq: dropout must be a number in [0, 1), got None"),
    (lambda: Seq2seq(13, 4, 6, label_smoothing=-1), ValueError, "Seq2seq: label_smoothing must be in [0, 1), got -1"),
    (lambda: Seq2seq(13, 4, 6, rng=0), TypeError, "Seq2seq: rng must be a numpy.random.Generator, got int 0"),
    (lambda: Seq2seq(13, 4, 6, dtype="half"), TypeError, "Seq2seq: dtype must be float32 or float64, got half"),
    (lambda: Seq2seq(13, 4, 6, dtype="nothing"), TypeError, "Seq2seq: dtype must be float32 or float64, got nothing"),
    (lambda: Seq2seq(13, 4, 6, dtype=np.int32), TypeError, "Seq2seq: dtype must be float32 or float64, got int32"),
    (lambda: Encoder(13, "4", 6, rng=rng), TypeError, "Encoder: wordvec_size must be a whole number, got str '4'"),
    (lambda: Encoder(13, 4, 6, rng=None), TypeError, "Encoder: rng must be a numpy.random.Generator, got None"),
    (
        lambda: Decoder(13, 4, 6, layers=1.0, rng=rng),
        TypeError,
        "Decoder: layers must be a whole number, got float 1.0",
    ),
    (
        lambda: Seq2seq(9, 4, 6).generate([[1]], "_", 3),
        TypeError,
        "Seq2seq.generate: start_id must be the id of a symbol",
    ),
    (
        lambda: Seq2seq(9, 4, 6).generate([[1]], -1, 3),
        ValueError,
        "Seq2seq.generate: start_id=-1 is the id of no symbol",
    ),
    (
        lambda: Seq2seq(9, 4, 6).generate([[1]], 1, 2.5),
        TypeError,
        "Seq2seq.generate: sample_size must be a whole number",
    ),
    (
        lambda: Seq2seq(9, 4, 6).generate([[1]], 1, -1),
        ValueError,
        "Seq2seq.generate: sample_size must be at least 0, got -1",
    ),
    (lambda: Ensemble([]), ValueError, "Ensemble: members must be at least one model, got none"),
]


@pytest.mark.parametrize("make, error, message", CASES, ids=[case[2][:60] for case in CASES])
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_numbers_of_numpy_are_numbers():
    model = Seq2seq(np.int64(9), np.int32(4), 6, pad_id=np.int64(0), dropout=np.float32(0.5), dtype="float64")
    assert model.generate([[1]], np.int64(1), np.int64(2)).shape == (1, 2)
