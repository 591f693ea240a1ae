"""Subwords: frequent words whole, others in parts, by byte pair encoding (Sennrich et al. 2016) of `tokenizers`."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from doldari.errors import MissingPackageError, brief

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SURROGATE = re.compile("[\ud800-\udfff]")  # no character, and the library takes none
UNSEEN = "\N{REPLACEMENT CHARACTER}"  # the library's token for a character that was not in the training texts


def train_subwords(texts: Iterable[str], size: int, min_count: int) -> str:
    """Learn at most `size` subwords of texts: the tokenizer as JSON.

    Characters that stand in the texts fewer than min_count times stay unknown, and no rarer pair is joined.  A space
    becomes ▁ at the start of the word behind it, so that a text can be put together again.  Texts are gone through
    twice.
    """
    library = load_library()
    counts = Counter(char for text in texts for char in text if not char.isspace())
    frequent = sum(count >= min_count for count in counts.values())
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNSEEN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=max(2, min_count),
        limit_alphabet=frequent + 1,  # the ▁
        special_tokens=[UNSEEN],
        show_progress=False,
    )
    tokenizer.train_from_iterator((" ".join(text.split()) for text in texts), trainer)
    return str(tokenizer.to_str())


def load_subwords(description: str) -> "Tokenizer":
    """Make the tokenizer of what `train_subwords` returned; ValueError where it is not that."""
    library = load_library()
    try:
        tokenizer: Tokenizer = library.Tokenizer.from_str(description)
    except Exception as error:  # the library has no narrower one
        raise ValueError(f"its subwords cannot be read: {error}") from error
    return tokenizer


def check_subwords(description: str, symbols: Sequence[str]) -> None:
    """Refuse with ValueError what `train_subwords` cannot have returned, or not for these symbols.

    All is checked here before the library sees it, which ends the program over some of it (a panic).
    """
    try:
        parts = json.loads(description)
        before, model, added = parts["pre_tokenizer"], parts["model"], parts["added_tokens"]
        kinds = before["type"], before.get("replacement"), model["type"], model["unk_token"]
        tokens = [(token["content"], token["id"]) for token in added]
        vocabulary, merges = model["vocab"], list(model["merges"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"its subwords cannot be read: {brief(error)}") from error
    if vocabulary != {token: id for id, token in enumerate([UNSEEN, *symbols])}:
        raise ValueError("its subwords are not the symbols of its vocabulary")
    used = [parts.get(name) for name in ("truncation", "padding", "normalizer", "post_processor", "decoder")]
    used += [model.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix")]
    used += [model.get(name) for name in ("fuse_unk", "byte_fallback", "ignore_merges")]
    if kinds != ("Metaspace", "▁", "BPE", UNSEEN) or tokens != [(UNSEEN, 0)] or any(used):
        raise ValueError("its subwords are not such as doldari makes")
    for merge in merges:
        pair = isinstance(merge, list) and len(merge) == 2 and all(isinstance(part, str) for part in merge)
        if not pair or not {*merge, "".join(merge)} <= vocabulary.keys():
            raise ValueError(f"its subwords are not such as doldari makes: {brief(merge)} makes none of them")
    load_subwords(description)


def subword_symbols(tokenizer: "Tokenizer") -> tuple[str, ...]:
    """List a tokenizer's subwords in the order of its ids."""
    vocabulary = tokenizer.get_vocab()
    return tuple(sorted(vocabulary.keys() - {UNSEEN}, key=vocabulary.__getitem__))


def cut_subwords(text: str, tokenizer: "Tokenizer") -> list[str]:
    """Cut a text into subwords; a character that is in none stands for itself."""
    text = " ".join(text.split())
    encoded = tokenizer.encode(SURROGATE.sub(UNSEEN, text), add_special_tokens=False)
    return [
        text[slice(*place)] if token == UNSEEN else token
        for token, place in zip(encoded.tokens, encoded.offsets, strict=True)
    ]


def load_library() -> Any:
    """Import `tokenizers`; MissingPackageError where it is not installed."""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingPackageError("subwords need tokenizers: pip install 'doldari[subwords]'") from error
    return tokenizers
