"""Symbols to ids and back; a symbol is a character, or what stands between white space."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from doldari.errors import UnknownSymbolError

PADDING = 0  # also the end of an answer
START = 1
UNKNOWN = 2
SPECIALS = 3


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of one side, in the order of their ids, which begin after padding/end, start and unknown.

    kind is "characters" or "whitespace": how a text is cut into symbols.
    """

    kind: str
    symbols: tuple[str, ...]

    @classmethod
    def build(cls, texts: Iterable[str], kind: str) -> "Vocabulary":
        """Collect the symbols of texts, sorted, so that the order of the texts does not matter."""
        return cls(kind, tuple(sorted({symbol for text in texts for symbol in cut(text, kind)})))

    @cached_property
    def ids(self) -> dict[str, int]:
        """Every symbol's id."""
        return {symbol: id for id, symbol in enumerate(self.symbols, start=SPECIALS)}

    def __len__(self) -> int:
        return SPECIALS + len(self.symbols)

    def encode(self, text: str, unknown: bool = False) -> list[int]:
        """Turn a text into ids; a symbol that is not there is refused, or with `unknown` becomes unknown."""
        ids = [self.ids.get(symbol, UNKNOWN) for symbol in cut(text, self.kind)]
        if not unknown and UNKNOWN in ids:
            symbol = cut(text, self.kind)[ids.index(UNKNOWN)]
            points = " ".join(f"U+{ord(char):04X}" for char in symbol)
            raise UnknownSymbolError(f"{text!r}: the symbol {symbol!r} ({points}) was never seen in training")
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Turn the ids of an answer, up to its end, into text; the replacement character stands for unknown."""
        symbols = []
        for id in ids:
            if id == PADDING:
                break
            symbols.append(self.symbols[id - SPECIALS] if id >= SPECIALS else "\N{REPLACEMENT CHARACTER}")
        return ("" if self.kind == "characters" else " ").join(symbols)


def cut(text: str, kind: str) -> Sequence[str]:
    """Cut a text into symbols."""
    return text if kind == "characters" else text.split()
