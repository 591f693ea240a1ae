from doldari.data.leaks import find_leaks
from doldari.data.pairs import Pair


def test_leaks():
    training = [Pair("a", "1"), Pair("a", "2"), Pair("\u00e9", "한"), Pair("b\tV", "3")]
    held_out = [
        Pair("a", "2"),
        Pair("e\u0301", "\u1112\u1161\u11ab"),
        Pair("a", "3"),
        Pair("b\tN", "3"),
        Pair("b\tV", "4"),
        Pair("c", "1"),
    ]
    leaks = find_leaks(training, held_out)
    assert leaks.pairs == held_out[:2]
    assert leaks.sources == [(Pair("a", "3"), "1"), (Pair("b\tV", "4"), "3")]
    assert find_leaks([], held_out) == find_leaks(training, []) == ([], [])
