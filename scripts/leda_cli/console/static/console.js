// The live parts of the page: the figures, their charts, the list of totals, and how long ago the console was heard.
import { Charts } from "./charts.js";
import { Totals } from "./totals.js";
import { write, since } from "./words.js";

const STALE_SECONDS = 12;
const LOST_SECONDS = 60;

const byId = (id) => document.getElementById(id);
const charts = new Charts(byId("flow"), byId("chart-grid"), byId("charts"));
const totals = new Totals();

// -- what the server tells

let heard = 0; // when the last event came, by this machine's clock
let behind = 0; // the server's clock less this one's
let flow = null;
let board = { count: 0 };

const sections = ["status", "age", "verification", "alarms", "quarantine", "cost", "job", "calls"];
const stream = new EventSource("events");
for (const name of [...sections, "flow", "totals", "beat"]) {
  stream.addEventListener(name, (event) => {
    heard = Date.now() / 1000;
    take(name, event.data);
    showAge();
  });
}
window.addEventListener("pagehide", () => stream.close());

function take(name, data) {
  if (name === "beat") {
    behind = JSON.parse(data).now - Date.now() / 1000;
  } else if (name === "flow") {
    flow = JSON.parse(data);
    behind = flow.now - Date.now() / 1000;
    charts.take(flow);
    showFlow();
  } else if (name === "totals") {
    board = JSON.parse(data);
    totals.take(board);
    showFlow();
  } else {
    showSection(name, data);
  }
}

function showSection(name, html) {
  const element = byId(name);
  if (!element) return;
  const before = element.querySelector("[data-version]")?.dataset.version;
  htmx.swap(element, html, { swapStyle: "innerHTML" });
  showTimes(element);
  if (name === "status") {
    const title = element.querySelector(".verdict-title").textContent;
    if (byId("announcement").textContent !== title) byId("announcement").textContent = title;
  }
  if (name === "job") byId("job-section").hidden = !element.textContent.trim();
  if (name === "verification") byId("verify").disabled = !!element.querySelector(".busy");
  if (name === "quarantine" && element.querySelector("[data-version]")?.dataset.version !== before) {
    htmx.trigger("#reason", "refresh");
  }
}

// -- the flow

function showFlow() {
  if (!flow) return;
  const sources = { rates: flow.rates, recent: flow.recent };
  const own = { "board.count": board.count, "board.age": flow.age };
  for (const element of document.querySelectorAll("[data-figure]")) {
    const name = element.dataset.figure;
    const values = sources[element.dataset.from] ?? (name in own ? own : flow.rates);
    const value = values[name];
    element.textContent = write(element.dataset.kind, value);
    const row = element.closest("[data-row]");
    if (row) {
      row.dataset.empty = String(!value);
      row.dataset.on = String(value > 0);
    }
  }
  for (const stage of document.querySelectorAll(".stage")) {
    const failing = flow.failing.includes(stage.dataset.stage);
    stage.dataset.fault = String(failing);
    stage.querySelector(".stage-fault").hidden = !failing;
    const pipe = stage.querySelector(".pipe");
    if (pipe) showPipe(pipe, stage.dataset.stage);
  }
}

function showPipe(pipe, stage) {
  const rate = flow.rates[`${stage}.records`] ?? (stage === "stream" ? flow.rates["map.records"] : 0) ?? 0;
  const force = Math.min(1, Math.log10(1 + rate) / 4);
  pipe.dataset.still = String(!rate);
  pipe.style.setProperty("--load", rate ? String(0.35 + 0.65 * force) : "0");
  pipe.style.setProperty("--pace", `${(1.8 - 1.5 * force).toFixed(1)}s`);
}

// -- clocks

function showAge() {
  const seconds = heard ? Date.now() / 1000 - heard : 0;
  const live = byId("live");
  const state = !heard ? "loading" : seconds > LOST_SECONDS ? "lost" : seconds > STALE_SECONDS ? "stale" : "live";
  const text = { loading: "connecting", live: "live" }[state] ?? `last heard ${since(seconds)} ago`;
  if (live.dataset.state !== state) live.dataset.state = state;
  const label = byId("live-text");
  if (label.textContent !== text) label.textContent = text;
  document.body.dataset.heard = state;
}

function showTimes(root) {
  const now = Date.now() / 1000 + behind;
  for (const element of root.querySelectorAll("time[data-ago]")) {
    element.textContent = `${since(Math.max(0, now - Number(element.dataset.ago)))} ago`;
  }
  for (const element of root.querySelectorAll("time[data-at]")) {
    element.textContent = new Date(Number(element.dataset.at) * 1000).toLocaleTimeString();
  }
}

setInterval(() => {
  showAge();
  showTimes(document);
}, 1000);

// -- theme

const theme = byId("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

function showTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  charts.recolour();
}

theme.addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("leda-theme", next);
  showTheme();
});
dark.addEventListener("change", showTheme);
showTheme();

// -- dialog

const dialog = byId("dialog");
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "dialog-body" && !dialog.open) dialog.showModal();
  showTimes(event.target);
});
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && event.target.matches("[data-closes]")) dialog.close();
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
});
dialog.addEventListener("close", () => { byId("dialog-body").textContent = ""; });
showTimes(document);
