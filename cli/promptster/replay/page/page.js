/* Shows the rows of the data islands; nothing is fetched or stored. */
(() => {
  const { index, state, make, passage } = shownText;
  const { clock, fillHead, unfold } = rowParts;
  const islands = Array.from(document.querySelectorAll("script.rows"));
  /** @type {Map<number, Row[]>} */
  const parsed = new Map();
  const list = /** @type {HTMLElement} */ (document.getElementById("list"));
  const tools = /** @type {HTMLElement} */ (document.getElementById("tools"));
  const count = /** @type {HTMLElement} */ (document.getElementById("count"));
  const PER_CHUNK = 40;
  /** @type {number[]} */
  let shown = [];
  /** @type {HTMLElement[]} */
  let chunks = [];
  let here = -1;
  let last = -1;
  /** @type {Place | null} */
  let kept = null;
  /** @type {Map<number, boolean>} */
  const turned = new Map();

  /** @type {(number: number) => Row} */
  const data = (number) => {
    const island = Math.floor(number / index.per);
    if (!parsed.has(island)) parsed.set(island, JSON.parse(islands[island].textContent ?? ""));
    return /** @type {Row[]} */ (parsed.get(island))[number % index.per];
  };

  /** @type {(number: number, place: number) => HTMLElement} */
  const build = (number, place) => {
    const row = data(number);
    const [, lane, role] = index.rows[number];
    const node = make("article", "row");
    node.dataset.k = row.k;
    node.dataset.number = String(number);
    if (row.w) node.dataset.w = row.w;
    if (lane) node.dataset.lane = String(lane % 6);
    if (lane > 1 && /subagent/.test(index.lanes[lane])) node.dataset.deep = "";
    if (role) node.dataset.quiet = "";
    if (row.b && row.k === "session") node.dataset.bad = "";
    if (place === here) node.classList.add("now");
    node.tabIndex = -1;
    node.setAttribute("aria-posinset", String(place + 1));
    node.setAttribute("aria-setsize", String(shown.length));
    const when = make("a", "when", clock(row.t));
    if (row.q !== undefined && row.q !== null) { when.href = "#s" + row.q; node.id = "s" + row.q; }
    when.title = readersTime.tooltip(index.start + row.t) + (row.q !== undefined ? ", event " + row.q : "");
    const body = make("div", "body");
    const opened = (row.p || []).filter((each) => each[3]);
    const closed = (row.p || []).filter((each) => !each[3]);
    const foldable = closed.length > 0 || (row.c || []).length > 0;
    const head = make(foldable ? "button" : "div", "head");
    fillHead(head, row);
    if (lane > 1) head.insertBefore(make("small", "", index.lanes[lane]), head.children[1] || null);
    body.append(head);
    for (const each of opened) body.append(passage(each));
    if (head instanceof HTMLButtonElement) {
      head.type = "button";
      /** @type {HTMLElement | null} */
      let inner = null;
      /** @type {(open: boolean) => void} */
      const turn = (open) => {
        head.setAttribute("aria-expanded", String(open));
        if (open && !inner) inner = unfold(body, row);
        if (inner) inner.hidden = !open;
      };
      turn(turned.get(number) ?? (state.open || Boolean(state.words && hides(row))));
      head.addEventListener("click", () => {
        const open = head.getAttribute("aria-expanded") !== "true";
        turned.set(number, open);
        turn(open);
      });
    }
    node.append(when, body);
    return node;
  };

  /** @type {(row: Row) => (string | undefined)[]} */
  const texts = (row) => [row.h, row.s, row.n, ...(row.m || []), ...(row.p || []).map((each) => each[1]), ...(row.c || []).flatMap(texts)];
  /** @type {(row: Row) => boolean} */
  const hides = (row) => [...(row.p || []).filter((each) => !each[3]).map((each) => each[1]), ...(row.c || []).flatMap(texts)]
    .some((text) => text && text.toLowerCase().includes(state.words));
  /** @type {(number: number) => boolean} */
  const says = (number) => texts(data(number)).some((text) => text && text.toLowerCase().includes(state.words));

  /** @type {(number: number) => boolean} */
  const wanted = (number) => {
    const [mask, lane, role] = index.rows[number];
    if (!state.all && role) return false;
    if (state.groups && !(mask & state.groups)) return false;
    if (state.lane >= 0 && lane !== state.lane) return false;
    return !state.words || says(number);
  };

  /* Rows are put in only where a frame begins: the places of all others are set right before anything else sees them. */
  const watcher = new IntersectionObserver((seen) => {
    const near = seen.filter((each) => each.isIntersecting).map((each) => /** @type {HTMLElement} */ (each.target));
    if (near.length) requestAnimationFrame(() => near.forEach(fill));
  }, { rootMargin: "1500px 0px" });

  /** @type {(chunk: HTMLElement) => void} */
  const fill = (chunk) => {
    if (chunk.dataset.done) return;
    chunk.dataset.done = "1";
    watcher.unobserve(chunk);
    const from = Number(chunk.dataset.from);
    const rows = document.createDocumentFragment();
    for (let place = from; place < Math.min(from + PER_CHUNK, shown.length); place++) rows.append(build(shown[place], place));
    chunk.append(rows);
    chunk.style.minHeight = "";
  };

  /* What is not in view is filled when the browser is idle, so that its own search finds it too. */
  const idle = window.requestIdleCallback || (/** @type {(act: () => void) => unknown} */ ((act) => setTimeout(act, 60)));
  let filling = false;
  const later = () => requestAnimationFrame(() => {
    const until = performance.now() + 8;
    let next = chunks.find((chunk) => !chunk.dataset.done);
    while (next && performance.now() < until) {
      fill(next);
      next = chunks.find((chunk) => !chunk.dataset.done);
    }
    filling = Boolean(next);
    if (next) idle(later);
  });

  /** The first place at or after a row. @type {(number: number) => number} */
  const placeFrom = (number) => {
    let low = 0;
    for (let high = shown.length, middle; low < high;) {
      middle = (low + high) >> 1;
      if (shown[middle] < number) low = middle + 1; else high = middle;
    }
    return low;
  };

  /**
   * The row that is being read, and how far it is from the line; while the list's beginning is in view, the page.
   * @type {() => Place}
   */
  const reading = () => {
    if (!shown.length || readersPlace.top(list) >= 0) return { number: null, off: readersPlace.top(document.body), rest: NaN };
    const chunk = chunks.find(readersPlace.isRead) || chunks[chunks.length - 1];
    fill(chunk);
    const rows = /** @type {HTMLElement[]} */ (Array.from(chunk.children));
    const row = rows.find(readersPlace.isRead) || rows[rows.length - 1];
    return { number: Number(row.dataset.number), off: readersPlace.top(row), rest: readersPlace.rest(row) };
  };

  /** @type {(place: number) => HTMLElement} */
  const rowAt = (place) => {
    const number = Math.floor(place / PER_CHUNK);
    for (const chunk of [chunks[number - 1], chunks[number], chunks[number + 1]]) if (chunk) fill(chunk);
    return /** @type {HTMLElement} */ (chunks[number].children[place % PER_CHUNK]);
  };

  /**
   * What was read before a filter is read after it, or the row closest in time that is still shown. As long as nobody
     scrolled, the next filter goes by the same place: taken off again, all is as it was.
   * @type {(act: () => void) => void}
   */
  const keeping = (act) => {
    const by = kept?.held ? readersPlace.moved(kept.held) : null;
    const was = kept === null || by === null ? reading() : { ...kept, off: kept.off + by, rest: kept.rest + by };
    readersPlace.steady();
    act();
    kept = was;
    was.held = keep(was);
  };
  /** @type {(place: Place) => Held} */
  const keep = ({ number, off, rest }) => {
    if (number === null) return readersPlace.hold(document.body, off);
    if (!shown.length) return readersPlace.hold(document.body, readersPlace.top(document.body));
    let place = placeFrom(number);
    /** @type {(at: number) => number} */
    const time = (at) => Math.abs(index.rows[shown[at]][3] - index.rows[number][3]);
    if (place > 0 && (place === shown.length || (shown[place] !== number && time(place - 1) <= time(place)))) place -= 1;
    return shown[place] === number ? readersPlace.hold(rowAt(place), off, rest) : readersPlace.hold(rowAt(place), 0);
  };

  const show = () => {
    if (here >= 0) last = shown[here];
    shown = [];
    for (let number = 0; number < index.rows.length; number++) if (wanted(number)) shown.push(number);
    for (const chunk of chunks) watcher.unobserve(chunk);
    list.replaceChildren();
    chunks = [];
    here = placeFrom(last);
    if (shown[here] !== last) here = -1;
    for (let from = 0; from < shown.length; from += PER_CHUNK) {
      const chunk = make("div");
      chunk.setAttribute("role", "presentation");
      chunk.dataset.from = String(from);
      chunk.style.minHeight = Math.min(PER_CHUNK, shown.length - from) * 44 + "px";
      list.append(chunk);
      chunks.push(chunk);
      watcher.observe(chunk);
    }
    if (chunks.length) fill(chunks[0]);
    if (index.rows.length <= 6000 && !filling) { filling = true; idle(later); }
    const hidden = index.rows.length - shown.length;
    count.textContent = shown.length.toLocaleString("en") + (shown.length === 1 ? " entry" : " entries") +
      (hidden ? ", " + hidden.toLocaleString("en") + " not shown" + (!state.all && !state.groups && state.lane < 0 && !state.words ? " (answered requests, the agent's own housekeeping)" : "") : "");
    document.body.dataset.rows = String(shown.length);
  };

  /** @type {(place: number, focus: "top" | "row") => HTMLElement | undefined} */
  const reveal = (place, focus) => {
    if (place < 0 || place >= shown.length) return undefined;
    const node = rowAt(place);
    list.querySelector(".row.now")?.classList.remove("now");
    node.classList.add("now");
    here = place;
    if (focus !== "top") node.scrollIntoView({ block: "nearest" });
    /* The nearest part of an entry that is taller than the window may be its end. */
    if (focus === "top" || readersPlace.top(node) < -8) readersPlace.hold(node, 0);
    if (focus) node.focus({ preventScroll: true });
    return node;
  };

  /** A link leads to what is in a row, not to its head alone. @type {(seq: number) => void} */
  const toSeq = (seq) => {
    const find = () => shown.findIndex((number) => index.rows[number][4].includes(seq));
    let place = find();
    if (place < 0) {
      Object.assign(state, { all: true, groups: 0, lane: -1, words: "" });
      drawTools();
      show();
      place = find();
    }
    if (place < 0) return;
    const head = /** @type {HTMLElement | null | undefined} */ (reveal(place, "top")?.querySelector("button.head"));
    if (head?.getAttribute("aria-expanded") === "false") head.click();
  };

  /**
   * In a narrow window the column next to the timeline comes after it: its last rows must have their height first.
   * @type {(part: Element | null) => void}
   */
  const toPart = (part) => {
    const aside = part?.closest("aside");
    if (!part || !aside || getComputedStyle(aside).position !== "static") return;
    chunks.slice(-3).forEach(fill);
    readersPlace.hold(part, 0);
  };

  const fromHash = () => {
    const match = /^#s(\d+)$/.exec(location.hash);
    if (match) toSeq(Number(match[1]));
    else if (location.hash === "#submitted") toPart(document.getElementById("submitted"));
  };

  /** @type {(text: string, pressed: boolean | null, act: () => void, title?: string) => HTMLButtonElement} */
  const button = (text, pressed, act, title) => {
    const node = make("button", "", text);
    node.type = "button";
    if (pressed !== null) node.setAttribute("aria-pressed", String(pressed));
    if (title) node.title = title;
    node.addEventListener("click", act);
    return node;
  };

  /** @type {(more: Partial<State>) => void} */
  const change = (more) => {
    if ("open" in more) turned.clear();
    Object.assign(state, more);
    keeping(() => { drawTools(); show(); });
  };

  const drawTools = () => {
    const active = document.activeElement;
    const focused = active instanceof HTMLElement && tools.contains(active) ? active.dataset.name : null;
    tools.replaceChildren();
    const kinds = make("div", "set");
    kinds.setAttribute("role", "group");
    kinds.setAttribute("aria-label", "Show only");
    const present = index.rows.reduce((mask, row) => mask | row[0], 0);
    index.groups.forEach((name, bit) => {
      if (!(present & (1 << bit))) return;
      kinds.append(button(name, Boolean(state.groups & (1 << bit)), () => change({ groups: state.groups ^ (1 << bit) })));
    });
    tools.append(kinds);
    const lanes = Object.entries(index.lanes);
    if (lanes.length > 2) {
      const select = make("select");
      select.setAttribute("aria-label", "Conversation");
      for (const [number, name] of [["-1", "All conversations"], ...lanes]) {
        const option = make("option", "", name);
        option.value = number;
        option.selected = Number(number) === state.lane;
        select.append(option);
      }
      select.addEventListener("change", () => change({ lane: Number(select.value) }));
      tools.append(select);
    }
    const search = make("input");
    search.type = "search";
    search.placeholder = "Search";
    search.setAttribute("aria-label", "Search in the whole session");
    search.value = state.words;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => { state.words = search.value.trim().toLowerCase(); keeping(show); }, 180);
    });
    tools.append(search);
    tools.append(button("Everything", state.all, () => change({ all: !state.all }), "Also show answered requests and the agent's own housekeeping"));
    tools.append(button("Open all", state.open, () => change({ open: !state.open }), "Open every entry, for reading through or printing"));
    const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    tools.append(button(dark() ? "Light" : "Dark", null, () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; drawTools(); }, "Change the page's colours"));
    /** @type {NodeListOf<HTMLElement>} */ (tools.querySelectorAll("button, select, input")).forEach((node, place) => { node.dataset.name = String(place); });
    if (focused) Array.from(/** @type {NodeListOf<HTMLElement>} */ (tools.querySelectorAll("[data-name]"))).find((node) => node.dataset.name === focused)?.focus();
  };

  const turnRow = () => { /** @type {HTMLElement | null} */ (list.querySelector(".row.now button.head"))?.click(); };
  /**
   * The next place in one direction: from the marked row, from where it would be, or from what is being read.
   * @type {(step: 1 | -1) => number}
   */
  const next = (step) => {
    if (here >= 0) return here + step;
    const place = placeFrom(last >= 0 ? last : reading()?.number ?? -1);
    return step > 0 ? place : place - 1;
  };
  /** @type {(step: 1 | -1) => void} */
  const nextPrompt = (step) => {
    for (let place = next(step); place >= 0 && place < shown.length; place += step) if (index.rows[shown[place]][5]) { reveal(place, "top"); return; }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
    if (event.key === "Escape" && typing) target.blur();
    if (typing) return;
    /** @type {Record<string, () => void>} */
    const acts = {
      j: () => reveal(next(1), "row"), k: () => reveal(next(-1), "row"), n: () => nextPrompt(1), p: () => nextPrompt(-1),
      o: turnRow, "/": () => tools.querySelector("input")?.focus(),
    };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });

  list.addEventListener("focusin", (event) => {
    const row = /** @type {Element} */ (event.target).closest(".row");
    if (!(row instanceof HTMLElement)) return;
    const place = shown.indexOf(Number(row.dataset.number));
    if (place >= 0 && place !== here) {
      list.querySelector(".row.now")?.classList.remove("now");
      row.classList.add("now");
      here = place;
    }
  });

  document.getElementById("strip")?.addEventListener("click", (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * index.span;
    const place = shown.findIndex((number) => index.rows[number][3] >= at);
    reveal(place < 0 ? shown.length - 1 : place, "top");
  });

  addEventListener("hashchange", fromHash);
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !location.hash) return;
    if (/** @type {Element} */ (event.target).closest("a")?.getAttribute("href") === location.hash) fromHash(); /* there is no hashchange */
  });
  /* The browser goes to the address's place itself once all is loaded, by heights that it only estimates. */
  addEventListener("load", () => {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    if (navigation?.type === "navigate") requestAnimationFrame(fromHash);
  });
  /* Nobody can ask paper for the rest of a long text. */
  addEventListener("beforeprint", () => {
    chunks.forEach(fill);
    for (const more of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".more"))) more.click();
  });
  document.body.classList.add("live");
  drawTools();
  show();
  fromHash();
})();
