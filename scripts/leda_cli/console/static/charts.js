// Charts of the last ten minutes. Every chart reads the same ring of buckets, which drops what is older.
import { write } from "./words.js";

const GRID = [
  { title: "Records a second", kind: "rate", perSecond: true, series: [["stream.records", "stream"], ["state.records", "State"], ["map.records", "Map"], ["reduce.records", "Reduce"]] },
  { title: "Bytes a second into the stream", kind: "bytes", perSecond: true, series: [["stream.bytes", "stream"]] },
  { title: "Records of a batch", kind: "rate", series: [["state.batch", "State"], ["map.batch", "Map"], ["reduce.batch", "Reduce"]] },
  { title: "Lag, from message to total", kind: "milliseconds", series: [["reduce.lag", "lag"]] },
  { title: "Oldest change that waits", kind: "milliseconds", series: [["totals.age", "age of the totals"]] },
  { title: "Iterator age", kind: "milliseconds", isOfAccount: true, series: [["state.iterator_age", "State"], ["map.iterator_age", "Map"], ["reduce.iterator_age", "Reduce"]] },
  { title: "Dropped", kind: "count", series: [["state.duplicates", "State: duplicates"], ["state.stale", "State: older versions"], ["map.duplicates", "Map: counted before"], ["reduce.duplicates", "Reduce: added before"]] },
  { title: "Failed invocations, delivered again", kind: "count", series: [["state.errors", "State"], ["map.errors", "Map"], ["reduce.errors", "Reduce"]] },
  { title: "Injected faults", kind: "count", series: [["state.injected", "State"], ["map.injected", "Map"], ["reduce.injected", "Reduce"]] },
  { title: "Quarantined", kind: "count", series: [["state.quarantined", "State"], ["map.quarantined", "Map"], ["reduce.quarantined", "Reduce"]] },
  { title: "Totals that changed", kind: "count", series: [["totals.changed", "totals"]] },
];
// The dash tells series apart without any colour.
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const GAUGES = /\.(batch|lag|age|iterator_age)$/;

export class Charts {
  #ring = new Map(); // when a bucket begins: its figures
  #step = 1;
  #span = 600;
  #made = [];

  constructor(flow, grid, details) {
    this.flow = flow;
    this.grid = grid;
    this.details = details;
    details.addEventListener("toggle", () => this.#draw());
    addEventListener("resize", () => this.#resize());
    for (const element of flow.querySelectorAll("[data-chart]")) {
      this.#made.push(this.#small(element));
    }
    // Local AWS has no metric of an iterator's age.
    for (const chart of GRID) if (!chart.isOfAccount || !("local" in grid.dataset)) this.#made.push(this.#large(chart));
  }

  take(flow) {
    this.#step = flow.step;
    this.#span = flow.span;
    for (const [at, figures] of flow.points) this.#ring.set(at, figures);
    const oldest = flow.now - this.#span;
    for (const at of this.#ring.keys()) if (at < oldest) this.#ring.delete(at);
    this.now = flow.now;
    this.#draw();
  }

  recolour() {
    for (const chart of this.#made) {
      chart.paint?.();
      chart.plot.redraw(false);
    }
  }

  #small(element) {
    const colour = () => colourOf("--flow");
    const options = {
      width: Math.max(40, element.clientWidth), height: 46, legend: { show: false }, cursor: { show: false },
      axes: [{ show: false }, { show: false }], padding: [2, 0, 0, 0],
      scales: { x: { time: false }, y: { range: (_u, _low, high) => [0, Math.max(1, high ?? 1)] } },
      series: [{}, { stroke: colour, fill: () => `color-mix(in srgb, ${colour()} 22%, transparent)`, width: 1.5, points: { show: false } }],
    };
    const name = element.dataset.chart;
    return { element, height: 46, series: [name], perSecond: true, plot: new uPlot(options, [[], []], element) };
  }

  #large(chart) {
    const figure = document.createElement("div");
    figure.className = "chart";
    const title = document.createElement("h3");
    title.textContent = chart.title;
    const keys = document.createElement("p");
    keys.className = "keys";
    const values = chart.series.map(([, label]) => {
      const key = document.createElement("span");
      const line = document.createElement("i");
      const text = document.createElement("span");
      text.textContent = label;
      key.append(line, text);
      keys.append(key);
      return { line, text, label };
    });
    const element = document.createElement("div");
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", `${chart.title}: no figures yet`);
    figure.append(title, keys, element);
    this.grid.append(figure);
    const colour = (place) => colourOf(`--series-${(place % 4) + 1}`);
    const axis = { stroke: () => colourOf("--muted"), grid: { stroke: () => colourOf("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const options = {
      width: 300, height: 130, legend: { show: false }, cursor: { points: { size: 5 }, drag: { x: false, y: false } },
      axes: [
        { ...axis, size: 22, values: (_u, marks) => marks.map((at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })), space: 70 },
        { ...axis, size: 54, values: (_u, marks) => marks.map((mark) => (chart.kind === "count" && mark % 1 ? "" : write(chart.kind, mark))), space: 26 },
      ],
      scales: { x: { time: false }, y: { range: (_u, _low, high) => [0, Math.max(1, high ?? 1) * 1.05] } },
      series: [{}, ...chart.series.map((_, place) => ({ stroke: () => colour(place), dash: DASHES[place], width: 1.8, points: { show: false }, spanGaps: GAUGES.test(chart.series[0][0]) }))],
    };
    const paint = () => values.forEach(({ line }, place) => { line.style.borderTopColor = colour(place); line.style.borderTopStyle = ["solid", "dashed", "dotted", "dashed"][place]; });
    paint();
    return {
      element, height: 130, series: chart.series.map(([name]) => name), perSecond: chart.perSecond, isLarge: true, paint, chart, values,
      plot: new uPlot(options, [[], ...chart.series.map(() => [])], element),
    };
  }

  #resize() {
    for (const chart of this.#made) {
      const width = chart.element.clientWidth;
      if (width > 0 && width !== chart.plot.width) chart.plot.setSize({ width, height: chart.height });
    }
  }

  #draw() {
    if (!this.now) return;
    const last = Math.floor(this.now / this.#step) * this.#step;
    const times = [];
    for (let at = last - this.#span + this.#step; at <= last; at += this.#step) times.push(at);
    this.#resize();
    for (const chart of this.#made) {
      if (chart.isLarge && !this.details.open) continue;
      const columns = chart.series.map((name) => times.map((at) => this.#value(name, at, chart.perSecond)));
      chart.plot.setData([times, ...columns]);
      if (chart.isLarge) this.#describe(chart, columns);
    }
  }

  #value(name, at, perSecond) {
    const bucket = this.#ring.get(at);
    if (name.endsWith(".batch")) {
      const stage = name.slice(0, -".batch".length);
      const batches = bucket?.[`${stage}.batches`];
      return batches ? bucket[`${stage}.records`] / batches : null;
    }
    const value = bucket?.[name];
    if (value === undefined) return GAUGES.test(name) ? null : 0;
    return perSecond ? value / this.#step : value;
  }

  #describe(chart, columns) {
    const parts = columns.map((column, place) => {
      const known = column.filter((value) => value !== null);
      const highest = known.length ? Math.max(...known) : 0;
      return `${chart.values[place].label} at most ${write(chart.chart.kind, highest)}`;
    });
    chart.element.setAttribute("aria-label", `${chart.chart.title}, last ten minutes: ${parts.join(", ")}`);
  }
}
