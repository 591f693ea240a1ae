"""The transformer (Vaswani et al. 2017), pre-norm, with rotary positions; trained and asked like every `Seq2seq`."""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from doldari.arrays import Floats
from doldari.layers.arguments import check_dtype, check_flag, check_rate, check_rng, check_size
from doldari.models.ids import check_ids
from doldari.models.seq2seq import Seq2seq
from doldari.models.transformer_decoder import TransformerDecoder
from doldari.models.transformer_encoder import TransformerEncoder


class Transformer(Seq2seq):
    """Encoder and decoder of as many `layers`, whose vectors have `size` numbers, shared out among the heads.

    hidden_size is that of the feed-forward networks.  pad_id, target_vocab_size, tie, dropout and label_smoothing are
    as in `Seq2seq`.
    """

    # These are not the recurrent classes, but what `Seq2seq` asks of those they answer alike.
    encoder: TransformerEncoder  # type: ignore[assignment]
    decoder: TransformerDecoder  # type: ignore[assignment]
    decoder_class: type[TransformerDecoder] = TransformerDecoder  # type: ignore[assignment]

    def __init__(
        self,
        vocab_size: int,
        size: int,
        hidden_size: int,
        *,
        heads: int = 4,
        layers: int = 1,
        target_vocab_size: int | None = None,
        pad_id: int | None = None,
        tie: bool = False,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        target_vocab_size = vocab_size if target_vocab_size is None else target_vocab_size
        rng = np.random.default_rng() if rng is None else rng
        sizes = {"vocab_size": vocab_size, "target_vocab_size": target_vocab_size, "size": size, "layers": layers}
        for name, number in (sizes | {"hidden_size": hidden_size, "heads": heads}).items():
            check_size("Transformer", name, number)
        check_rate("Transformer", "dropout", dropout)
        check_rate("Transformer", "label_smoothing", label_smoothing)
        check_flag("Transformer", "tie", tie)
        check_rng("Transformer", rng)
        check_dtype("Transformer", dtype)
        if size % (2 * heads) != 0:
            raise ValueError(f"Transformer: size must be a multiple of twice the heads, got {size} and {heads} heads")
        encoder = TransformerEncoder(
            vocab_size, size, hidden_size, heads=heads, layers=layers, dropout=dropout, rng=rng, dtype=dtype
        )
        decoder = self.decoder_class(
            target_vocab_size,
            size,
            hidden_size,
            heads=heads,
            layers=layers,
            tie=tie,
            dropout=dropout,
            rng=rng,
            dtype=dtype,
        )
        vocabularies = vocab_size, target_vocab_size
        self.assemble(encoder, decoder, vocabularies, pad_id, label_smoothing)  # type: ignore[arg-type]

    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Tell where in questions xs (N, S) it looks while it reads `read` (N, T), as `Seq2seq.attention`.

        That is where the decoder's last layer looks, averaged over its heads, or what a pointer would copy.
        """
        read = check_ids("read", read, self.target_vocab_size)
        _, _, cache = self.decoder.forward(read, self.encode(xs))  # type: ignore[arg-type]
        return self.decoder.attention_weights(cache)
