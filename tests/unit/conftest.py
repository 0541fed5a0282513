"""How the tests with made-up examples run."""

from hypothesis import settings

# Programs may be built beside the tests, so that how long an example took says nothing about the code.
settings.register_profile("flatnet", deadline=None)
settings.load_profile("flatnet")
