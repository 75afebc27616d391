/* Where the reader is: one row of the list (or a part next to it) held at its distance from the toolbar. */
const readersPlace = (() => {
  const tools = /** @type {HTMLElement} */ (document.getElementById("tools"));
  /* Of the row that is read more than this can be seen, also where a row became much shorter. */
  const LEAST = 12;
  const FRAMES = 3;
  /** @type {Held | null} */
  let held = null;

  /* Below this line of the window rows can be read: the toolbar stays above it. */
  const line = () => (getComputedStyle(tools).position === "sticky" ? tools.offsetHeight : 0) + 8;
  new ResizeObserver(() => { document.documentElement.style.scrollPaddingTop = line() + "px"; }).observe(tools);

  /** @type {(node: Element) => number} */
  const top = (node) => node.getBoundingClientRect().top - line();
  /** @type {(node: Element) => number} */
  const rest = (node) => node.getBoundingClientRect().bottom - line();
  /** @type {(node: Element) => boolean} */
  const isRead = (node) => rest(node) > LEAST;

  /* The browser holds a place of its own choice when heights change: two that hold would both move the page. */
  const steady = () => { document.documentElement.style.overflowAnchor = "none"; };
  /**
   * A row of which less could be seen than is wanted of one that became shorter returns to its place.
   * @type {(node: Element, off: number, least?: number) => Held}
   */
  const hold = (node, off, least = LEAST + 1) => {
    const mine = { node, off, least: Math.min(least, LEAST + 1), at: 0, y: 0, height: 0, frames: FRAMES };
    held = mine;
    steady();
    put();
    const again = () => { if (held === mine) { put(); if (--mine.frames > 0) requestAnimationFrame(again); } };
    requestAnimationFrame(again);
    return mine;
  };

  const release = () => {
    held = null;
    document.documentElement.style.overflowAnchor = "";
  };

  /* Rows find their height when they come into view, and those that are not built yet are an estimate: whenever the
     page has changed its height the held node goes back to its distance, as far as the page reaches. */
  const put = () => {
    if (!held) return;
    if (!held.node.isConnected) { release(); return; }
    const height = held.node.getBoundingClientRect().height;
    const wrong = top(held.node) - Math.max(held.off, held.least - height);
    if (Math.abs(wrong) > 0.5) scrollBy({ top: wrong, behavior: "instant" });
    held.at = top(held.node);
    held.y = scrollY;
    held.height = document.documentElement.scrollHeight;
  };
  const heights = new ResizeObserver(put);
  for (const node of [document.body, /** @type {HTMLElement} */ (document.getElementById("list"))]) heights.observe(node);

  /* Whoever scrolls, or opens something, is no longer held; the toolbar's own controls do neither. A page that became shorter may have scrolled by itself, and so
     may one that was just rebuilt: what holds comes next. */
  for (const name of ["wheel", "touchstart", "pointerdown", "keydown", "click"]) {
    addEventListener(name, (event) => {
      if (event.isTrusted && !tools.contains(/** @type {Node} */ (event.target))) release();
    }, { capture: true, passive: true });
  }
  addEventListener("scroll", () => {
    if (held && held.frames <= 0 && Math.abs(scrollY - held.y) > 1 && document.documentElement.scrollHeight === held.height) release();
  }, { passive: true });

  /**
   * How far what was held has moved from its place; further than a touch, and the reader went elsewhere.
   * @type {(held: Held) => number | null}
   */
  const moved = ({ node, at }) => {
    const by = node.isConnected ? top(node) - at : Infinity;
    return Math.abs(by) <= 2 ? by : null;
  };

  return { top, rest, isRead, hold, moved, steady };
})();
