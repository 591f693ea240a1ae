"""Joining several trained models into an ensemble."""

import dataclasses
from collections.abc import Sequence

from doldari.errors import ConfigError, brief
from doldari.models.ensemble import Ensemble
from doldari.models.inference_model import InferenceModel
from doldari.models.model_file import TextModel, describe

MAY_DIFFER = {"longest_source", "longest_target", "longer", "temperature", "copies"}


def join(models: Sequence[TextModel], names: Sequence[str] = ()) -> TextModel:
    """Join models, or members of ensembles, into an ensemble; a single model stays as it is.

    The weights are shared, not copied.  Temperatures are dropped, since an ensemble needs one of its own.  Raises
    ConfigError where vocabularies differ, or settings other than `ensemble`; names are those of the models in it.
    """
    if not models:
        raise ConfigError("no models to join")
    names = names or [f"model {number}" for number in range(1, len(models) + 1)]
    first = models[0]
    for model, name in zip(models[1:], names[1:], strict=True):
        reason = difference(first, model)
        if reason:
            raise ConfigError(f"{names[0]} and {name} cannot be joined: {reason}")
    members = [member for one in models for member in members_of(one)]
    longer = [model.longer for model in models if model.longer is not None]
    return first._replace(
        model=Ensemble(members) if len(members) > 1 else members[0],
        config=dataclasses.replace(first.config, ensemble=len(members)),
        longest_source=max(model.longest_source for model in models),
        longest_target=max(model.longest_target for model in models),
        longer=max(longer) if len(longer) == len(models) else None,
        copies=any(model.copies for model in models),
        temperature=first.temperature if len(members) == 1 else 1.0,
    )


def members_of(text_model: TextModel) -> list[InferenceModel]:
    """List the members of an ensemble, or the single model."""
    model = text_model.model
    return model.members if isinstance(model, Ensemble) else [model]


def difference(one: TextModel, other: TextModel) -> str:
    """Return why two models cannot be joined, or an empty text."""
    mine, theirs = describe(one), describe(other)
    settings, others = mine.pop("model"), theirs.pop("model")
    for name in settings:
        if name != "ensemble" and settings[name] != others[name]:
            return f"{name} is {settings[name]} in the one and {others[name]} in the other"
    for name in sorted(mine.keys() - MAY_DIFFER):
        if mine[name] != theirs[name]:
            return different_entries(name, mine[name], theirs[name])
    return ""


def different_entries(name: str, mine: object, theirs: object) -> str:
    """Describe how an entry of two descriptions differs; for symbols or features, by one that the other lacks."""
    if not isinstance(mine, list) or not isinstance(theirs, list):
        return f"their {name} differ"
    what = name.replace("_", " ") if "_" in name else f"{name} symbols"
    for texts, others, which in ((mine, theirs, "first"), (theirs, mine, "second")):
        alone = sorted({*texts} - {*others})
        if alone:
            return f"their {what} differ: only the {which} has {brief(alone[0])}"
    return f"their {what} differ in order"
