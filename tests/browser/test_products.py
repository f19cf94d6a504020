"""Provisioning as people do it: develop a device, upload a batch, print labels, scan one."""

import re
import subprocess
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.live_server import LiveServer
from tests.needed import needed_program

from thingtank.web.workbench.qr_codes import QR_BORDER, QR_ERROR, QR_MASK


def open_page(open_browser: OpenBrowser, signed_in: dict[str, object]) -> Page:
    return open_browser(storage_state=signed_in)


def submit(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def add_product(page: Page, server: LiveServer, name: str, channels: str = "") -> str:
    """Add a product in the workbench; the address of its page."""
    page.goto(f"{server.url}/products/")
    page.get_by_role("link", name="Add product").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Product name").fill(name)
    dialog.get_by_label("Channels").fill(channels)
    submit(page, "Add product")
    page.wait_for_url(re.compile(r"/products/[\w-]{20}/"))
    return page.url.split("?")[0]


def add_serials(page: Page, product_url: str, text: str) -> None:
    page.goto(product_url)
    page.get_by_role("link", name="Add serials").first.click()
    page.get_by_role("dialog").get_by_label("Serial numbers").fill(text)
    submit(page, "Add serials")


def code_of(page: Page, product_url: str, serial: str) -> str:
    page.goto(f"{product_url}serial-{serial}/")
    code = "".join(page.locator("#activation-code").inner_text().split())
    assert re.fullmatch("[0-9a-f]{40}", code)
    return code


def put_value(server: LiveServer, feed_id: str, key: str, value: str) -> int:
    body = {"datastreams": [{"id": "temperature", "current_value": value}]}
    reply = requests.put(
        f"{server.url}/v2/feeds/{feed_id}.json",
        json=body,
        headers={"X-ApiKey": key},
        timeout=20,
    )
    return reply.status_code


def test_a_device_is_developed_deactivated_and_activated_again_by_a_stranger(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_page(open_browser, signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Add Device").first.click()
    page.get_by_role("dialog").get_by_label("Device name").fill("Weather Station")
    submit(page, "Add Device")
    page.wait_for_url(re.compile(r"/feeds/\d+"))
    feed_url = page.url.split("?")[0]
    facts = page.locator("#provision")
    for name in ("Product ID", "Product Secret", "Serial Number", "Activation Code"):
        expect(facts.get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator(".device-head .badges")).to_contain_text("Activated")
    assert re.fullmatch("[A-Z0-9]{12}", page.locator("#serial").inner_text())
    expect(page.locator("#product-secret")).to_contain_text("•")
    page.get_by_role("button", name="Show product secret").click()
    expect(page.locator("#product-secret")).to_have_text(re.compile(r"^[0-9a-f]{40}$"))
    code = page.locator("#activation-code").inner_text()
    page.get_by_role("button", name=re.compile("^Show key Auto-generated")).click()
    expect(page.locator("#keys code").first).not_to_contain_text("•")
    old_key = page.locator("#keys code").first.inner_text()
    feed_id = feed_url.rsplit("/", 1)[1]
    assert put_value(server, feed_id, old_key, "1") == 200

    page.get_by_role("link", name="Deactivate").click()
    submit(page, "Deactivate")
    expect(page.locator(".device-head .badges")).to_contain_text("Deactivated")
    expect(page.locator("#notices")).to_contain_text("Its keys are dead")
    assert put_value(server, feed_id, old_key, "2") == 401

    stranger = open_browser(390, 844)
    stranger.goto(f"{server.url}/activate/{code}")
    expect(stranger.get_by_role("heading", name="Activate this device?")).to_be_visible()
    expect(stranger.get_by_text("Weather Station", exact=True)).to_be_visible()
    stranger.get_by_role("button", name="Activate").click()
    expect(stranger.get_by_role("heading", name="Activated")).to_be_visible()
    new_key = stranger.locator("#api-key").inner_text()
    new_feed_id = stranger.locator("#feed-id").inner_text()
    assert new_key != old_key
    assert new_feed_id != feed_id
    line = stranger.locator("#curl-line").inner_text()
    shell = ["sh", "-c", f"{line} -s -o /dev/null -w '%{{http_code}}'"]
    assert subprocess.run(shell, capture_output=True, text=True, timeout=20, check=True).stdout == "200"  # fmt: skip

    stranger.goto(f"{server.url}/activate/{code}")
    expect(stranger.get_by_role("heading", name="Already activated")).to_be_visible()
    assert new_key not in stranger.content()
    assert f"/feeds/{new_feed_id}" not in stranger.content()

    page.goto(feed_url)
    expect(page.locator("#provision")).to_contain_text(f"now writes to feed {new_feed_id}")
    page.get_by_role("link", name=f"feed {new_feed_id}").click()
    expect(page.locator(".device-head .badges")).to_contain_text("Activated")


def test_a_stranger_with_a_wrong_code_learns_nothing(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser(390, 844)
    page.goto(f"{server.url}/activate/")
    page.get_by_label("Activation code").fill("ABCD efgh")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile("/activate/abcdefgh$"))
    expect(page.get_by_role("heading", name="No device has this code")).to_be_visible()
    for path in ("/products/", "/keys/", f"/products/{'x' * 20}/", f"/products/{'x' * 20}/deploy"):
        page.goto(server.url + path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_batch_with_one_bad_row_is_refused_whole_and_the_row_is_named(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], tmp_path: Path
) -> None:
    page = open_page(open_browser, signed_in)
    product = add_product(page, server, "Batch", "temperature, °C, Celsius")
    add_serials(page, product, "A-1\nA-2\nA 3\nA-4")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".field__error")).to_contain_text('Row 3: serial "A 3"')
    dialog.get_by_role("link", name="Cancel").click()
    page.reload()
    expect(page.get_by_text("No serials yet")).to_be_visible()  # all or none

    listing = tmp_path / "batch.csv"
    listing.write_text("no,serial\n1,A-1\n2,A-2\n3,A-3\n")
    page.get_by_role("link", name="Add serials").first.click()
    dialog.get_by_label("CSV or text file").set_input_files(listing)
    submit(page, "Add serials")
    expect(page.locator("#product-devices li")).to_have_count(3)
    expect(page.locator("#product-count")).to_contain_text("0 of 3 devices")
    add_serials(page, product, "A-4\nA-2")
    expect(dialog.locator(".field__error")).to_contain_text('Row 2: serial "A-2" has already been')


def test_a_long_list_that_was_pasted_arrives_and_can_be_searched(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_page(open_browser, signed_in)
    add_product(page, server, "Long list")
    page.get_by_role("link", name="Add serials").first.click()
    # More than Django takes of one field, so it travels as a file. By script, because typing that
    # much takes the browser longer than sending it.
    page.get_by_role("dialog").get_by_label("Serial numbers").evaluate(
        """(area) => {
          const serial = (_, n) => `SENSOR-WITH-A-LONG-SERIAL-${String(n).padStart(6, "0")}`;
          area.value = Array.from({ length: 35000 }, serial).join("\\n");
        }"""
    )
    submit(page, "Add serials")
    expect(page.locator("#product-count")).to_contain_text("0 of 35,000 devices")
    expect(page.get_by_text("Page 1 of 700")).to_be_visible()
    page.get_by_label("Search serial numbers").fill("034999")
    page.keyboard.press("Enter")
    expect(page.locator("#product-devices li")).to_have_count(1)
    page.get_by_role("link", name="Activated").click()
    expect(page.get_by_text("No device matches")).to_be_visible()


def test_a_serial_is_changed_and_deleted_and_a_product_edited_and_deleted(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_page(open_browser, signed_in)
    product = add_product(page, server, "Rename me")
    add_serials(page, product, "B-1\nB-2")
    expect(page.locator("#product-devices li")).to_have_count(2)
    code = code_of(page, product, "B-1")
    page.get_by_role("link", name="Change serial").click()
    page.get_by_role("dialog").get_by_label("Serial number").fill("B-2")
    submit(page, "Save serial")
    expect(page.get_by_role("dialog")).to_contain_text("has already been taken")
    page.get_by_role("dialog").get_by_label("Serial number").fill("C-1")
    submit(page, "Save serial")
    expect(page.get_by_role("heading", name="C-1")).to_be_visible()
    assert "".join(page.locator("#activation-code").inner_text().split()) != code
    page.get_by_role("link", name="Delete this serial").click()
    submit(page, "Delete serial")
    expect(page.locator("#product-devices li")).to_have_count(1)

    page.get_by_role("link", name="Edit product").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Channels").fill("t, °C\nbad name")
    submit(page, "Save product")
    expect(dialog.locator(".field--wrong")).to_contain_text("Channels")
    dialog.get_by_label("Channels").fill('t, °C\nlevel, "m,e", metres')
    submit(page, "Save product")
    expect(page.locator("#template")).to_contain_text("m,e metres")
    page.get_by_role("link", name="Delete this product").click()
    dialog.get_by_label("Name").fill("Rename me")
    submit(page, "Delete product")
    page.wait_for_url(re.compile(r"/products/(\?done=.*)?$"))
    expect(page.get_by_role("link", name="Rename me")).to_have_count(0)


def test_a_developed_device_becomes_the_template_of_many(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.get_by_role("link", name="Add Device").first.click()
    page.get_by_role("dialog").get_by_label("Device name").fill("Prototype")
    submit(page, "Add Device")
    page.wait_for_url(re.compile(r"/feeds/\d+"))
    page.get_by_role("link", name="Add channel").click()
    page.get_by_role("dialog").get_by_label("Channel name").fill("pressure")
    page.get_by_role("dialog").get_by_label("Unit symbol").fill("hPa")
    submit(page, "Add channel")
    expect(page.locator('[data-key="pressure"]')).to_be_visible()
    page.get_by_role("link", name="Deploy").click()
    page.get_by_role("link", name="Take over its channels").click()
    expect(page.get_by_label("Channels")).to_have_value("pressure, hPa")
    page.get_by_role("button", name="Save product").click()
    expect(page.locator("#template")).to_contain_text("pressure")
    expect(page.get_by_text("In development")).to_be_visible()
    add_serials(page, page.url.split("?")[0], "P-2")
    expect(page.get_by_text("Deployed", exact=True)).to_be_visible()
    code = code_of(page, page.url.split("?")[0], "P-2")
    assert new_server.command("product", "activate", code)["channels"] == ["pressure"]


def test_a_device_that_has_no_product_says_so_and_goes_on(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    made = new_server.command("device", "create", "By the command line")
    page.goto(f"{new_server.url}/feeds/{made['feed_id']}")
    expect(page.locator("#provision")).to_contain_text("no serial number and no activation code")
    expect(page.get_by_role("link", name="Deactivate")).to_have_count(0)
    assert put_value(new_server, str(made["feed_id"]), str(made["api_key"]), "3") == 200


def codes_of(picture: Path) -> list[str]:
    """The texts of all QR codes in a picture, as zbar reads them."""
    command = [
        needed_program("zbarimg"),
        "--quiet",
        "--raw",
        "-Sdisable",
        "-Sqrcode.enable",
        str(picture),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.split()


def test_the_printed_sheet_has_a_code_for_each_device_that_opens_its_activation_page(
    server: LiveServer,
    chromium: Browser,
    open_browser: OpenBrowser,
    signed_in: dict[str, object],
    tmp_path: Path,
) -> None:
    page = open_page(open_browser, signed_in)
    product = add_product(page, server, "Printed")
    serials = [f"D-{n:02}" for n in range(8)]
    add_serials(page, product, "\n".join(serials))
    expect(page.locator("#product-devices li")).to_have_count(8)
    urls = [f"{server.url}/activate/{code_of(page, product, serial)}" for serial in serials]
    page.goto(f"{product}deploy?size=6")
    expect(page.get_by_role("img", name=re.compile("QR code of"))).to_have_count(8)
    paths = [label.locator("path").get_attribute("d") for label in page.locator(".label__qr").all()]
    assert paths == [drawn(url) for url in urls]
    page.get_by_label("Labels per page").select_option("24")
    expect(page.locator(".paper")).to_have_count(1)
    page.get_by_label("As text").select_option("none")
    expect(page.locator(".label__text")).to_have_count(0)

    page.goto(f"{product}deploy?size=6&text=both")
    pdf = tmp_path / "sheet.pdf"
    page.pdf(path=pdf, prefer_css_page_size=True)
    command = [needed_program("pdftoppm"), "-r", "200", "-png", str(pdf), str(tmp_path / "page")]
    subprocess.run(command, timeout=60, check=True, capture_output=True)
    pictures = sorted(tmp_path.glob("page*.png"))
    assert len(pictures) == 2  # six and two: nothing spills over
    found = [code for picture in pictures for code in codes_of(picture)]
    assert sorted(found) == sorted(urls)


def drawn(text: str) -> str:
    """The path that draws a text as QR code."""
    import segno

    code = segno.make(text, error=QR_ERROR, micro=False, mask=QR_MASK)
    found = re.search(r'd="([^"]+)"', code.svg_inline(border=QR_BORDER))
    assert found
    return found[1]


def test_activation_works_without_scripts(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(java_script_enabled=False, storage_state=signed_in)
    page.goto(f"{server.url}/products/add")
    page.get_by_label("Product name").fill("Plain")
    page.get_by_role("button", name="Add product").click()
    product = page.url.split("?")[0]
    page.get_by_role("link", name="Add serials").first.click()
    page.get_by_label("Serial numbers").fill("E-1")
    page.get_by_role("button", name="Add serials").click()
    code = code_of(page, product, "E-1")
    stranger = open_browser(java_script_enabled=False)
    stranger.goto(f"{server.url}/activate/{code}")
    stranger.get_by_role("button", name="Activate").click()
    expect(stranger.locator("#api-key")).to_have_text(re.compile(r"^[\w-]{48}$"))
    screenshot(stranger, "activated-without-scripts")
