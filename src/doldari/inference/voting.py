"""Ensembles whose members are of different kinds: they vote on whole texts.

Members of one kind write the same symbols in the same direction, so their log-probabilities are averaged symbol by
symbol (models/ensemble.py).  An attention decoder, a pointer, and a model that writes from right to left have only
texts in common.  So, for every source,

1. proposers give the best texts of their search, as many as its beam is wide: each kind, its members together
   ("log-probability"), or each member by itself ("majority");
2. every member scores every proposed text y: log p(y | source);
3. the answer is the text of the highest mean score over the members ("log-probability"), or the one that is the best
   answer of most members, of equals the one of the highest mean score ("majority").

A member is whatever has the two methods of `Member`: a `ModelMember`, or in tests a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, get_args

from doldari.data.symbols import normalize
from doldari.data.vocabulary import Unknown
from doldari.errors import ConfigError, brief
from doldari.inference.answering import AnswerOptions, answers_to, scores_of
from doldari.inference.answers import Answer
from doldari.inference.batching import Progress
from doldari.models.joining import single_models
from doldari.models.kinds import Vote
from doldari.models.model_file import TextModel
from doldari.settings import refused


class Member(Protocol):
    """What proposes answers and scores them, such as `ModelMember`."""

    def answers(
        self, texts: Sequence[str], options: AnswerOptions, progress: Progress | None = None
    ) -> list[list[Answer]]:
        """Predict options.n_best answers for each text, the best first."""

    def score(
        self, pairs: Sequence[tuple[str, str]], *, unknown: Unknown = "error", progress: Progress | None = None
    ) -> list[float]:
        """Return log p(target | source), in nats, of each pair."""


class Kind(NamedTuple):
    """The members of one kind: as one model that averages their log-probabilities, and each by itself."""

    together: Member
    members: Sequence[Member]


@dataclass
class Candidate:
    """A proposed text: as its first proposer gave it, whose best answer it is, and its mean score."""

    answer: Answer
    votes: int = 0
    score: float = 0.0


@dataclass(frozen=True)
class Voting:
    """Kinds of members that vote by a rule; is_blank tells the texts that are answered by nothing."""

    kinds: Sequence[Kind]
    rule: Vote
    is_blank: Callable[[str], bool]

    @property
    def members(self) -> list[Member]:
        """All members, of whatever kind."""
        return [member for kind in self.kinds for member in kind.members]

    def answers(
        self, texts: Sequence[str], options: AnswerOptions, progress: Progress | None = None
    ) -> list[list[Answer]]:
        """Answer as `Predictor.answers` does; the score of an answer is its mean log-probability over the members."""
        places = [place for place, text in enumerate(texts) if not self.is_blank(text)]
        asked = [texts[place] for place in places]
        parts = Parts(progress, len(asked), len(self.proposers) + len(self.members))
        ballots = [candidates(proposed) for proposed in zip(*self.proposals(asked, options, parts), strict=True)]
        scores = iter(
            self.scores(
                [(text, one.answer.text) for text, some in zip(asked, ballots, strict=True) for one in some], parts
            )
        )
        found = [[Answer("", 0.0)] for _ in texts]
        for place, ballot in zip(places, ballots, strict=True):
            for one in ballot:
                one.score = next(scores)
            found[place] = self.ranked(ballot, options)
        return found

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> list[float]:
        """Return the mean over the members of log p(target | source), in nats, of each pair."""
        return self.scores(pairs, Parts(progress, len(pairs), len(self.members)))

    @property
    def proposers(self) -> list[tuple[int, Member]]:
        """The models that propose texts, each with the number of its kind."""
        if self.rule == "majority":
            return [(number, member) for number, kind in enumerate(self.kinds) for member in kind.members]
        return [(number, kind.together) for number, kind in enumerate(self.kinds)]

    def proposals(self, texts: Sequence[str], options: AnswerOptions, parts: "Parts") -> list[list[list[Answer]]]:
        """Let every proposer give its best answers to every text."""
        width = max(options.beam, options.n_best)
        asked = replace(options, beam=width, n_best=width, min_probability=None)
        found = []
        for number, proposer in self.proposers:
            own = asked if asked.allowed is None else replace(asked, allowed=asked.allowed.of_kind(number))
            found.append(proposer.answers(texts, own, parts.next(len(texts))))
        return found

    def scores(self, pairs: Sequence[tuple[str, str]], parts: "Parts") -> list[float]:
        """Average the members' scores of each pair; a symbol that a member does not know is its unknown one."""
        every = [member.score(pairs, unknown="unknown", progress=parts.next(len(pairs))) for member in self.members]
        return [sum(scores) / len(scores) for scores in zip(*every, strict=True)]

    def ranked(self, ballot: Sequence[Candidate], options: AnswerOptions) -> list[Answer]:
        """Rank the candidates by the rule, of equals the first proposed first, and take n_best."""
        by_votes = self.rule == "majority"
        order = sorted(ballot, key=lambda one: (-one.votes if by_votes else 0, -one.score))
        best = [replace(one.answer, score=one.score) for one in order[: options.n_best]]
        least = options.min_probability
        return best if least is None else [one.at_least(least) for one in best]


@dataclass(frozen=True)
class ModelMember:
    """A model of one kind as a member."""

    model: TextModel

    def answers(
        self, texts: Sequence[str], options: AnswerOptions, progress: Progress | None = None
    ) -> list[list[Answer]]:
        """Answer as `answers_to` does."""
        return answers_to(self.model, texts, options, progress)

    def score(
        self, pairs: Sequence[tuple[str, str]], *, unknown: Unknown = "error", progress: Progress | None = None
    ) -> list[float]:
        """Score as `scores_of` does."""
        return scores_of(self.model, pairs, unknown, progress)


def voting_of(text_model: TextModel) -> Voting:
    """Let the members of an ensemble vote."""
    kinds = [Kind(ModelMember(kind), [ModelMember(one) for one in single_models(kind)]) for kind in text_model.kinds]
    return Voting(kinds, text_model.vote, text_model.source.is_blank)


def with_vote(text_model: TextModel, vote: Vote) -> TextModel:
    """Return an ensemble that votes by another rule; ConfigError for a model in which nobody votes."""
    if vote not in get_args(Vote):
        raise refused("vote", brief(vote), f"must be one of {', '.join(get_args(Vote))}")
    if not text_model.others:
        raise ConfigError("{vote}: needs an ensemble of different kinds of models", vote=vote)
    return text_model._replace(vote=vote)


def candidates(proposed: Sequence[Sequence[Answer]]) -> list[Candidate]:
    """Gather the different texts that were proposed for one source; the first of each proposer is its vote."""
    found: dict[str, Candidate] = {}
    for answers in proposed:
        for rank, answer in enumerate(answers):
            one = found.setdefault(normalize(answer.text, "NFC"), Candidate(answer))
            one.votes += rank == 0
    return list(found.values())


class Parts:
    """Progress, in texts, of work in several parts of equal length."""

    def __init__(self, progress: Progress | None, texts: int, parts: int) -> None:
        self.progress, self.texts, self.parts, self.begun = progress, texts, parts, 0

    def next(self, size: int) -> Progress | None:
        """Begin the next part, of so many steps."""
        progress, before = self.progress, self.begun
        self.begun += 1
        if progress is None:
            return None
        return lambda done: progress(self.texts * (before * size + done) // (self.parts * max(size, 1)))
