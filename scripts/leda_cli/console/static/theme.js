// Runs before the first paint, so that the page never shows the other colours first.
const chosen = localStorage.getItem("leda-theme");
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
