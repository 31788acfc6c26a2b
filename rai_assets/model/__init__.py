"""Models: training, ONNX export and parity, scoring, versions."""
