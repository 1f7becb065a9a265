"""One running product for all journey tests: `sealane up` on the sandbox, twenty times as fast as believable."""

from collections.abc import Iterator

import pytest
from product import Product, product


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product that all journey tests share."""
    with product(tmp_path_factory.mktemp("data")) as found:
        yield found
