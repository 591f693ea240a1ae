"""The default recipe, untuned, on what people bring: inflection with features, old spellings, dates.

The pairs are made up after the pattern of real ones.  Sizes and epochs alone are cut, for the tests to be quick.
"""

import random
import re
import unicodedata

import doldari
from doldari.data.dates import date_pairs
from doldari.data.pairs import Pair
from doldari.inference.metrics import evaluate

QUICK = {"hidden_size": 128, "progress": False}
VOWELS = "aıoueiöü"
ENDINGS = {"NOM": "", "ACC": "(y)I", "DAT": "(y)E", "LOC": "DE", "ABL": "DEn", "GEN": "(n)In"}
FORMS = [(number, case) for number in ("SG", "PL") for case in ENDINGS]


def inflect(lemma, number, case):
    """Put a noun into a number and a case as in Turkish: vowels of endings follow its last one, p ç t k soften."""
    word = lemma
    for ending in ["lEr"] * (number == "PL") + [ENDINGS[case]]:
        last = re.findall(f"[{VOWELS}]", word)[-1]
        between, ending = re.fullmatch(r"(?:\((.)\))?(.*)", ending).groups(default="")
        if word[-1] in VOWELS:
            word += between
        if ending[:1] in ("I", "E"):
            word = word[:-1] + word[-1].translate(str.maketrans("pçtk", "bcdğ"))
        front, rounded = last in "eiöü", last in "oöuü"
        ending = ending.replace("D", "t" if word[-1] in "pçtksşfh" else "d")
        word += ending.replace("E", "ae"[front]).replace("I", "ıuiü"[2 * front + rounded])
    return word


def nouns(count, seed):
    """Make different nouns of one or two syllables in vowel harmony."""
    rng = random.Random(seed)
    made = {}
    while len(made) < count:
        vowels = rng.choice(["aıou", "eiöü"])
        syllables = [rng.choice("bdgklmnrsty") + rng.choice(vowels) for _ in range(rng.randint(1, 2))]
        made["".join(syllables) + rng.choice(["", *"pçtkpçtklmnrsz"])] = None
    return list(made)


def test_inflection_with_features():
    """Nouns never seen are put into all twelve forms, from four forms each of 600 others."""
    assert inflect("kitap", "SG", "DAT") == "kitaba"
    assert inflect("göl", "PL", "ABL") == "göllerden"
    rng, lemmas = random.Random(1), nouns(650, seed=1)
    pairs = [
        (f"{lemma}\tN;{number};{case}", inflect(lemma, number, case))
        for index, lemma in enumerate(lemmas)
        for number, case in (rng.sample(FORMS, 4) if index < 600 else FORMS)
    ]
    training, held_out = pairs[:2400], pairs[2400:]
    model = doldari.train(training, validation=held_out, epochs=12, **QUICK)
    right = [answer == form for answer, (_, form) in zip(ask(model, held_out), held_out, strict=True)]
    assert sum(right) > 0.95 * len(right)
    softened = [
        is_right
        for is_right, (source, form) in zip(right, held_out, strict=True)
        if not form.startswith(source.split("\t")[0])
    ]
    assert len(softened) > 50
    assert sum(softened) > 0.9 * len(softened)


def ask(model, pairs):
    """Answer the sources of pairs."""
    return model.predict([source for source, _ in pairs])


def old_spelling(word, rng):
    """Spell a German word as of old: long s, v and u by their place, ey and ck; y for i, and dt, now and then."""
    old = re.sub("s(?=.)", "ſ", word)
    old = re.sub("^u", "v", re.sub("(?<=.)v", "u", old))
    old = re.sub("(?<=[nrl])k", "ck", old).replace("ei", "ey")
    old = re.sub("i", lambda _: rng.choice("iiy"), old)
    return re.sub("t$", lambda _: rng.choice(["t", "dt"]), old)


def spellings(count, seed):
    """Make old and new spellings of different words."""
    rng = random.Random(seed)
    onsets, vowels, codas = [*"bdfghklmnrsvw", "st"], [*"aeiouäöü", "ei", "au"], ["", *"nrltks"]
    pairs = {}
    while len(pairs) < count:
        syllables = [rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(rng.randint(1, 2))]
        word = rng.choice(["", "un"]) + "".join(syllables) + rng.choice(["", "en", "keit"])
        pairs.setdefault(old_spelling(word, rng), word)
    return [Pair(*pair) for pair in pairs.items()]


def test_old_spellings_however_they_are_encoded():
    """Half of the sources are decomposed, ä as a and two dots; answers are composed, as all targets are."""
    rng = random.Random(1)
    pairs = [
        Pair(unicodedata.normalize(rng.choice(["NFC", "NFD"]), old), word) for old, word in spellings(2700, seed=1)
    ]
    training, held_out = pairs[:2400], pairs[2400:]
    model = doldari.train(training, validation=held_out, source_normalization="NFC", epochs=8, **QUICK)
    assert evaluate(model, held_out).accuracy > 0.95
    answers = ask(model, held_out)
    assert answers == [unicodedata.normalize("NFC", answer) for answer in answers]
    assert answers == model.predict([unicodedata.normalize("NFD", old) for old, _ in held_out])


def test_dates():
    """Dates in seven languages, of which a few thousand are enough."""
    pairs = date_pairs(3300, seed=1)
    model = doldari.train(pairs[:3000], validation=pairs[3000:], epochs=7, **QUICK)
    assert evaluate(model, pairs[3000:]).accuracy > 0.9
    assert model("Tuesday, September 27, 1994") == "1994-09-27"
