/* What the page's scripts read from its data islands (replay/page/rows.py and document.py), and hand to each other. */

/** Label, text, style, whether it is open from the start, and for a difference a letter for each line. */
type Passage = [label: string, text: string, style: string, open: 0 | 1, kinds?: string];

/** One entry of the timeline; what is empty is left out. */
interface Row {
  /** The event's number. */
  q?: number | null;
  /** Milliseconds after the session's start. */
  t: number;
  /** Its tone, such as `prompt`. */
  k: string;
  /** A gap's kind. */
  w?: string;
  /** What it is called. */
  h: string;
  /** What it is about. */
  s?: string;
  /** How it ended. */
  n?: string;
  /** Whether it ended badly. */
  b?: number;
  /** Its marks. */
  m?: string[];
  /** Who saw it. */
  o?: string[];
  /** Its passages. */
  p?: Passage[];
  /** What belongs to it. */
  c?: Row[];
}

/** Groups, lane, role, milliseconds, the numbers of its events, and whether it is a prompt. */
type IndexRow = [mask: number, lane: number, role: number, ms: number, seqs: number[], prompt: boolean];

interface Index {
  groups: string[];
  lanes: Record<string, string>;
  both: boolean;
  start: number;
  span: number;
  per: number;
  invisible: string;
  rows: IndexRow[];
}

/** What the reader chose to see. */
interface State {
  all: boolean;
  groups: number;
  lane: number;
  words: string;
  open: boolean;
}

/** A node that is held at its distance from the toolbar. */
interface Held {
  node: Element;
  off: number;
  least: number;
  at: number;
  y: number;
  height: number;
  frames: number;
}

/** A row that is read: how far its beginning and its end are from the toolbar. A number of `null` is the whole page. */
interface Place {
  number: number | null;
  off: number;
  rest: number;
  held?: Held;
}
