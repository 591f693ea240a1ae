"""Joining several trained models into an ensemble.

Models of one kind, that is of the same settings and vocabularies, become members that write together, symbol by
symbol (ensemble.py).  Where there are several kinds, each of them is such an ensemble, or a single model, and they
vote on whole texts (inference/voting.py).
"""

import dataclasses
from collections.abc import Sequence

from doldari.data.vocabulary import Vocabulary
from doldari.errors import ConfigError, brief
from doldari.models.ensemble import Ensemble
from doldari.models.inference_model import InferenceModel
from doldari.models.kinds import Vote
from doldari.models.model_file import TextModel, describe

MAY_DIFFER = {"longest_source", "longest_target", "longer", "temperature", "copies"}


def join(models: Sequence[TextModel], names: Sequence[str] = (), vote: Vote | None = None) -> TextModel:
    """Join models, or members of ensembles, into an ensemble; a single model stays as it is.

    The weights are shared, not copied.  Temperatures are dropped where log-probabilities are averaged, since the
    average needs one of its own.  vote: how different kinds agree; by default as the first model has it.  Raises
    ConfigError where the models do not translate the same texts; names are those of the models in it.
    """
    if not models:
        raise ConfigError("no models to join")
    names = names or [f"model {number}" for number in range(1, len(models) + 1)]
    kinds: list[list[TextModel]] = []
    for model, name in zip(models, names, strict=True):
        for part in model.kinds:
            reason = unlike_texts(models[0], part)
            if reason:
                raise ConfigError(f"{names[0]} and {name} cannot be joined: {reason}")
            alike = next((kind for kind in kinds if not difference(kind[0], part)), None)
            if alike is None:
                kinds.append([part])
            else:
                alike.append(part)
    return models[0]._replace(vote=vote or models[0].vote).with_kinds([of_one_kind(kind) for kind in kinds])


def of_one_kind(models: Sequence[TextModel]) -> TextModel:
    """Join models of one kind; a single one stays as it is."""
    first = models[0]
    members = [member for one in models for member in members_of(one)]
    longer = [model.longer for model in models if model.longer is not None]
    return first._replace(
        model=Ensemble(members) if len(members) > 1 else members[0],
        config=dataclasses.replace(first.config, ensemble=len(members)),
        longest_source=max(model.longest_source for model in models),
        longest_target=max(model.longest_target for model in models),
        longer=max(longer) if len(longer) == len(models) else None,
        copies=any(model.copies for model in models),
        temperature=first.temperature if len(models) == 1 else 1.0,
    )


def members_of(text_model: TextModel) -> list[InferenceModel]:
    """List the members of an ensemble of one kind, or the single model."""
    model = text_model.model
    return model.members if isinstance(model, Ensemble) else [model]


def single_models(kind: TextModel) -> list[TextModel]:
    """Make each member of one kind a model of its own."""
    config = dataclasses.replace(kind.config, ensemble=1)
    return [kind._replace(model=member, config=config) for member in members_of(kind)]


def refuse_mixed(text_model: TextModel, what: str) -> None:
    """Raise ConfigError for what an ensemble of different kinds cannot do, because these share only whole texts."""
    if text_model.others:
        kinds = len(text_model.kinds)
        raise ConfigError(f"{what}: not possible with an ensemble of {kinds} kinds of models; use one of its members")


def difference(one: TextModel, other: TextModel) -> str:
    """Return why two models are not of one kind, or an empty text."""
    mine, theirs = describe(one), describe(other)
    settings, others = mine.pop("model"), theirs.pop("model")
    names = [name for name in settings if name != "ensemble" and settings[name] != others[name]]
    names += [name for name in sorted(mine.keys() - MAY_DIFFER) if mine[name] != theirs[name]]
    return names[0] if names else ""


def unlike_texts(one: TextModel, other: TextModel) -> str:
    """Return why two models do not translate the same texts, or an empty text.

    Sides that are cut in the same way must have the same symbols: others are of other data.  The targets of a
    decoder that copies may have those of its sources too.
    """
    if bool(one.source.features) != bool(other.source.features):
        return f"only the {'first' if one.source.features else 'second'} reads features"
    sources = {*one.source.symbols, *other.source.symbols}
    for side, mine, theirs, besides in (
        ("source", one.source, other.source, set[str]()),
        ("target", one.target, other.target, sources),
    ):
        if mine.kind == theirs.kind != "subwords" and mine.normalization == theirs.normalization:
            for which, alone in (("first", only_in(mine, theirs)), ("second", only_in(theirs, mine))):
                if alone - besides:
                    return f"their {side} symbols differ: only the {which} has {brief(min(alone - besides))}"
    for which, features in (
        ("first", {*one.source.features} - {*other.source.features}),
        ("second", {*other.source.features} - {*one.source.features}),
    ):
        if features:
            return f"their source features differ: only the {which} has {brief(min(features))}"
    return ""


def only_in(one: Vocabulary, other: Vocabulary) -> set[str]:
    """Find the symbols that only the first of two vocabularies has."""
    return {*one.symbols} - {*other.symbols}
