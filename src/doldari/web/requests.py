"""What clients ask and what they are answered, as the OpenAPI document describes it; and how much of it at most."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_TEXTS = 1_000
LONGEST_TEXT = 2_000  # characters
MOST_CHARACTERS = 100_000  # of all texts of a request together, times its beam
WIDEST_BEAM = 20
LONGEST_ANSWER = 2_000  # symbols
MOST_RUNS = 8
LARGEST_BODY = 1 << 20  # bytes
SLOWEST_BODY = 30.0  # seconds until it is there


def encodable(text: str) -> str:
    """Refuse half a character, which is in no text."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds a lone surrogate, half a character") from error
    return text


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(encodable)]
Name = Annotated[str, Field(max_length=255), AfterValidator(encodable)]
ModelName = Annotated[Name | None, Field(description="A name of `/runs`; without one the first that has a model.")]
Beam = Annotated[int, Field(ge=1, le=WIDEST_BEAM, description="Beam size; 1 is greedy.")]
UnknownChoice = Annotated[
    Literal["error", "unknown", "copy"],
    Field(description="Symbols never seen in training: refuse the text, map them to unknown, or copy them too."),
]


Tolerant = Annotated[
    bool, Field(description="A text that the model cannot read is told with status 200: an empty list, and an error.")
]


class Strict(BaseModel):
    """No other fields, and no number that is written as a text."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PredictRequest(Strict):
    """Texts to predict the outputs of."""

    texts: list[Text] = Field(max_length=MOST_TEXTS, examples=[["16+75", "52+607"]])
    model: ModelName = None
    beam: Beam = 1
    n_best: int = Field(1, ge=1, le=WIDEST_BEAM, description="Answers to a text; raises the beam to as many.")
    max_length: int | None = Field(None, ge=1, le=LONGEST_ANSWER, description="Maximum symbols of an answer.")
    min_probability: float | None = Field(None, ge=0, le=1, description="Less probable answers are left empty.")
    unknown: UnknownChoice = "error"
    tolerant: Tolerant = False


class ExplainRequest(Strict):
    """A text whose prediction is explained."""

    text: Text = Field(examples=["16+75"])
    model: ModelName = None
    beam: Beam = 1
    forced: list[int] = Field(
        [], max_length=LONGEST_ANSWER, description="Ids of output symbols that the answer begins with; 0 ends it."
    )
    unknown: UnknownChoice = "error"
    tolerant: Tolerant = False


class OneAnswer(BaseModel):
    """An answer; its probability is that of all its symbols and its end."""

    text: str
    log_probability: float = Field(description="In nats.")
    probability: float
    flags: list[str] = Field(description="limit: met the maximum length; abstained: less than min_probability.")


class Predictions(BaseModel):
    """The answers to each text, the best first, in the order of the texts."""

    model: str
    answers: list[list[OneAnswer]]
    errors: list[str | None] = Field(description="Why a text has no answer; only null unless `tolerant`.")


class Explained(BaseModel):
    """A prediction and what led to it; doldari/inference/explanation.py says what each part is."""

    model_config = ConfigDict(extra="allow")
    text: str
    source: list[str]
    answer: OneAnswer
    n_best: list[OneAnswer]


class RunLine(BaseModel):
    """A run in a line."""

    name: str
    status: str | None = Field(description="running, stopped, interrupted or finished; null if that is not known.")
    has_model: bool
    data: str | None
    kind: str | None
    epochs: int | None
    epochs_planned: int | None
    accuracy: float | None


class Runs(BaseModel):
    """All runs, the most accurate first."""

    runs: list[RunLine]


class EpochLine(BaseModel):
    """What an epoch came to; null what is not known."""

    epoch: int
    loss: float | None
    validation_loss: float | None
    accuracy: float | None
    learning_rate: float | None
    seconds: float | None


class History(BaseModel):
    """The epochs of a run so far."""

    name: str
    status: str | None
    epochs_planned: int | None
    epochs: list[EpochLine]


class Histories(BaseModel):
    """The epochs of several runs."""

    histories: list[History]


class ModelPage(BaseModel):
    """What there is to know of a model."""

    name: str
    summary: str
    attention: bool
    recurrent: bool
    features: list[str]
    copies: bool
    symbols: list[str] = Field(description="Source symbols, at most 200 of them.")
    longest_source: int = Field(description="Symbols of the longest source in training.")
    examples: list[str]
    card: str = Field(description="The model card, Markdown.")


class Health(BaseModel):
    """That the server answers."""

    status: Literal["ok"] = "ok"
    version: str
    waiting: int = Field(description="Requests that wait to be predicted.")


class Error(BaseModel):
    """What was wrong, in a line."""

    error: str
