"""Encoder, decoders and the models joined from them."""

from doldari.models.attention_decoder import AttentionDecoder, DotAttentionDecoder
from doldari.models.decoder import Decoder, PeekyDecoder
from doldari.models.encoder import Encoder
from doldari.models.pointer_decoder import PointerDecoder
from doldari.models.seq2seq import Seq2seq
from doldari.models.transducer_decoder import TransducerDecoder
from doldari.models.transformer import Transformer
from doldari.models.transformer_pointer import PointerTransformer
from doldari.models.variants import (
    AttentionSeq2seq,
    DotAttentionSeq2seq,
    PeekySeq2seq,
    PointerSeq2seq,
    TransducerSeq2seq,
)

__all__ = [
    "AttentionDecoder",
    "AttentionSeq2seq",
    "Decoder",
    "DotAttentionDecoder",
    "DotAttentionSeq2seq",
    "Encoder",
    "PeekyDecoder",
    "PeekySeq2seq",
    "PointerDecoder",
    "PointerSeq2seq",
    "PointerTransformer",
    "Seq2seq",
    "TransducerDecoder",
    "TransducerSeq2seq",
    "Transformer",
]
