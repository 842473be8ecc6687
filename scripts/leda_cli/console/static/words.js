// Numbers and times as a person reads them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export function write(kind, value) {
  if (value === undefined || value === null) return kind === "rate" || kind === "count" || kind === "bytes" ? "0" : "–";
  if (kind === "bytes") return bytes(value);
  if (kind === "milliseconds") return value < 1000 ? `${whole.format(value)} ms` : since(value / 1000);
  if (kind === "seconds") return value < 10 ? `${tenth.format(value)} s` : since(value);
  if (kind === "rate") return value < 10 ? tenth.format(value) : whole.format(value);
  return whole.format(value);
}

function bytes(value) {
  if (value < 1000) return `${whole.format(value)} B`;
  if (value < 1e6) return `${tenth.format(value / 1e3)} kB`;
  return `${tenth.format(value / 1e6)} MB`;
}

export function since(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}
