"""The dashboard in Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.admin import AdministeredService, showing
from tests.support.supervisor import PROGRAM, SupervisedService, ends

if TYPE_CHECKING:
    pass

FAILING = (
    PROGRAM
    + """

class Fail(web.RequestHandler):
    def get(self):
        raise ValueError("the price is negative")


application.add_handlers(".*", [("/fail", Fail)])
"""
)


def fail(service: SupervisedService) -> None:
    with contextlib.closing(service.connect()) as connection:
        connection.request("GET", "/fail")
        assert connection.getresponse().status == 500


def serving_workers(service: AdministeredService) -> list[int]:
    found = service.json("/api/status")["workers"]
    return [worker["pid"] for worker in found if worker["state"] == "serving"]


def test_hung_request_is_visible_with_its_stack_within_two_seconds(browser, tmp_path):
    with AdministeredService(tmp_path, "--workers=2", "--grace=100ms") as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#workers tr:nth-child(2)")
            with service.sending("/wait?seconds=60", "waiting"):
                item = page.locator("#requests details", has_text="/wait?seconds=60")
                item.wait_for(timeout=2000)
                assert "app.py:" in item.locator(".place").inner_text()
                item.locator("summary").click()
                stack = item.locator("pre").inner_text()
                assert "in Wait.get: await asyncio.sleep(" in stack
                assert "route /wait" in item.locator("summary").inner_text()
        service.stop()


def test_blocked_event_loop_is_visible_with_the_stack_of_its_thread(browser, tmp_path):
    with AdministeredService(tmp_path, "--grace=100ms") as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#workers tr")
            with service.sending("/block?seconds=60", "blocking"):
                item = page.locator("#requests details", has_text="/block?seconds=60")
                item.wait_for(timeout=2000)
                assert "in Block.get: time.sleep(" in item.locator("pre").text_content()
                page.wait_for_selector("#workers .badge.bad >> text=/^blocked /")
                page.wait_for_selector("text=The event loop of worker 0 is blocked.")
        service.stop()


def test_history_tables_and_errors_are_shown(browser, tmp_path):
    with AdministeredService(tmp_path, source=FAILING) as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#state.good")
            for _ in range(20):
                service.get()
            fail(service)
            page.wait_for_selector("#routes tr:nth-child(2)")
            routes = page.locator("#routes th code").all_inner_texts()
            assert sorted(routes) == ["/", "/fail"]
            error = page.locator("#errors details")
            error.wait_for()
            error.locator("summary").click()
            error.locator("pre", has_text="the price is negative").wait_for()
            error.get_by_role("button", name="Show log").click()
            page.wait_for_selector("#log-records .record.error")
            assert "Uncaught exception GET /fail" in page.locator("#log-records").inner_text()
            page.keyboard.press("Escape")
            assert page.locator("#log").is_hidden()
            chart = page.get_by_role("img", name=re.compile("^Requests per second"))
            chart.focus()
            page.keyboard.press("ArrowLeft")
            assert " at " in chart.get_attribute("aria-label")
            page.get_by_role("button", name="1 min").click()
            assert page.locator(".start").first.inner_text() == "−1 min"
            assert page.title() == "0/s · app" or "/s · app" in page.title()
        assert service.stop() == 0


def test_action_is_confirmed_and_requested(browser, tmp_path):
    with AdministeredService(tmp_path) as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#workers tr")
            (first,) = serving_workers(service)
            page.get_by_role("button", name="Restart worker 0").click()
            assert page.locator("#confirm-title").inner_text() == "Restart worker 0?"
            page.keyboard.press("Escape")
            assert page.locator("#confirm").is_hidden()
            assert serving_workers(service) == [first]
            page.get_by_role("button", name="Restart worker 0").click()
            page.locator("#confirm-ok").click()
            page.wait_for_selector("text=Requested: restart of worker 0.")
            service.wait_for("serves")
            assert ends(first)
            page.get_by_role("button", name="Scale").click()
            page.locator("#confirm input").fill("2")
            page.locator("#confirm-ok").click()
            page.wait_for_selector("#workers tr:nth-child(2)")
            page.get_by_role("button", name="Reload").click()
            page.locator("#confirm-ok").click()
            service.wait_for("reload complete: 2 workers replaced")
            page.get_by_role("button", name="Drain").click()
            page.locator("#confirm-ok").click()
            service.wait_for("draining")
            assert service.end() == 0
            page.wait_for_selector("text=No connection to the service")
            assert page.locator("#state").inner_text() == "disconnected"


def test_failed_reload_is_announced(browser, tmp_path):
    with AdministeredService(tmp_path) as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#workers tr")
            service.change("raise RuntimeError('this deploy is bad')\n")
            service.act("reload")
            page.wait_for_selector("#notices >> text=its import has failed")
            assert page.locator("#notices").get_attribute("aria-live") == "polite"
        assert service.stop() == 0


def test_page_reconnects_to_a_restarted_administration_without_a_reload(browser, tmp_path):
    with AdministeredService(tmp_path) as service:
        with showing(browser, service.admin) as page:
            page.wait_for_selector("#workers tr")
            page.evaluate("window.kept = true")
            known = {worker["pid"] for worker in service.json("/api/status")["workers"]}
            children = f"/proc/{service.process.pid}/task/{service.process.pid}/children"
            with open(children, encoding="ascii") as file:
                (admin,) = set(map(int, file.read().split())) - known
            os.kill(admin, signal.SIGKILL)
            page.wait_for_selector("#state.bad")
            page.wait_for_selector("#state.good")
            service.get()
            page.wait_for_selector("#routes tr")
            assert page.evaluate("window.kept")
            assert page.locator("#notices p").count() == 0
        assert service.stop() == 0


def test_token_is_asked_for_once(browser, tmp_path):
    options = ("--admin-token=0123456789abcdef",)
    with AdministeredService(tmp_path, *options) as service:
        with showing(browser, service.admin) as page:
            assert page.url.endswith("/login")
            page.get_by_label("Token").fill("wrong")
            page.get_by_role("button", name="Log in").click()
            page.wait_for_selector("text=The token is wrong")
            page.get_by_label("Token").fill("0123456789abcdef")
            page.keyboard.press("Enter")
            page.wait_for_selector("#workers tr")
            page.get_by_role("button", name="Reload").click()
            page.locator("#confirm-ok").click()
            service.wait_for("reload complete")
            page.get_by_role("button", name="Log out").click()
            page.get_by_label("Token").wait_for()
            page.goto(f"http://127.0.0.1:{service.admin}/")
            assert page.url.endswith("/login")
        assert service.stop() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_the_screen_and_has_enough_contrast(browser, tmp_path, scheme, width):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with AdministeredService(tmp_path, source=FAILING) as service:
        fail(service)
        service.get()
        with showing(browser, service.admin, **options) as page:
            page.wait_for_selector("#errors details")
            page.locator("#errors summary").click()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            low = json.loads(page.evaluate(CONTRAST))
            assert low == []
        assert service.stop() == 0


#: Returns the texts whose contrast with their background is below 4.5 (WCAG 2.2, criterion 1.4.3).
CONTRAST = """
() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility() || node.disabled) continue;
    const [a, b] = [luminance(getComputedStyle(node).color), luminance(background(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return JSON.stringify(low);
}
"""
