"""From a trained model to answers, and how many of them are right."""
