"""An X server for the tests of the screen."""

from collections.abc import Iterator

import pytest
from media.screen.xserver import Client, XServer, x_server


@pytest.fixture(scope="module")
def shared() -> Iterator[XServer]:
    with x_server() as server:
        yield server


@pytest.fixture
def client(shared: XServer) -> Iterator[Client]:
    """A clean desktop of 1280 x 720; the windows of a test go with its client."""
    with Client(shared) as client:
        client.paint_desktop(0, 0, 0, 0)
        yield client
