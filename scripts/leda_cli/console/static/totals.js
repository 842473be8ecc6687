// The list of totals: only the rows that can be seen are in the page, and only they are asked for.
import { since } from "./words.js";

const ROW = 38;
const MARGIN = 12; // rows beyond the edge
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

export class Totals {
  #grid = byId("grid");
  #body = byId("grid-body");
  #head = byId("grid-head");
  #opened = new Set();
  #pool = [];
  #board = null;
  #answer = null;
  #focus = 0;
  #asking = false;
  #again = false;
  #columns = "";
  #longest = [];
  #names = "";
  #met = new Set(); // nodes of a small tree, which are open until somebody closes them

  constructor() {
    this.#grid.addEventListener("scroll", () => this.ask(), { passive: true });
    addEventListener("resize", () => { this.#layout(); this.ask(); });
    const form = byId("totals-controls");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { this.#grid.scrollTop = 0; this.#focus = 0; this.ask(); });
    this.#body.addEventListener("click", (event) => {
      const row = event.target.closest("[role=row]");
      if (row && event.target.closest(".twist")) this.#toggle(row.dataset.id);
    });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
  }

  take(board) {
    const first = this.#board === null || this.#board.revision === 0;
    this.#board = board;
    byId("view").hidden = !board.tree;
    this.#options(byId("measure"), [["", "by key"], ...board.measures.map((name) => [name, `by ${name}`])]);
    this.#options(byId("grouping"), [["", "all"], ...board.groupings.map((name) => [name, name])]);
    byId("grouping-label").hidden = board.groupings.length < 2;
    if (first && board.revision) {
      const view = board.tree ? "tree" : "list";
      for (const radio of document.querySelectorAll("[name=view]")) radio.checked = radio.value === view;
    }
    for (const node of board.opened) {
      if (!this.#met.has(node)) this.#opened.add(node);
      this.#met.add(node);
    }
    this.#layout();
    this.ask();
  }

  #options(select, wanted) {
    if (select.options.length === wanted.length && wanted.every(([value], place) => select.options[place].value === value)) return;
    const chosen = select.value;
    select.replaceChildren(...wanted.map(([value, text]) => new Option(text, value)));
    if (wanted.some(([value]) => value === chosen)) select.value = chosen;
  }

  #layout() {
    if (!this.#board) return;
    const narrow = matchMedia("(max-width: 40rem)").matches;
    // A narrow screen shows one measure, the one whose history a wide one draws.
    const amounts = this.#board.measures.map((_, place) => `minmax(${this.#digits(place)}ch, 0.8fr)`).join(" ");
    const drawn = this.#digits(this.#board.measures.indexOf(this.#board.drawn));
    const columns = narrow ? `minmax(0, 1fr) min(${drawn}ch, 60%)` : `minmax(9rem, 1.4fr) ${amounts} minmax(4rem, 0.6fr) 4.4rem 4.4rem`;
    const key = `${columns}|${this.#board.measures.join("|")}`;
    if (key === this.#columns) return;
    this.#columns = key;
    this.#grid.style.setProperty("--columns", columns);
    const least = this.#board.measures.map((_, place) => this.#digits(place) + 2).join("ch + ");
    this.#grid.style.setProperty("--least", narrow ? "0" : `calc(24rem + ${least}ch)`);
    const heads = [["total", "name"], ...this.#board.measures.map((name) => [name, this.#kind(name)]), ["trend", "history"], ["changed", "changed"], ["children", "sum"]];
    const names = this.#board.measures.join("|");
    if (names === this.#names) return;
    this.#names = names;
    this.#head.replaceChildren(...heads.map(([text, kind]) => {
      const cell = document.createElement("div");
      cell.setAttribute("role", "columnheader");
      cell.className = `cell ${kind}`;
      cell.textContent = text;
      return cell;
    }));
    for (const row of this.#pool) row.element.remove();
    this.#pool = [];
  }

  // A column is as wide as the longest amount that was seen in it, up to those of 38 digits.
  #digits(place) {
    return Math.min(40, Math.max(8, this.#longest[place] ?? 0) + 2);
  }

  #kind(measure) {
    return measure === this.#board.drawn ? "number" : "number minor";
  }

  // -- asking

  #first() {
    return Math.max(0, Math.floor(this.#grid.scrollTop / ROW) - MARGIN);
  }

  #limit() {
    return Math.ceil(this.#grid.clientHeight / ROW) + 2 * MARGIN;
  }

  async ask() {
    if (!this.#board) return;
    if (this.#asking) { this.#again = true; return; }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        const view = document.querySelector("[name=view]:checked")?.value ?? "list";
        const query = new URLSearchParams({
          text: byId("text").value, grouping: byId("grouping").value, measure: byId("measure").value, top: byId("top").value,
          view: this.#board.tree ? view : "list", offset: this.#first(), limit: this.#limit(),
        });
        for (const node of this.#opened) query.append("open", node);
        // Without an answer the console has gone: the header says so, and the next event asks again.
        const answer = await fetch(`totals?${query}`).then((found) => (found.ok ? found.json() : null)).catch(() => null);
        if (answer) this.#show(answer);
      } while (this.#again);
    } finally {
      this.#asking = false;
    }
  }

  // -- showing

  #show(answer) {
    this.#answer = answer;
    for (const { amounts } of answer.rows) amounts.forEach((amount, place) => { this.#longest[place] = Math.max(this.#longest[place] ?? 0, amount.length); });
    this.#layout();
    this.#body.style.height = `${answer.count * ROW}px`;
    this.#grid.setAttribute("aria-rowcount", String(answer.count + 1));
    const empty = byId("grid-empty");
    empty.hidden = answer.count > 0;
    empty.textContent = !answer.revision ? "Reading the totals …" : this.#board.count ? "No total matches." : "No totals yet: nothing was counted.";
    const { count, disagreeing } = this.#board;
    byId("grid-note").textContent = count
      ? `${count.toLocaleString("en")} ${count === 1 ? "total" : "totals"}${answer.count < count ? `, ${answer.count.toLocaleString("en")} listed` : ""}. Arrow keys move${this.#board.tree ? ", right and left open and close" : ""}.${disagreeing ? ` ${disagreeing.toLocaleString("en")} ${disagreeing === 1 ? "differs" : "differ"} from the sum of their children at this moment, as they do while a batch is written.` : ""}`
      : "";
    while (this.#pool.length < answer.rows.length) this.#pool.push(this.#newRow());
    this.#pool.forEach((row, place) => {
      const data = answer.rows[place];
      row.element.hidden = !data;
      if (data) this.#fill(row, data, answer.offset + place);
    });
  }

  #newRow() {
    const element = document.createElement("div");
    element.setAttribute("role", "row");
    element.className = "grid-row";
    const cell = (kind, role = "gridcell") => {
      const made = document.createElement("div");
      made.setAttribute("role", role);
      made.className = `cell ${kind}`;
      element.append(made);
      return made;
    };
    const name = cell("name", "rowheader");
    const twist = document.createElement("span");
    twist.className = "twist";
    twist.setAttribute("aria-hidden", "true");
    const label = document.createElement("span");
    name.append(twist, label);
    const amounts = this.#board.measures.map((name) => cell(this.#kind(name)));
    const history = cell("history");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 24");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS(SVG, "polyline");
    svg.append(line);
    history.append(svg);
    const changed = cell("changed");
    const sum = cell("sum");
    this.#body.append(element);
    return { element, name, twist, label, amounts, line, changed, sum, id: "" };
  }

  #fill(row, data, index) {
    const { element } = row;
    const same = row.id === data.id;
    row.id = data.id;
    element.dataset.id = data.id;
    element.style.top = `${index * ROW}px`;
    element.setAttribute("aria-rowindex", String(index + 2));
    element.tabIndex = index === this.#focus ? 0 : -1;
    element.classList.toggle("row-root", data.depth === 0 && data.children > 0);
    if (data.children) element.setAttribute("aria-expanded", String(data.open));
    else element.removeAttribute("aria-expanded");
    element.setAttribute("aria-level", String(data.depth + 1));
    row.name.style.setProperty("--depth", String(data.depth));
    const isTree = document.querySelector("[name=view]:checked")?.value === "tree";
    row.twist.textContent = !isTree || !data.children ? "" : data.open ? "▾" : "▸";
    row.twist.hidden = !isTree;
    if (row.label.textContent !== data.label) row.label.textContent = data.label;
    element.title = data.id;
    data.amounts.forEach((amount, place) => {
      const cell = row.amounts[place];
      if (cell.textContent === amount) return;
      cell.textContent = amount;
      cell.title = amount;
      if (!same) { cell.classList.remove("moved"); return; }
      cell.classList.remove("moved");
      void cell.offsetWidth; // begins the animation again
      cell.classList.add("moved");
    });
    row.line.setAttribute("points", points(data.history));
    row.changed.textContent = data.changed === null ? "" : `${since(data.changed)} ago`;
    if (data.sum === null) {
      row.sum.textContent = "";
      delete row.sum.dataset.agrees;
    } else {
      row.sum.textContent = data.sum ? `= ${data.children.toLocaleString("en")}` : `≠ ${data.children.toLocaleString("en")}`;
      row.sum.dataset.agrees = String(data.sum);
      row.sum.title = data.sum ? `equals the sum of its ${data.children} children` : `differs from the sum of its ${data.children} children at this moment`;
    }
  }

  // -- keys

  #toggle(id) {
    if (!this.#opened.delete(id)) this.#opened.add(id);
    this.ask();
  }

  async #key(event) {
    const row = event.target.closest("[role=row]");
    if (!row || !this.#answer) return;
    const page = Math.max(1, Math.floor(this.#grid.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const isOpen = row.getAttribute("aria-expanded");
    if (event.key in moves) {
      event.preventDefault();
      await this.#moveTo(this.#focus + moves[event.key]);
    } else if ((event.key === "ArrowRight" && isOpen === "false") || (event.key === "ArrowLeft" && isOpen === "true") || (event.key === "Enter" && isOpen !== null)) {
      event.preventDefault();
      this.#toggle(row.dataset.id);
    }
  }

  async #moveTo(index) {
    this.#focus = Math.max(0, Math.min(this.#answer.count - 1, index));
    const top = this.#focus * ROW;
    const room = this.#grid.clientHeight - ROW; // the head covers a row
    if (top < this.#grid.scrollTop) this.#grid.scrollTop = top;
    else if (top + ROW > this.#grid.scrollTop + room) this.#grid.scrollTop = top + ROW - room;
    await this.ask();
    for (const each of this.#pool) {
      const here = Number(each.element.getAttribute("aria-rowindex")) - 2 === this.#focus;
      each.element.tabIndex = here ? 0 : -1;
      if (here) each.element.focus({ preventScroll: true });
    }
  }
}

function points(history) {
  if (history.length < 2) return "";
  const low = Math.min(...history);
  const range = Math.max(...history) - low;
  return history.map((value, place) => `${((100 * place) / (history.length - 1)).toFixed(1)},${(range ? 22 - (20 * (value - low)) / range : 12).toFixed(1)}`).join(" ");
}
