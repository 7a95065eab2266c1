"""The benchmark suite: ``python bench/run.py``."""
