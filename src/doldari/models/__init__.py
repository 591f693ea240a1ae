"""Encoder, decoders and the models joined from them."""

from doldari.models.decoder import Decoder, PeekyDecoder
from doldari.models.encoder import Encoder
from doldari.models.seq2seq import PeekySeq2seq, Seq2seq

__all__ = ["Decoder", "Encoder", "PeekyDecoder", "PeekySeq2seq", "Seq2seq"]
