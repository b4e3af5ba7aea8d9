"use strict";
(() => {
  const body = document.body;
  const items = Array.from(document.querySelectorAll(".item"));
  const store = "thresher-sheet-" + body.dataset.key;
  const keys = { r: "right", w: "wrong", u: "unsure" };
  let current = 0;

  const read = () => {
    try { return JSON.parse(localStorage.getItem(store)) || {}; } catch (problem) { return {}; }
  };
  const write = (labels) => {
    try { localStorage.setItem(store, JSON.stringify(labels)); } catch (problem) { /* a page without storage still saves by download */ }
  };
  const labels = () => Object.fromEntries(items.filter((item) => item.dataset.label).map((item) => [item.dataset.docId, item.dataset.label]));

  const show = (item, label) => {
    if (label) item.dataset.label = label; else delete item.dataset.label;
    for (const button of item.querySelectorAll("[data-label]")) button.setAttribute("aria-pressed", String(button.dataset.label === label));
  };
  const progress = () => {
    const done = items.filter((item) => item.dataset.label).length;
    document.getElementById("progress").textContent = `${done} of ${items.length} labelled`;
    document.getElementById("done").value = done;
  };
  const choose = (item, label) => {
    show(item, item.dataset.label === label ? "" : label);
    write(labels());
    progress();
  };
  const go = (index) => {
    current = Math.max(0, Math.min(items.length - 1, index));
    items[current].focus({ preventScroll: true });
    items[current].scrollIntoView({ block: "start" });
  };
  const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  const csv = () => {
    const rows = items.map((item) => [item.dataset.number, item.dataset.docId, body.dataset.rule, body.dataset.population, body.dataset.seed, item.dataset.label || ""]);
    return [body.dataset.columns, ...rows.map((row) => row.map(cell).join(","))].join("\n") + "\n";
  };
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `labels-${body.dataset.rule}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  items.forEach((item, index) => {
    item.addEventListener("focusin", () => { current = index; });
    for (const button of item.querySelectorAll("button")) button.addEventListener("click", () => choose(item, button.dataset.label));
  });
  document.getElementById("save").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (keys[key]) { choose(items[current], keys[key]); if (items[current].dataset.label) go(current + 1); }
    else if (key === "j") go(current + 1);
    else if (key === "k") go(current - 1);
  });
  const known = read();
  for (const item of items) show(item, known[item.dataset.docId] || "");
  progress();
})();
