"""doldari."""
