"""Ensembles: models trained from several seeds, each in a directory of its own, and joined into one."""

import dataclasses
from collections.abc import Iterator, Sequence

from doldari.config import Config
from doldari.inference.metrics import evaluate
from doldari.inference.predictor import Predictor
from doldari.inference.scores import scores
from doldari.mixing import members
from doldari.models.joining import join
from doldari.models.model_file import model_bytes
from doldari.run_files import CONFIG_FILE, MODEL_FILE
from doldari.settings import seconds
from doldari.training.directory import RunDirectory
from doldari.training.record import Facts, Record, run_facts
from doldari.training.run import Run


def member_configs(config: Config) -> Iterator[Config]:
    """Yield the settings of each member: the next seed, what its mix has next, and an equal share of the budget."""
    K = config.model.ensemble
    for number, member in enumerate(members(config)):
        member = member.replace(seed=config.training.seed + number)
        if config.training.budget is not None and K > 1:
            member = member.replace(budget=f"{max(seconds(config.training.budget) / K, 0.01):.2f}s")
        yield member


def joined(runs: Sequence[Run]) -> Predictor:
    """Make one model of the trained members."""
    if len(runs) == 1:
        return runs[0].predictor
    names = [f"member {run.member}" for run in runs]
    return Predictor(join([run.predictor.text_model for run in runs], names))


class EnsembleFiles:
    """Writes the files of the whole: its settings, its record, and a model of the members that there are so far."""

    def __init__(self, directory: RunDirectory, config: Config, facts: Facts, resume: bool) -> None:
        self.directory, self.config = directory, config
        self.record = Record(directory, facts, resume=resume)

    def started(self, runs: Sequence[Run]) -> None:
        """Write what is known when the training of the last of these members starts."""
        self.write_record(runs, "running")
        if len(runs) == 1:
            self.directory.write(CONFIG_FILE, self.config.to_toml().encode())

    def first_epoch(self, predictor: Predictor) -> None:
        """Write a model as soon as there is one: that of the first member's first epoch."""
        self.directory.write(MODEL_FILE, model_bytes(predictor.text_model))

    def member_trained(self, runs: Sequence[Run]) -> None:
        """Write a model of all members so far, so that whatever happens to the next loses none."""
        self.directory.write(MODEL_FILE, model_bytes(joined(runs).text_model))
        self.write_record(runs, "running")

    def ended(self, predictor: Predictor, runs: Sequence[Run], last: Run, is_whole: bool) -> float | None:
        """Write how it ended, in the run `last`; return the accuracy of all members together, if several."""
        accuracy = None
        if len(runs) > 1:
            evaluation = evaluate(predictor, runs[0].validation, unknown="unknown")
            accuracy = evaluation.accuracy
            measured = {name: dataclasses.asdict(score) for name, score in scores(evaluation).items()}
            self.record.content["best"] = {"accuracy": accuracy, "scores": measured}
        self.write_record(runs if last in runs else [*runs, last], "finished" if is_whole else "stopped")
        return accuracy

    def write_record(self, runs: Sequence[Run], status: str) -> None:
        """Write what the ensemble was made of, and how it stands."""
        known = run_facts(runs[0])
        sums = {
            "weights": sum(len(run.learner.values) for run in runs),
            "steps": sum(run.position.steps for run in runs),
            "best": self.record.content["best"] or known["best"],  # of all together, once there are several
        }
        self.record.write(known | sums, status)
