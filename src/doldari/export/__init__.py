"""Models handed over: a page that answers by itself in a browser (html.py), and an ONNX file (onnx/).

Both hold the weights, the vocabularies and the settings, and need nothing of doldari; both are checked against its
answers before they are written.
"""
