"""Named, seeded benchmarks: `python -m benchmarks NAME --json`."""
