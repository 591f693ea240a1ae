"""The second engine: the same models on PyTorch, on CPUs and GPUs, in one process or many.

Read layers.py, seq2seq.py and transformer.py, which mirror `doldari.layers` and `doldari.models`; learner.py takes
the training step; processes.py is all that knows of devices and ranks.
"""
