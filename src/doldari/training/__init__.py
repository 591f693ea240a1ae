"""Optimizers, schedules, and the trainer that runs them."""
