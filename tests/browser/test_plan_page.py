"""The page of a plan as a person uses it: in a real browser, with keys and eyes."""

from pathlib import Path

import pytest
from webdriver import Browser, Json

NAMES = ["three", "flannel", "dual", "twenty", "refused", "thousand"]
SCHEMES = ["light", "dark"]

# Milliseconds that an action takes until the page is laid out again and painted.
TIMED = """
const [code, done] = [arguments[0], arguments[arguments.length - 1]];
const start = performance.now();
new Function(code)();
document.body.offsetHeight;
const laidOut = performance.now() - start;
requestAnimationFrame(() => setTimeout(() => done([laidOut, performance.now() - start]), 0));
"""
SEARCH = """
const input = document.getElementById('nodes-search');
input.value = %r;
input.dispatchEvent(new Event('input', {bubbles: true}));
"""
SHOWN = """
return Array.from(document.querySelectorAll('#nodes-table tbody tr'))
  .filter((row) => row.offsetHeight > 0).map((row) => row.dataset.host);
"""
# Every text that is too faint for its ground: WCAG 2.2, 1.4.3, 4.5 to 1.
FAINT = """
const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = ([r, g, b]) =>
  0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
const opaque = (color) => color.length < 4 || color[3] > 0.99;
const ground = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const color = parse(getComputedStyle(one).backgroundColor);
    if (opaque(color)) return color;
  }
  return [255, 255, 255];
};
const svgGround = (text) => {
  const box = text.getBoundingClientRect();
  const x = box.left + box.width / 2;
  const y = box.top + box.height / 2;
  const under = Array.from(text.ownerSVGElement.querySelectorAll('rect, circle')).filter((shape) => {
    const place = shape.getBoundingClientRect();
    const before = shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING;
    return before && place.left <= x && x <= place.right && place.top <= y && y <= place.bottom
      && getComputedStyle(shape).fill !== 'none';
  });
  return under.length ? parse(getComputedStyle(under[under.length - 1]).fill) : ground(text.ownerSVGElement);
};
const found = [];
const check = (element, color, under) => {
  const [high, low] = [light(color), light(under)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) found.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
};
for (const element of document.querySelectorAll('body *')) {
  const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  if (element.tagName === 'text') check(element, parse(style.fill), svgGround(element));
  else if (!element.closest('svg')) check(element, parse(style.color), ground(element));
}
return found;
"""


def open_page(window: Browser, pages: dict[str, Path], name: str) -> None:
    window.open(pages[name])
    window.run("window.scrollTo(0, 0)")


def timed(window: Browser, code: str) -> tuple[float, float]:
    """Return the milliseconds until the page is laid out, and until it is painted, after the code ran."""
    laid_out, painted = window.call("POST", "/execute/async", {"script": TIMED, "args": [code]})
    return float(laid_out), float(painted)


def search(window: Browser, words: str) -> list[str]:
    window.run(SEARCH % words)
    shown: list[str] = window.run(SHOWN)
    return shown


