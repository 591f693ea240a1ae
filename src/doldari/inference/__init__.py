"""Inference with a trained model, and its evaluation."""
