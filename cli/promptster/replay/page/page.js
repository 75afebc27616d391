"use strict";
/* Shows the rows of the data islands. Captured text only ever becomes text nodes; nothing is fetched or stored. */
(() => {
  const index = JSON.parse(document.getElementById("index").textContent);
  const islands = Array.from(document.querySelectorAll("script.rows"));
  const parsed = new Map();
  const list = document.getElementById("list");
  const tools = document.getElementById("tools");
  const count = document.getElementById("count");
  const PER_CHUNK = 40;
  const LONG = 3500;
  const LONG_CODE = 12000;
  /* The one rule of replay/unseen.py, for texts that are shown by this script. */
  const UNSEEN = new RegExp(index.unseen, "gu");
  const state = { all: false, groups: 0, lane: -1, words: "", open: false };
  let shown = [];
  let chunks = [];
  let here = -1;

  const data = (number) => {
    const island = Math.floor(number / index.per);
    if (!parsed.has(island)) parsed.set(island, JSON.parse(islands[island].textContent));
    return parsed.get(island)[number % index.per];
  };

  const make = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) put(node, text);
    return node;
  };

  /* Text with its unseen characters shown by code and the searched words marked. */
  const put = (node, text) => {
    let from = 0;
    const plain = text.includes("\r\n") ? text.replaceAll("\r\n", "\n") : text;
    for (const match of plain.matchAll(UNSEEN)) {
      putMarked(node, plain.slice(from, match.index));
      const code = document.createElement("span");
      code.className = "ctl";
      code.textContent = "\\u{" + match[0].codePointAt(0).toString(16) + "}";
      node.append(code);
      from = match.index + match[0].length;
    }
    putMarked(node, plain.slice(from));
  };

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

  const clock = (ms) => {
    const seconds = Math.floor(Math.abs(ms) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
    return (ms < 0 ? "-" : "") + (hours ? hours + ":" + rest : rest);
  };

  /* A long text shows its beginning; a button brings the rest. */
  const cut = (text, limit) => {
    if (text.length <= limit * 1.2) return null;
    const line = text.lastIndexOf("\n", limit);
    return line > limit / 2 ? line : limit;
  };

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

  const prose = (text) => {
    const node = make("div", "prose");
    node.dir = "auto";
    const parts = text.split(/^```[^\n]*\n?/m);
    parts.forEach((part, number) => {
      if (number % 2) node.append(make("pre", "", part.replace(/\n$/, "")));
      else if (part.includes("`") && part.length < 20000) {
        part.split(/`([^`\n]+)`/).forEach((piece, odd) => { if (odd % 2) node.append(make("code", "", piece)); else put(node, piece); });
      } else put(node, part);
    });
    return node;
  };

  const diff = (text) => {
    const node = make("pre", "diff");
    for (const line of text.replace(/\n$/, "").split("\n")) {
      const first = line[0];
      const name = first === "+" ? "a" : first === "-" ? "d" : first === "@" || line.startsWith("diff ") ? "h" : "";
      node.append(make("span", name, line));
    }
    node.tabIndex = 0;
    return node;
  };

  const code = (text) => {
    const node = make("pre", "", text);
    node.dir = "auto";
    if (text.length > 1500) node.tabIndex = 0;
    return node;
  };

  const passage = ([label, text, style]) => {
    const holder = make("div", "passage");
    if (label) holder.append(make("div", "label", label));
    if (style === "prose") long(holder, text, LONG, prose);
    else if (style === "diff") long(holder, text, LONG_CODE, diff);
    else long(holder, text, LONG_CODE, code);
    return holder;
  };

  const fillHead = (head, row) => {
    head.append(make("b", "", row.h));
    if (row.s) head.append(make("span", "subject", row.s));
    for (const note of notes(row)) head.append(note);
    for (const mark of row.m || []) head.append(make("span", "mark", mark));
    if (row.o && row.k !== "session") {
      const single = index.both && row.o.length === 1 && row.k !== "request" && row.k !== "answer" && row.k !== "note";
      head.append(make("span", single ? "who single" : "who", (single ? "only " : "") + row.o.join(" + ")));
    }
  };

  /* A tool call's line says how it ended: the notes of what belongs to it come along. */
  const notes = (row) => {
    const found = [];
    const say = (text, bad) => { if (text) found.push(make("span", bad ? "note bad" : "note", text)); };
    say(row.n, row.b);
    const parts = row.c || [];
    const telling = parts.filter((part) => part.k === "edit" || part.k === "command");
    for (const part of (telling.length ? telling : parts).slice(0, 3)) say(part.n, part.b);
    return found;
  };

  const parts = (holder, row, nested) => {
    if (nested) {
      const head = make("div", "head");
      fillHead(head, row);
      holder.append(head);
    }
    for (const each of row.p || []) if (nested || !each[3]) holder.append(passage(each));
  };

  const unfold = (body, row) => {
    const inner = make("div", "part");
    const own = row.c ? { ...row, p: (row.p || []).filter((each) => each[0] !== "input" || !covered(row)) } : row;
    parts(inner, own, false);
    for (const child of row.c || []) {
      const part = make("div", "part");
      parts(part, child, true);
      inner.append(part);
    }
    body.append(inner);
    return inner;
  };

  /* An edit or a command shows its call's input better than the input does. */
  const covered = (row) => row.c.some((child) => (child.k === "edit" || child.k === "command") && child.p);

  const build = (number, place) => {
    const row = data(number);
    const [, lane, role] = index.rows[number];
    const node = make("article", "row");
    node.dataset.k = row.k;
    node.dataset.number = number;
    if (row.w) node.dataset.w = row.w;
    if (lane) node.dataset.lane = lane % 6;
    if (lane > 1 && /subagent/.test(index.lanes[lane])) node.dataset.deep = "";
    if (role) node.dataset.quiet = "";
    if (row.b && row.k === "session") node.dataset.bad = "";
    node.tabIndex = -1;
    node.setAttribute("aria-posinset", place + 1);
    node.setAttribute("aria-setsize", shown.length);
    const when = make("a", "when", clock(row.t));
    if (row.q !== undefined && row.q !== null) { when.href = "#s" + row.q; node.id = "s" + row.q; }
    when.title = new Date(index.start + row.t).toISOString() + (row.q !== undefined ? ", event " + row.q : "");
    const body = make("div", "body");
    const opened = (row.p || []).filter((each) => each[3]);
    const closed = (row.p || []).filter((each) => !each[3]);
    const foldable = closed.length > 0 || (row.c || []).length > 0;
    const head = make(foldable ? "button" : "div", "head");
    fillHead(head, row);
    if (lane > 1) head.insertBefore(make("small", "", index.lanes[lane]), head.children[1] || null);
    body.append(head);
    for (const each of opened) body.append(passage(each));
    if (foldable) {
      head.type = "button";
      let inner = null;
      const turn = (open) => {
        head.setAttribute("aria-expanded", open);
        if (open && !inner) inner = unfold(body, row);
        if (inner) inner.hidden = !open;
      };
      turn(state.open || Boolean(state.words && hides(row)));
      head.addEventListener("click", () => turn(head.getAttribute("aria-expanded") !== "true"));
    }
    node.append(when, body);
    return node;
  };

  const texts = (row) => [row.h, row.s, row.n, ...(row.m || []), ...(row.p || []).map((each) => each[1]), ...(row.c || []).flatMap(texts)];
  const hides = (row) => [...(row.p || []).filter((each) => !each[3]).map((each) => each[1]), ...(row.c || []).flatMap(texts)]
    .some((text) => text && text.toLowerCase().includes(state.words));
  const says = (number) => texts(data(number)).some((text) => text && text.toLowerCase().includes(state.words));

  const wanted = (number) => {
    const [mask, lane, role] = index.rows[number];
    if (!state.all && role) return false;
    if (state.groups && !(mask & state.groups)) return false;
    if (state.lane >= 0 && lane !== state.lane) return false;
    return !state.words || says(number);
  };

  const watcher = new IntersectionObserver((seen) => {
    for (const each of seen) if (each.isIntersecting) fill(each.target);
  }, { rootMargin: "1500px 0px" });

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
  const idle = window.requestIdleCallback || ((act) => setTimeout(() => act({ timeRemaining: () => 12 }), 60));
  let filling = false;
  const later = (time) => {
    let next = chunks.find((chunk) => !chunk.dataset.done);
    while (next && time.timeRemaining() > 8) {
      fill(next);
      next = chunks.find((chunk) => !chunk.dataset.done);
    }
    filling = Boolean(next);
    if (next) idle(later);
  };

  const show = () => {
    shown = [];
    for (let number = 0; number < index.rows.length; number++) if (wanted(number)) shown.push(number);
    for (const chunk of chunks) watcher.unobserve(chunk);
    list.replaceChildren();
    chunks = [];
    here = -1;
    for (let from = 0; from < shown.length; from += PER_CHUNK) {
      const chunk = make("div");
      chunk.setAttribute("role", "presentation");
      chunk.dataset.from = from;
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
    document.body.dataset.rows = shown.length;
  };

  const reveal = (place, focus) => {
    if (place < 0 || place >= shown.length) return;
    const chunk = chunks[Math.floor(place / PER_CHUNK)];
    fill(chunk);
    const node = chunk.children[place % PER_CHUNK];
    list.querySelector(".row.now")?.classList.remove("now");
    node.classList.add("now");
    here = place;
    node.scrollIntoView({ block: focus === "top" ? "start" : "nearest" });
    if (focus) node.focus({ preventScroll: true });
  };

  const toSeq = (seq) => {
    const find = () => shown.findIndex((number) => index.rows[number][4].includes(seq));
    let place = find();
    if (place < 0) {
      Object.assign(state, { all: true, groups: 0, lane: -1, words: "" });
      drawTools();
      show();
      place = find();
    }
    if (place >= 0) reveal(place, "top");
  };

  const fromHash = () => { const match = /^#s(\d+)$/.exec(location.hash); if (match) toSeq(Number(match[1])); };

  const button = (text, pressed, act, title) => {
    const node = make("button", "", text);
    node.type = "button";
    if (pressed !== null) node.setAttribute("aria-pressed", pressed);
    if (title) node.title = title;
    node.addEventListener("click", act);
    return node;
  };

  const change = (more) => { Object.assign(state, more); drawTools(); show(); };

  const drawTools = () => {
    const focused = document.activeElement && tools.contains(document.activeElement) ? document.activeElement.dataset.name : null;
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
    let timer = 0;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => { state.words = search.value.trim().toLowerCase(); show(); }, 180);
    });
    tools.append(search);
    tools.append(button("Everything", state.all, () => change({ all: !state.all }), "Also show answered requests and the agent's own housekeeping"));
    tools.append(button("Open all", state.open, () => change({ open: !state.open }), "Open every entry, for reading through or printing"));
    const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    tools.append(button(dark() ? "Light" : "Dark", null, () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; drawTools(); }, "Change the page's colours"));
    Array.from(tools.querySelectorAll("button, select, input")).forEach((node) => { node.dataset.name = node.textContent || node.type; });
    if (focused) Array.from(tools.querySelectorAll("[data-name]")).find((node) => node.dataset.name === focused)?.focus();
  };

  const turnRow = () => { const node = list.querySelector(".row.now button.head"); if (node) node.click(); };
  const nextPrompt = (step) => {
    for (let place = here + step; place >= 0 && place < shown.length; place += step) if (index.rows[shown[place]][5]) return reveal(place, "top");
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return;
    const acts = {
      j: () => reveal(here + 1, "row"), k: () => reveal(here - 1, "row"), n: () => nextPrompt(1), p: () => nextPrompt(-1),
      o: turnRow, "/": () => tools.querySelector("input").focus(),
    };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });

  list.addEventListener("focusin", (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    const place = shown.indexOf(Number(row.dataset.number));
    if (place >= 0 && place !== here) {
      list.querySelector(".row.now")?.classList.remove("now");
      row.classList.add("now");
      here = place;
    }
  });

  document.getElementById("strip")?.addEventListener("click", (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * index.span;
    const place = shown.findIndex((number) => index.rows[number][3] >= at);
    reveal(place < 0 ? shown.length - 1 : place, "top");
  });

  addEventListener("hashchange", fromHash);
  addEventListener("beforeprint", () => chunks.forEach(fill));
  document.body.classList.add("live");
  drawTools();
  show();
  fromHash();

})();
