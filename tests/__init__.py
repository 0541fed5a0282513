"""What develops and tests flatnet: no part of the package, run from the checkout by `python -m tests.…`."""
