"""A `Seq2seq` by its decoder: peeky, with attention by either score, a pointer-generator, or a transducer."""

from doldari.layers import TimeTransducer
from doldari.models.attention_decoder import AttentionDecoder, DotAttentionDecoder
from doldari.models.decoder import Decoder, PeekyDecoder
from doldari.models.encoder import Encoder
from doldari.models.pointer_decoder import PointerDecoder
from doldari.models.seq2seq import Seq2seq
from doldari.models.transducer_decoder import TransducerDecoder


class PeekySeq2seq(Seq2seq):
    """A `Seq2seq` whose decoder looks at the encoder's h in every step."""

    decoder_class = PeekyDecoder


class AttentionSeq2seq(Seq2seq):
    """A `Seq2seq` whose decoder looks, in every step, at the encoder's hidden states; by the general score."""

    decoder_class = AttentionDecoder
    embedding_scale = 0.1  # with 0.01 the first epochs of small data were lost: 0 % after four, against 50 %


class DotAttentionSeq2seq(AttentionSeq2seq):
    """An `AttentionSeq2seq` by the dot score."""

    decoder_class = DotAttentionDecoder


class PointerSeq2seq(AttentionSeq2seq):
    """An `AttentionSeq2seq` whose decoder also copies what it looks at; `decoder.copies` says as what."""

    decoder_class = PointerDecoder
    places = True  # without, what had been copied was copied again, or left out
    embedding_scale = 1.0  # with 0.1 inflection took three times the epochs (docs/results.md)


class TransducerSeq2seq(Seq2seq):
    """A `Seq2seq` whose decoder edits the source from left to right; `decoder.copies` says what copying writes."""

    decoder_class = TransducerDecoder
    embedding_scale = 1.0
    each_step = True  # with one draw for all steps inflection was 2 to 3 points worse (docs/results.md)

    def assemble(
        self, encoder: Encoder, decoder: Decoder, sizes: tuple[int, int], pad_id: int | None, smoothing: float
    ) -> None:
        """Join the parts, as `Seq2seq.assemble`; padding, if there is any, ends an answer."""
        super().assemble(encoder, decoder, sizes, pad_id, smoothing)
        assert isinstance(decoder, TransducerDecoder)
        decoder.transducer = TimeTransducer(pad_id)


BY_DECODER = {
    "plain": Seq2seq,
    "peeky": PeekySeq2seq,
    "attention": AttentionSeq2seq,
    "pointer": PointerSeq2seq,
    "transducer": TransducerSeq2seq,
}
