"""An ONNX model of a model of doldari's: graph.py writes graphs, layers.py the layers, model.py the whole.

runtime.py asks it in onnxruntime.
"""
