"""The parts of ``bench_memit.py``."""
