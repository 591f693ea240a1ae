"""Dates as people write them, to ISO 8601: `Tuesday, September 27, 1994`, `94. 9. 27.` -> `1994-09-27`.

The formats are those of the Unicode CLDR, by way of Babel, in British and American English, Korean, German, French,
Spanish and Japanese.  Years lie within a hundred, so that two digits say which; of the purely numeric formats those
are left out that could be read with day and month exchanged.
"""

import datetime

import numpy as np

from doldari.data.pairs import Pair
from doldari.errors import ConfigError, MissingPackageError

FIRST, DAYS = datetime.date(1970, 1, 1), 36_525  # to the end of 2069
FORMATS = {
    "en_US": ("short", "medium", "long", "full"),
    "en_GB": ("medium", "long", "full", "d MMM ''yy"),
    "ko_KR": ("short", "medium", "long", "full", "yy년 M월 d일", "yyyy.MM.dd"),
    "de_DE": ("medium", "long", "full"),
    "fr_FR": ("medium", "long", "full"),
    "es_ES": ("long", "full"),
    "ja_JP": ("medium", "long", "full"),
}


def date_pairs(count: int = 50_000, seed: int = 0, after: int = 0) -> list[Pair]:
    """Make `count` different written dates: random days and formats, a quarter in lower case, a quarter in upper.

    `after` of them are skipped first.  Raises MissingPackageError without Babel.
    """
    try:
        from babel.dates import format_date
    except ImportError as error:
        raise MissingPackageError("the dates task needs Babel: pip install 'doldari[dates]'") from error
    styles = [(locale, style) for locale, styles in FORMATS.items() for style in styles]
    possible = DAYS * len(styles)
    if not 1 <= count + after <= possible // 2:
        raise ConfigError(f"{{count}}: must be from 1 to {possible // 2:,}", count=count)
    rng = np.random.default_rng(seed)
    pairs: dict[str, Pair] = {}
    while len(pairs) < count + after:
        day = FIRST + datetime.timedelta(days=int(rng.integers(DAYS)))
        locale, style = styles[rng.integers(len(styles))]
        case = (str, str, str.lower, str.upper)[rng.integers(4)]
        source = case(format_date(day, style, locale=locale))
        pairs.setdefault(source, Pair(source, day.isoformat()))
    return list(pairs.values())[after:]