def focused(window: Browser) -> Json:
    """Return what has the focus, as (tag, id, text)."""
    return window.run(
        "const e = document.activeElement; return [e.tagName.toLowerCase(), e.id, "
        "e.textContent.trim().slice(0, 30)]"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_without_a_message_or_a_request(
    window: Browser, pages: dict[str, Path], name: str
) -> None:
    open_page(window, pages, name)
    assert window.console() == []
    assert window.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_stands_out_from_its_ground(
    window: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    window.prefer(scheme)
    open_page(window, pages, name)
    assert window.run(FAINT) == []


def test_a_text_that_does_not_stand_out_is_found(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "three")
    window.run("document.querySelector('.lead').style.color = '#999999'")
    window.run("document.querySelector('.cell .name').style.fill = '#4477cc'")
    found = [text.partition(": ")[0] for text in window.run(FAINT)]
    assert found == ["kubenet in mode host-routes", "node-0"]


def test_dark_is_dark_and_light_is_light(window: Browser, pages: dict[str, Path]) -> None:
    grounds = []
    for scheme in SCHEMES:
        window.prefer(scheme)
        open_page(window, pages, "three")
        grounds.append(window.run("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(16, 21, 29)"]


def test_a_narrow_window_is_not_scrolled_sideways(window: Browser, pages: dict[str, Path]) -> None:
    window.size(390, 800)
    open_page(window, pages, "dual")
    assert window.run("return document.documentElement.scrollWidth") == 390


def test_words_of_any_column_find_nodes(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "twenty")
    assert len(search(window, "")) == 20
    assert search(window, "control") == ["node-0"]
    assert search(window, "NODE-1 198.18.0.12") == ["node-11"]
    assert search(window, "198.18.0.1") == ["node-0", *(f"node-{i}" for i in range(9, 19))]
    assert window.run("return document.getElementById('nodes-found').textContent") == "11 of 20"
    assert search(window, "nothing like this") == []
    assert window.run("return document.getElementById('nodes-none').hidden") is False


def test_the_address_of_a_pod_finds_its_node(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "dual")
    assert search(window, "10.200.3.77") == ["node-3"]
    assert search(window, "2001:db8:200:4::abcd") == ["node-4"]
    assert search(window, "2001:db8:200:9::1") == []
    assert search(window, "10.200.3.777") == []


def test_columns_sort_by_number_both_ways(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "twenty")
    first_to_last = [f"node-{i}" for i in range(20)]
    assert window.run(SHOWN) == first_to_last
    press = "document.querySelectorAll('#nodes-table th button')[%d].click()"
    window.run(press % 0)
    assert window.run(SHOWN) == first_to_last[::-1]
    window.run(press % 2)
    assert window.run(SHOWN) == first_to_last
    assert window.run(
        "return Array.from(document.querySelectorAll('#nodes-table thead th'), (th) => "
        "th.getAttribute('aria-sort'))"
    ) == ["none", "none", "ascending", "none", "none", "none"]
    # By their networks: these were given out in the order of the names as text.
    window.run(press % 3)
    assert window.run(SHOWN)[:4] == ["node-0", "node-1", "node-10", "node-11"]
    assert search(window, "node-1 ")[0] == "node-1"


def test_keys_lead_from_the_top_to_the_search(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "three")
    window.press("Tab")
    assert focused(window)[2] == "Skip to the search for nodes"
    window.press("Enter")
    window.press(*"node-2")
    assert focused(window)[:2] == ["input", "nodes-search"]
    assert window.run(SHOWN) == ["node-2"]
    window.press("Escape")
    assert len(window.run(SHOWN)) == 3
    window.run("document.activeElement.blur()")
    window.press("/")
    assert focused(window)[:2] == ["input", "nodes-search"]
    assert window.run("return document.activeElement.value") == ""


def test_the_tab_key_stops_once_at_each_control(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "thousand")
    stops = []
    for _ in range(40):
        window.press("Tab")
        tag, name, text = focused(window)
        stops.append(name or text or tag)
        if stops[-1] == "Most pods":
            break
    assert stops[-1] == "Most pods", stops
    assert stops.index("nodes-search") > 10
    assert {"Changes1", "Nodes1,000"} <= {stop.replace(" ", "") for stop in stops}
    assert len(stops) < 30


def test_arrow_keys_go_through_a_map_and_enter_leads_to_the_node(
    window: Browser, pages: dict[str, Path]
) -> None:
    open_page(window, pages, "three")
    window.run("document.querySelector('.cells .cell').focus()")
    readout = "return document.querySelector('.figures .readout').textContent"
    assert window.run(readout) == "10.200.0.0/24: pods of node-0, at 198.18.0.1"
    window.press("ArrowRight")
    assert window.run(readout) == "10.200.1.0/24: pods of node-1, at 198.18.0.2"
    window.press("ArrowDown")
    window.press("End")
    assert window.run(readout) == "10.200.7.0/24: kept for gone, which left"
    window.run("document.querySelector('.cells .cell').focus()")
    window.press("ArrowRight", "Enter")
    assert window.run("return [document.activeElement.dataset.host, document.activeElement.className]") == [
        "node-1",
        "hit",
    ]


def test_a_block_of_a_thousand_leads_to_a_row_that_was_not_shown(
    window: Browser, pages: dict[str, Path]
) -> None:
    open_page(window, pages, "thousand")
    search(window, "node-5")
    window.run(
        "document.querySelector('.cell[data-host=node-900]').dispatchEvent(new MouseEvent('click', "
        "{bubbles: true}))"
    )
    assert window.run("return document.activeElement.dataset.host") == "node-900"
    assert window.run(
        "const box = document.activeElement.getBoundingClientRect(); return box.top > 0 && box.bottom < "
        "innerHeight"
    )


def test_pictures_and_controls_have_names(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "dual")
    nodes = window.devtools("Accessibility.getFullAXTree")["nodes"]
    shown = [node for node in nodes if not node.get("ignored")]
    roles = {"button", "link", "searchbox", "listbox", "option", "table", "region", "navigation", "search"}
    nameless = [
        node["role"]["value"]
        for node in shown
        if node["role"]["value"] in roles - {"search", "table"} and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    assert roles <= {node["role"]["value"] for node in shown}


def test_a_thousand_nodes_answer_at_once(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "thousand")
    loaded = window.run("const [one] = performance.getEntriesByType('navigation'); return one.domComplete")
    assert loaded < 3000
    assert len(window.run(SHOWN)) == 200
    for words in ("node-77", "10.131.200.9", "", "n", "no such node", ""):
        laid_out, painted = timed(window, SEARCH % words)
        assert laid_out < 200, words
        assert painted < 400, words
    laid_out, _ = timed(window, "document.querySelectorAll('#nodes-table th button')[2].click()")
    assert laid_out < 500
    laid_out, _ = timed(window, "document.getElementById('nodes-more').click()")
    assert laid_out < 500
    assert len(window.run(SHOWN)) == 1000


def test_on_paper_every_node_is_there_and_no_control(window: Browser, pages: dict[str, Path]) -> None:
    open_page(window, pages, "thousand")
    window.prefer("light", "print")
    assert len(window.run(SHOWN)) == 1000
    hidden = "return ['nav', '.search', '#nodes-more'].map((s) => document.querySelector(s).offsetHeight)"
    assert window.run(hidden) == [0, 0, 0]


def test_without_scripts_everything_is_readable(window: Browser, pages: dict[str, Path]) -> None:
    window.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        open_page(window, pages, "thousand")
        assert len(window.run(SHOWN)) == 1000
        assert window.run("return document.querySelector('.search').offsetHeight") == 0
    finally:
        window.devtools("Emulation.setScriptExecutionDisabled", value=False)
