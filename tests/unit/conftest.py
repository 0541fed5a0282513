"""How the tests with made-up examples run, and the API server that some tests talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_objects_server import FakeApi, certificates
from hypothesis import settings

# Programs may be built beside the tests, so that how long an example took says nothing about the code.
settings.register_profile("flatnet", deadline=None)
settings.load_profile("flatnet")


@pytest.fixture(name="api_pki", scope="session")
def issue_certificates_of_the_api(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory with the certificates of the small API server and of its client."""
    directory = tmp_path_factory.mktemp("objects") / "pki"
    certificates(directory)
    return directory


@pytest.fixture(name="api")
def serve_api(api_pki: Path) -> Iterator[FakeApi]:
    """Yield a small API server, with nothing in it, that runs until the test ends."""
    fake = FakeApi(api_pki)
    yield fake
    fake.close()
