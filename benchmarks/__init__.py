"""Ratios against a baseline measured in the same run: `make bench`, or one alone: `python -m benchmarks NAME`."""
