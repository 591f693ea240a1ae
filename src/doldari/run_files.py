"""The names of the files in a run directory."""

MODEL_FILE = "model.safetensors"
CONFIG_FILE = "config.toml"
RECORD_FILE = "run.json"
HISTORY_FILE = "history.jsonl"
CHECKPOINT_FILE = "checkpoint.safetensors"
PICTURE_FILE = "accuracy.png"
CARD_FILE = "README.md"
CARD_MARK = "<!-- Written by doldari show --card -->"  # in a card; another README.md is not ours
REPORT_FILE = "report.html"
REPORT_MARK = '<meta name="generator" content="doldari">'  # in a report of ours
LOCK_FILE = ".doldari.lock"  # locked for as long as a training writes there
