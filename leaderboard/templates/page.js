"use strict";
const cards = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// Sorting: ranked rows only, calibration keeps its place; rows without a value stay last.
for (const button of document.querySelectorAll("button.sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const worst = button.dataset.better === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === button.dataset.better ? worst : button.dataset.better;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const body = head.closest("table").querySelector("tbody.ranked");
    if (!body) return;
    const number = (row) => row.cells[Number(button.dataset.column) + 1].dataset.value;
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [number(a), number(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (Number(x) - Number(y));
    });
    body.append(...rows);
  });
}

// Filtering by model name or preset, in tables, plots and strips; a board without a match is hidden.
byId("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  let shown = 0;
  document.querySelectorAll("section.board").forEach((section, index) => {
    let any = wanted === "";
    for (const element of section.querySelectorAll("[data-row]")) {
      const { model, preset, kind } = cards[index].rows[element.dataset.row];
      if (kind !== "model") continue;
      const match = (model + " " + preset).toLowerCase().includes(wanted);
      element.classList.toggle("dim", !match);
      any = any || match;
    }
    section.hidden = !any;
    shown += any;
  });
  byId("nomatch").hidden = shown > 0;
});

// The card of one value: everything is set as text.
for (const button of document.querySelectorAll("td button.value")) {
  button.addEventListener("click", () => {
    const { columns, rows } = cards[button.dataset.board];
    const column = columns[button.dataset.column];
    const row = rows[button.closest("tr").dataset.row];
    const cell = row.cells[button.dataset.column];
    const value = (cell.value + " " + cell.interval).trim();
    const set = (id, text) => { byId(id).textContent = text; };
    set("card-row", row.kind === "model" ? row.model + " · " + row.preset : row.model + " · calibration");
    set("card-title", column.label);
    set("card-value", cell.value);
    set("card-interval", (cell.interval + " " + column.unit).trim());
    set("card-description", column.description);
    set("card-remark", cell.remark);
    set("card-signature", column.signature + " = " + value);
    const facts = {
      samples: cell.ok, persons: cell.persons, run: row.run, finished: row.created,
      weights: row.weights ? "sha256 " + row.weights : "", licence: row.licence, paper: row.paper,
    };
    byId("card-facts").replaceChildren(...Object.entries(facts).filter(([, text]) => text !== "").flatMap(([term, text]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = term;
      dd.textContent = text;
      return [dt, dd];
    }));
    byId("card").showModal();
  });
}
byId("card").addEventListener("click", (event) => { if (event.target === byId("card")) byId("card").close(); });
