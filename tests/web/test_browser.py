"""The pages as a person sees them: in a real browser, inside the real Airflow."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tests.web.conftest import Site

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
]

NAV = "/plugin/mlops_models"
Login = Callable[..., Page]


@dataclass
class Console:
    """What the browser complained about on our own pages."""

    lines: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._add(message.text))
        page.on("pageerror", lambda error: self.lines.append(str(error)))

    def _add(self, text: str) -> None:
        if "Content Security Policy" in text or "Refused" in text:
            self.lines.append(text)


@pytest.fixture
def login(pages_site: Site, browser: Browser) -> Iterator[Login]:
    """Log somebody in, on Airflow's own page; gives a page 1280 wide, on Airflow's home."""
    contexts = []

    def make(user: str, path: str = "/") -> Page:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, base_url=pages_site.platform.url
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        type_in(page, user)
        return page

    yield make
    for context in contexts:
        context.close()


def type_in(page: Page, user: str) -> None:
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", user)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/login" not in url)


def frame_of(page: Page, path: str) -> Frame:
    """Our page inside Airflow's, once it shows ``path``."""
    handle = page.wait_for_selector("iframe")
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    frame.wait_for_url(f"**{path}")
    return frame


def is_narrow(frame: Frame) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(
        frame.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
    )


def test_from_the_navigation_to_a_report_and_back(login: Login) -> None:
    page, console = login("bea"), Console()
    console.watch(page)
    page.get_by_role("link", name="Models").click()
    frame = frame_of(page, "/mlops/")
    expect(frame.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    assert is_narrow(frame)

    frame.get_by_role("link", name="flight_delay", exact=True).click()
    frame.wait_for_url("**/mlops/models/flight_delay")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("30 minutes late")
    assert is_narrow(frame)
    # Airflow keeps the place in its own address, so that it can be sent to somebody.
    page.wait_for_url(f"**{NAV}/mlops/models/flight_delay")

    frame.get_by_role("link", name="Validation report").first.click()
    frame.wait_for_url("**/mlops/reports/*")
    expect(frame.get_by_role("heading", level=1)).to_have_text(
        re.compile("Validation of flight_delay v3")
    )
    assert frame.locator("body").inner_text() != "a script ran"
    assert "a script ran" in frame.content(), "the report holds one, in vain"

    console.lines.clear()
    # As the browser's button does; Playwright's go_back waits for a load of the outer page.
    page.evaluate("history.back()")
    frame = frame_of(page, "/mlops/models/flight_delay")
    expect(frame.get_by_role("heading", name="Versions")).to_be_visible()
    assert console.lines == []


def test_a_page_can_be_opened_at_its_address(login: Login) -> None:
    page = login("bea", f"{NAV}/mlops/models/churn_b2b")
    frame = frame_of(page, "/mlops/models/churn_b2b")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("business customer")


def test_a_link_to_a_dag_moves_airflow_and_not_the_frame(login: Login) -> None:
    page = login("bea", f"{NAV}/mlops/models/flight_delay")
    frame = frame_of(page, "/mlops/models/flight_delay")
    frame.get_by_role("link", name="Required Actions of flight_delay_release").click()
    page.wait_for_url("**/dags/flight_delay_release/required_actions")
    expect(page.get_by_role("heading", name="flight_delay_release")).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)


def test_a_dag_shows_its_model(login: Login) -> None:
    page = login("bea", "/dags/flight_delay_score")
    page.get_by_role("link", name="Model", exact=True).click()
    frame = frame_of(page, "/mlops/models/flight_delay")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("30 minutes late")
    assert is_narrow(frame)


def test_details_open_without_a_script(login: Login) -> None:
    page = login("bea", f"{NAV}/mlops/models/flight_delay")
    frame = frame_of(page, "/mlops/models/flight_delay")
    frame.get_by_text("4 of 4 gates passed").first.click()
    expect(frame.get_by_text("AUC by origin 0.7820, ≥ 0.7").first).to_be_visible()


def test_whoever_is_not_logged_in_is_led_there_and_back(pages_site: Site, browser: Browser) -> None:
    context = browser.new_context(base_url=pages_site.platform.url)
    page = context.new_page()
    answer = page.goto("/mlops/models/flight_delay?all=true")
    assert answer is not None
    assert answer.status == 401
    page.get_by_role("link", name="Log in").click()
    type_in(page, "bea")
    page.wait_for_url("**/mlops/models/flight_delay?all=true")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    context.close()


def test_narrow_windows_need_no_scrolling_either(login: Login) -> None:
    page = login("bea")
    for width in (1280, 1000, 800, 420):
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("/mlops/", "/mlops/models/flight_delay", "/mlops/models/churn_b2b"):
            page.goto(path)
            assert is_narrow(page.main_frame), (width, path)
