"""Models on the Hugging Face Hub: fetched by `doldari.load("hf://owner/name")`, published by `doldari push`.

A model is one safetensors file, which is checked as it is read; nothing that is fetched is run.  huggingface_hub, an
optional package, talks to the Hub: HF_TOKEN, HF_HOME and HF_ENDPOINT mean what they mean there.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from doldari.errors import ConfigError, DoldariError, HubError, MissingPackageError
from doldari.run_files import MODEL_FILE

ADDRESS = re.compile(r"hf:/{1,2}(?P<name>[^@]+)(?:@(?P<revision>.+))?")  # of a Path only one slash is left
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def is_address(path: str | os.PathLike[str]) -> bool:
    """Tell hf://owner/name from a path."""
    return ADDRESS.fullmatch(os.fspath(path)) is not None


def fetch(address: str | os.PathLike[str]) -> Path:
    """Fetch the model of hf://owner/name, or hf://owner/name@revision; return where its file lies in the cache.

    ConfigError for an address that is none, HubError where there is no such model or the Hub cannot be reached, and
    no earlier copy is in the cache.
    """
    match = ADDRESS.fullmatch(os.fspath(address))
    if match is None:
        raise ConfigError(f"{os.fspath(address)}: must be as hf://owner/name")
    name = checked_name(match["name"])
    hub = hub_package()
    with said(f"hf://{name}"):
        return Path(hub.hf_hub_download(name, MODEL_FILE, revision=match["revision"], endpoint=endpoint()))


def publish(name: str, files: Mapping[str, bytes], private: bool) -> str:
    """Upload files, by their names, to owner/name, which is made if it is not there; return its web address."""
    hub = hub_package()
    api = hub.HfApi(endpoint=endpoint())
    operations = [hub.CommitOperationAdd(file, content) for file, content in files.items()]
    with said(address_of(name)):
        api.create_repo(checked_name(name), private=private, exist_ok=True)
        api.create_commit(name, operations, commit_message="Upload a doldari model")
    return address_of(name)


def address_of(name: str) -> str:
    """Write the web address of owner/name; ConfigError for a name that is none."""
    return f"{endpoint()}/{checked_name(name)}"


def checked_name(name: str) -> str:
    """Refuse what is no owner/name."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name}: must be as owner/name, letters, digits, - . and _")
    return name


def hub_package() -> Any:
    """Import huggingface_hub; MissingPackageError where it is not installed."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        message = "the Hugging Face Hub needs huggingface_hub; install it with: pip install 'doldari[hub]'"
        raise MissingPackageError(message) from error


def endpoint() -> str:
    """Tell which Hub is talked to."""
    hub_package()
    return str(os.environ.get("HF_ENDPOINT") or import_module("huggingface_hub.constants").ENDPOINT).rstrip("/")


@contextmanager
def said(what: str) -> Iterator[None]:
    """Turn whatever goes wrong with the Hub into a line that says what to do."""
    try:
        yield
    except DoldariError:
        raise
    except Exception as error:
        kind = type(error).__name__
        status = getattr(getattr(error, "response", None), "status_code", None)
        if kind == "LocalTokenNotFoundError" or status == 401:
            reason = "not logged in, or there is no such model; log in with: hf auth login, or set HF_TOKEN"
        elif status == 403:
            reason = "the token may not do that; make one with write access to it"
        elif kind == "EntryNotFoundError" or kind == "RemoteEntryNotFoundError":
            reason = f"has no {MODEL_FILE}; not a doldari model"
        elif status == 404:
            reason = "no such model, or no such revision"
        elif status is not None:
            reason = f"the Hub answered with status {status}"
        else:
            reason = f"the Hub cannot be reached: {next(iter(str(error).splitlines()), kind)}"
        raise HubError(f"{what}: {reason}") from error
