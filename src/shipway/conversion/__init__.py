"""A trained model becomes a portable, proven one: an ONNX file with a parity report.

``graph`` writes a loaded model down as ONNX, part by part (``dispatch`` knows the converters);
``proof`` compares it with its original on rows made to find differences; ``apart`` does both in
a process of its own, and ``beside`` keeps the file and its report together on disk.
"""
