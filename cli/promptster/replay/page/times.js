"use strict";
/* Moments in the reader's own time, as promptster.times writes them; the page itself has them in UTC. */
const readersTime = (() => {
  /** @type {(value: number) => string} */
  const two = (value) => String(Math.trunc(value)).padStart(2, "0");

  /** @type {(at: Date) => string} */
  const zone = (at) => {
    const ahead = -at.getTimezoneOffset();
    return "UTC" + (ahead ? (ahead < 0 ? "\u2212" : "+") + two(Math.abs(ahead) / 60) + ":" + two(Math.abs(ahead) % 60) : "");
  };

  const inWords = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });
  /** @type {(at: Date) => string} */
  const moment = (at) => inWords.format(at) + ", " + two(at.getHours()) + ":" + two(at.getMinutes());

  /** The time zone, and the time as recorded. @type {(at: Date) => string} */
  const whole = (at) => zone(at) + "; " + at.toISOString().replace(/\.\d+Z$/, "Z");

  for (const node of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll("time[datetime]"))) {
    const at = new Date(node.dateTime);
    node.textContent = moment(at) + (node.dataset.zoned === undefined ? "" : " (" + zone(at) + ")");
    node.title = whole(at);
  }

  /**
   * Of any number that stands for a moment; one that no calendar holds stays a number, as in promptster.times.
   * @type {(ms: number) => string}
   */
  const tooltip = (ms) => {
    const at = new Date(ms);
    return at.getFullYear() >= 1 && at.getFullYear() <= 9999 ? moment(at) + " (" + whole(at) + ")" : ms + " ms after 1970";
  };

  return { moment, tooltip };
})();
