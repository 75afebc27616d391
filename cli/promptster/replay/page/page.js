/* Shows the rows of the data islands; nothing is fetched or stored. */
(() => {
  const { index, state, make, passage } = shownText;
  const islands = Array.from(document.querySelectorAll("script.rows"));
  const parsed = new Map();
  const list = document.getElementById("list");
  const tools = document.getElementById("tools");
  const count = document.getElementById("count");
  const PER_CHUNK = 40;
  let shown = [];
  let chunks = [];
  let here = -1;
  let last = -1;
  let kept = null;
  const turned = new Map();

  const data = (number) => {
    const island = Math.floor(number / index.per);
    if (!parsed.has(island)) parsed.set(island, JSON.parse(islands[island].textContent));
    return parsed.get(island)[number % index.per];
  };

  const clock = (ms) => {
    const seconds = Math.floor(Math.abs(ms) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
    return (ms < 0 ? "-" : "") + (hours ? hours + ":" + rest : rest);
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
    if (place === here) node.classList.add("now");
    node.tabIndex = -1;
    node.setAttribute("aria-posinset", place + 1);
    node.setAttribute("aria-setsize", shown.length);
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
    if (foldable) {
      head.type = "button";
      let inner = null;
      const turn = (open) => {
        head.setAttribute("aria-expanded", open);
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

  /* Rows are put in only where a frame begins: the places of all others are set right before anything else sees them. */
  const watcher = new IntersectionObserver((seen) => {
    const near = seen.filter((each) => each.isIntersecting).map((each) => each.target);
    if (near.length) requestAnimationFrame(() => near.forEach(fill));
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
  const idle = window.requestIdleCallback || ((act) => setTimeout(act, 60));
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

  /* The first place at or behind a row. */
  const placeFrom = (number) => {
    let low = 0;
    for (let high = shown.length, middle; low < high;) {
      middle = (low + high) >> 1;
      if (shown[middle] < number) low = middle + 1; else high = middle;
    }
    return low;
  };

  /* The row that is being read, and how far it stands from the line; while the list's beginning is in view, the page. */
  const reading = () => {
    if (!shown.length || readersPlace.top(list) >= 0) return { number: null, off: readersPlace.top(document.body) };
    const chunk = chunks.find(readersPlace.isRead) || chunks[chunks.length - 1];
    fill(chunk);
    const rows = Array.from(chunk.children);
    const row = rows.find(readersPlace.isRead) || rows[rows.length - 1];
    return { number: Number(row.dataset.number), off: readersPlace.top(row), rest: readersPlace.rest(row) };
  };

  const rowAt = (place) => {
    const number = Math.floor(place / PER_CHUNK);
    for (const chunk of [chunks[number - 1], chunks[number], chunks[number + 1]]) if (chunk) fill(chunk);
    return chunks[number].children[place % PER_CHUNK];
  };

  /* What was read before a filter is read after it, or the row closest in time that is still shown. As long as nobody
     scrolled, the next filter goes by the same place: taken off again, all is as it was. */
  const keeping = (act) => {
    const by = kept && readersPlace.moved(kept.held);
    const was = by === null ? reading() : { ...kept, off: kept.off + by, rest: kept.rest + by };
    readersPlace.steady();
    act();
    kept = was;
    was.held = keep(was);
  };
  const keep = ({ number, off, rest }) => {
    if (number === null) return readersPlace.hold(document.body, off);
    if (!shown.length) return readersPlace.hold(document.body, readersPlace.top(document.body));
    let place = placeFrom(number);
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

  /* A link leads to what stands in a row, not to its head alone. */
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
    const head = reveal(place, "top").querySelector("button.head");
    if (head?.getAttribute("aria-expanded") === "false") head.click();
  };

  /* On a narrow window what stands beside the timeline stands behind it: its last rows must have their height first. */
  const toPart = (part) => {
    if (getComputedStyle(part.closest("aside")).position !== "static") return;
    chunks.slice(-3).forEach(fill);
    readersPlace.hold(part, 0);
  };

  const fromHash = () => {
    const match = /^#s(\d+)$/.exec(location.hash);
    if (match) toSeq(Number(match[1]));
    else if (location.hash === "#handed-in") toPart(document.getElementById("handed-in"));
  };

  const button = (text, pressed, act, title) => {
    const node = make("button", "", text);
    node.type = "button";
    if (pressed !== null) node.setAttribute("aria-pressed", pressed);
    if (title) node.title = title;
    node.addEventListener("click", act);
    return node;
  };

  const change = (more) => {
    if ("open" in more) turned.clear();
    Object.assign(state, more);
    keeping(() => { drawTools(); show(); });
  };

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
      timer = setTimeout(() => { state.words = search.value.trim().toLowerCase(); keeping(show); }, 180);
    });
    tools.append(search);
    tools.append(button("Everything", state.all, () => change({ all: !state.all }), "Also show answered requests and the agent's own housekeeping"));
    tools.append(button("Open all", state.open, () => change({ open: !state.open }), "Open every entry, for reading through or printing"));
    const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    tools.append(button(dark() ? "Light" : "Dark", null, () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; drawTools(); }, "Change the page's colours"));
    Array.from(tools.querySelectorAll("button, select, input")).forEach((node, place) => { node.dataset.name = place; });
    if (focused) Array.from(tools.querySelectorAll("[data-name]")).find((node) => node.dataset.name === focused)?.focus();
  };

  const turnRow = () => { const node = list.querySelector(".row.now button.head"); if (node) node.click(); };
  /* The next place in one direction: from the marked row, from where it would stand, or from what is being read. */
  const next = (step) => {
    if (here >= 0) return here + step;
    const place = placeFrom(last >= 0 ? last : reading()?.number ?? -1);
    return step > 0 ? place : place - 1;
  };
  const nextPrompt = (step) => {
    for (let place = next(step); place >= 0 && place < shown.length; place += step) if (index.rows[shown[place]][5]) return reveal(place, "top");
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return;
    const acts = {
      j: () => reveal(next(1), "row"), k: () => reveal(next(-1), "row"), n: () => nextPrompt(1), p: () => nextPrompt(-1),
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
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !location.hash) return;
    if (event.target.closest("a")?.getAttribute("href") === location.hash) fromHash(); /* there is no hashchange */
  });
  /* The browser goes to the address's place itself once all is loaded, by heights that it only estimates. */
  addEventListener("load", () => {
    if (performance.getEntriesByType("navigation")[0]?.type === "navigate") requestAnimationFrame(fromHash);
  });
  /* Nobody can ask paper for the rest of a long text. */
  addEventListener("beforeprint", () => {
    chunks.forEach(fill);
    for (const more of list.querySelectorAll(".more")) more.click();
  });
  document.body.classList.add("live");
  drawTools();
  show();
  fromHash();
})();
