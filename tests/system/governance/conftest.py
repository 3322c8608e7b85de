"""One Airflow for all tests of this folder, and a mail server that keeps what it is sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.governance import site as sites
from tests.system.governance.mail import MailServer
from tests.system.governance.site import Site


@pytest.fixture(scope="package")
def mail() -> Iterator[MailServer]:
    """A mail server on the loopback interface."""
    with MailServer() as server:
        yield server


@pytest.fixture(scope="package")
def site(mail: MailServer) -> Iterator[Site]:
    """The running Airflow with the small models."""
    with sites.running(mail.port) as made:
        yield made
