/* What an entry of the timeline is made of: its line, and what opens below it. */
const rowParts = (() => {
  const { index, make, passage } = shownText;

  /** @type {(ms: number) => string} */
  const clock = (ms) => {
    const seconds = Math.floor(Math.abs(ms) / 1000);
    /** @type {(value: number) => string} */
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
    return (ms < 0 ? "-" : "") + (hours ? hours + ":" + rest : rest);
  };

  /** @type {(head: Element, row: Row) => void} */
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

  /**
   * A tool call's line says how it ended: the notes of what belongs to it come along.
   * @type {(row: Row) => HTMLElement[]}
   */
  const notes = (row) => {
    /** @type {HTMLElement[]} */
    const found = [];
    /** @type {(text: string | undefined, bad: number | undefined) => void} */
    const say = (text, bad) => { if (text) found.push(make("span", bad ? "note bad" : "note", text)); };
    say(row.n, row.b);
    const parts = row.c || [];
    const telling = parts.filter((part) => part.k === "edit" || part.k === "command");
    for (const part of (telling.length ? telling : parts).slice(0, 3)) say(part.n, part.b);
    return found;
  };

  /** @type {(holder: Element, row: Row, nested: boolean) => void} */
  const parts = (holder, row, nested) => {
    if (nested) {
      const head = make("div", "head");
      fillHead(head, row);
      holder.append(head);
    }
    for (const each of row.p || []) if (nested || !each[3]) holder.append(passage(each));
  };

  /** @type {(body: Element, row: Row) => HTMLElement} */
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

  /**
   * An edit or a command shows its call's input better than the input does.
   * @type {(row: Row) => boolean}
   */
  const covered = (row) => Boolean(row.c?.some((child) => (child.k === "edit" || child.k === "command") && child.p));

  return { clock, fillHead, unfold };
})();
