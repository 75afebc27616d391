/* Captured text as elements: it only ever becomes text nodes. What is searched for is marked, what is long is cut. */
const shownText = (() => {
  const LONG = 3500;
  const LONG_CODE = 12000;
  /** @type {Index} */
  const index = JSON.parse(document.getElementById("index")?.textContent ?? "");
  /* The one rule of replay/invisible_characters.py, for texts that are shown by this script. */
  const INVISIBLE = new RegExp(index.invisible, "gu");
  /** @type {State} */
  const state = { all: false, groups: 0, lane: -1, words: "", open: false };

  /**
   * @template {keyof HTMLElementTagNameMap} N
   * @param {N} name
   * @param {string} [className]
   * @param {string} [text]
   */
  const make = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) put(node, text);
    return node;
  };

  /**
   * Text with its invisible characters shown by code and the searched words marked.
   * @type {(node: Element, text: string) => void}
   */
  const put = (node, text) => {
    let from = 0;
    const plain = text.includes("\r\n") ? text.replaceAll("\r\n", "\n") : text;
    for (const match of plain.matchAll(INVISIBLE)) {
      putMarked(node, plain.slice(from, match.index));
      const code = document.createElement("span");
      code.className = "ctl";
      code.textContent = "\\u{" + /** @type {number} */ (match[0].codePointAt(0)).toString(16) + "}";
      node.append(code);
      from = match.index + match[0].length;
    }
    putMarked(node, plain.slice(from));
  };

  /** @type {(node: Element, text: string) => void} */
  const putMarked = (node, text) => {
    if (!state.words) { if (text) node.append(text); return; }
    const lower = text.toLowerCase();
    let from = 0;
    if (lower.length === text.length) {
      for (let at = lower.indexOf(state.words); at >= 0; at = lower.indexOf(state.words, from)) {
        node.append(text.slice(from, at));
        const marked = document.createElement("mark");
        marked.textContent = text.slice(at, at + state.words.length);
        node.append(marked);
        from = at + state.words.length;
      }
    }
    node.append(text.slice(from));
  };

  /**
   * A long text shows its beginning; a button brings the rest.
   * @type {(text: string, limit: number) => number | null}
   */
  const cut = (text, limit) => {
    if (text.length <= limit * 1.2) return null;
    const line = text.lastIndexOf("\n", limit);
    if (line > limit / 2) return line;
    return /** @type {number} */ (text.codePointAt(limit - 1)) > 0xffff ? limit - 1 : limit;
  };

  /** @type {(holder: Element, text: string, limit: number, fill: (text: string) => Element) => void} */
  const long = (holder, text, limit, fill) => {
    const at = state.words ? null : cut(text, limit);
    const place = fill(at === null ? text : text.slice(0, at));
    holder.append(place);
    if (at === null) return;
    const more = make("button", "more", "Show all " + text.length.toLocaleString("en") + " characters");
    more.type = "button";
    more.addEventListener("click", () => { place.replaceWith(fill(text)); more.remove(); });
    holder.append(more);
  };

  /** @type {(text: string) => HTMLElement} */
  const prose = (text) => {
    const node = make("div", "prose");
    node.dir = "auto";
    const parts = text.split(/^```[^\n]*\n?/m);
    parts.forEach((part, number) => {
      if (number % 2) node.append(code(part.replace(/\n$/, ""), "code"));
      else if (part.includes("`") && part.length < 20000) {
        part.split(/`([^`\n]+)`/).forEach((piece, odd) => { if (odd % 2) node.append(make("code", "", piece)); else put(node, piece); });
      } else put(node, part);
    });
    return node;
  };

  /* Code that does not fit scrolls inside its own box: the keyboard must reach it there. What is out of view has no
     size yet and counts as scrolling if a narrow window might make it so; once it has one, only what does scroll stays. */
  const FEW_LINES = 20;
  const NARROW = 24;
  const sizes = new ResizeObserver((seen) => {
    for (const { target: seenNode } of seen) {
      const target = /** @type {HTMLElement} */ (seenNode);
      if (target.scrollHeight > target.clientHeight + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  /** @type {<T extends HTMLElement>(node: T, text: string, label: string) => T} */
  const boxed = (node, text, label) => {
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", label);
    const lines = text.length > FEW_LINES * NARROW ? FEW_LINES + 1 : text.split("\n").length;
    if (lines > FEW_LINES) node.tabIndex = 0;
    sizes.observe(node);
    return node;
  };

  /**
   * The kind of each line comes with the text: a letter per line, read from the counts of the hunks.
   * @type {(text: string, label: string, kinds: string) => HTMLElement}
   */
  const diff = (text, label, kinds) => {
    const node = make("pre", "diff");
    text.replace(/\n$/, "").split("\n").forEach((line, number) => node.append(make("span", kinds[number], line)));
    return boxed(node, text, label || "difference");
  };

  /** @type {(text: string, label: string) => HTMLElement} */
  const code = (text, label) => {
    const node = make("pre", "", text);
    node.dir = "auto";
    return boxed(node, text, label || "text");
  };

  /** @type {(passage: Passage) => HTMLElement} */
  const passage = ([label, text, style, , kinds]) => {
    const holder = make("div", "passage");
    if (label) holder.append(make("div", "label", label));
    if (style === "prose") long(holder, text, LONG, prose);
    else if (style === "diff") long(holder, text, LONG_CODE, (part) => diff(part, label, kinds ?? ""));
    else long(holder, text, LONG_CODE, (part) => code(part, label));
    return holder;
  };

  return { index, state, make, passage };
})();
