"use strict";
const byId = (id) => document.getElementById(id);
const all = (where, selector) => [...where.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// More data: a page from disk may load scripts, so each file calls arrive(name, data). Everything in it is shown as text.
const arrived = {};
const waiting = {};
window.arrive = (name, data) => waiting[name](data);
function load(name) {
  arrived[name] ??= new Promise((resolve, reject) => {
    waiting[name] = resolve;
    document.head.append(make("script", { src: `data/${name}.js`, onerror: () => reject(new Error(`data/${name}.js is not there`)) }));
  });
  return arrived[name];
}

// Colours: as the system has them, light or dark.
const themes = ["auto", "light", "dark"];
const remembered = {
  get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (theme) => { try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing */ } },
};
function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").querySelector("span").textContent = theme;
  byId("theme").setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system has them" : theme}`);
  byId("theme").value = theme;
}
setTheme(themes.includes(remembered.get()) ? remembered.get() : "auto");
byId("theme").hidden = false;
byId("theme").addEventListener("click", () => {
  const next = themes[(themes.indexOf(byId("theme").value) + 1) % themes.length];
  setTheme(next);
  remembered.set(next);
});

// Sorting: ranked rows only, calibration keeps its place; rows without a value stay last.
for (const button of all(document, "button.sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const worst = button.dataset.better === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === button.dataset.better ? worst : button.dataset.better;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const body = head.closest("table").querySelector("tbody.ranked");
    if (!body) return;
    const number = (row) => row.cells[head.cellIndex].dataset.value;
    const sign = order === "ascending" ? 1 : -1;
    body.append(...[...body.rows].sort((a, b) => {
      const [x, y] = [number(a), number(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (Number(x) - Number(y));
    }));
  });
}

// Filters. A model's name is looked for in tables, plots, players and cards; what has nothing to show is hidden.
const boards = all(document, "section.board");
const choices = { task: byId("task"), dataset: byId("dataset") };
for (const [field, select] of Object.entries(choices)) {
  if (!select) continue;
  const values = new Set(boards.map((board) => board.dataset[field]).filter(Boolean));
  select.append(...[...values].sort().map((value) => make("option", { value, textContent: value })));
}
const shortName = (row) => row.querySelector("th").textContent.toLowerCase();
function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const sources = all(document, "input[name=source]").filter((box) => box.checked).map((box) => box.value);
  let shown = 0;
  for (const board of boards) {
    const group = board.closest(".group");
    const fits = (!group || sources.includes(group.dataset.source))
      && Object.entries(choices).every(([field, select]) => !select?.value || select.value === board.dataset[field]);
    let any = wanted === "";
    const matches = {};
    for (const row of all(board, "table.standings tbody tr")) {
      matches[row.dataset.row] = row.parentNode.className !== "ranked" || shortName(row).includes(wanted);
      any ||= row.parentNode.className === "ranked" && matches[row.dataset.row];
    }
    for (const element of all(board, "[data-row]")) element.classList.toggle("dim", matches[element.dataset.row] === false);
    for (const body of all(board, "table.papers tbody")) {
      const rows = all(body, "tr[data-name]");
      for (const row of rows) row.hidden = !shortName(row).includes(wanted);
      const unread = body.className === "unverified" && !byId("unverified").checked;
      body.hidden = unread || rows.every((row) => row.hidden);
      any ||= !body.hidden;
    }
    const papers = all(board, "table.papers tbody");
    if (papers.length) any = papers.some((body) => !body.hidden);
    board.hidden = !fits || !any;
    const entry = document.querySelector(`[data-toc="${board.id}"]`);
    if (entry) entry.hidden = board.hidden;
    shown += !board.hidden;
  }
  for (const group of all(document, ".group")) group.hidden = all(group, "section.board").every((board) => board.hidden);
  for (const card of all(document, ".cardlet[data-name]")) card.hidden = !card.dataset.name.toLowerCase().includes(wanted);
  if (byId("nomatch")) byId("nomatch").hidden = shown > 0 || boards.length === 0;
}
byId("tools").hidden = false;
byId("tools").addEventListener("input", filter);
byId("tools").addEventListener("submit", (event) => event.preventDefault());

// The card of one value.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("td button.value");
  if (!button) return;
  const { columns, rows } = await load(`b${button.closest("section.board").dataset.board}`);
  const place = button.closest("td").cellIndex - 1;
  const column = columns[place];
  const row = rows[button.closest("tr").dataset.row];
  const cell = row.cells[place];
  const set = (id, text) => { byId(id).textContent = text; };
  set("card-row", row.kind === "model" ? row.model + " · " + row.preset : row.model + " · calibration");
  set("card-title", column.label);
  set("card-value", cell.value);
  set("card-interval", (cell.interval + " " + column.unit).trim());
  set("card-description", column.description);
  set("card-remark", cell.remark);
  set("card-signature", column.signature + " = " + (cell.value + " " + cell.interval).trim());
  const facts = {
    frames: cell.ok, persons: cell.persons, run: row.run, finished: row.created,
    weights: row.weights ? "sha256 " + row.weights : "", licence: row.licence, paper: row.paper,
  };
  byId("card-facts").replaceChildren(...Object.entries(facts).filter(([, text]) => text !== "").flatMap(
    ([term, textContent]) => [make("dt", { textContent: term }), make("dd", { textContent })]));
  byId("card").showModal();
});
byId("card").addEventListener("click", (event) => { if (event.target === byId("card")) byId("card").close(); });

// A link to a card opens it.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();

// Behind the values: the worst frames of one model, and a table by person that opens into pairs.
function picture(path, side) {
  const shown = path ? make("img", { src: path, alt: side, loading: "lazy" }) : make("span", { className: "noframe", textContent: "not stored" });
  return make("div", {}, shown, make("span", { className: "label", textContent: side }));
}
function gallery(place, rows, data, row) {
  const found = data.worst.find(([line]) => line === row);
  place.replaceChildren(...(found ? found[1] : []).map((worst) => {
    const value = worst.value === null ? "failed" : worst.value.toFixed(data.digits);
    const sides = ["source", "driving", "output", "truth"].filter((side) => worst[side] || side === "output");
    return make("figure", { className: "worst" },
      make("figcaption", {}, make("b", { textContent: value }), ` frame ${worst.frame} `, make("bdi", { textContent: worst.pair })),
      make("div", { className: "sides" }, ...sides.map((side) => picture(worst[side], side))));
  }));
  if (!found) place.append(make("p", { className: "hint", textContent: `no frames of ${rows[row].name} to show` }));
}
function people(table, rows, data) {
  const text = (cell) => cell ? (cell[0] === null ? "failed" : cell[0].toFixed(data.digits)) : "—";
  const numbers = [...data.persons, ...data.pairs].map((group) => group.at(-1)).flatMap((cells) => cells.filter((cell) => cell && cell[0] !== null).map((cell) => cell[0])).sort((a, b) => a - b);
  const worse = (value) => {
    const below = numbers.filter((number) => number < value).length;
    const above = numbers.filter((number) => number > value).length;
    return Math.round(4 * (data.higher ? above : below) / Math.max(numbers.length - 1, 1));
  };
  const tds = (cells) => cells.map((cell) => {
    const td = make("td", { textContent: text(cell), className: cell && cell[0] !== null && numbers.length > 1 ? `w${worse(cell[0])}` : "null" });
    if (cell && cell[2]) td.append(make("span", { className: "sub", textContent: `${cell[2]} lost` }));
    return td;
  });
  const head = make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: "person, then pair" }),
    ...rows.map((row) => make("th", { scope: "col", className: "number" }, make("bdi", { textContent: row.name })))));
  table.replaceChildren(head, ...data.persons.map(([person, cells], index) => {
    const pairs = data.pairs.filter(([, of]) => of === index);
    const button = make("button", { type: "button", className: "open", disabled: !pairs.length }, make("bdi", { textContent: person }));
    button.setAttribute("aria-expanded", "false");
    const body = make("tbody", {}, make("tr", {}, make("th", { scope: "row" }, button), ...tds(cells)));
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) for (const row of all(body, "tr.of-pair")) row.remove();
      else body.append(...pairs.map(([pair, , of]) => make("tr", { className: "of-pair" },
        make("th", { scope: "row" }, make("bdi", { textContent: pair })), ...tds(of))));
    });
    return body;
  }));
}
for (const details of all(document, "details.behind")) {
  const board = details.closest("section.board").dataset.board;
  const [metric, row] = [details.querySelector(".metric-of"), details.querySelector(".row-of")];
  async function show() {
    const [{ rows }, data] = await Promise.all([load(`b${board}`), load(`b${board}c${metric.value}`)]);
    if (!row.options.length) {
      row.append(...rows.map((of, value) => make("option", { value, textContent: of.name })));
      row.value = String(Math.max(rows.findIndex((of) => of.kind === "model"), 0));
    }
    gallery(details.querySelector(".gallery"), rows, data, Number(row.value));
    people(details.querySelector(".people"), rows, data);
    const cut = [["persons", data.persons.length, data.n_persons], ["pairs", data.pairs.length, data.n_pairs]].filter(([, shown, of]) => shown < of);
    details.querySelector(":scope > .hint").textContent = "The worst come first; a darker cell is a worse value. "
      + cut.map(([what, shown, of]) => `Of ${of} ${what} the worst ${shown} are here. `).join("");
  }
  details.addEventListener("toggle", () => { if (details.open) show(); });
  metric.addEventListener("input", show);
  row.addEventListener("input", show);
}

// Players: one scrubber moves all videos of a pair. The first is the clock: while it plays, the others follow it within
// half a frame; a video that lacks frames (its model could not be driven there) shows the last one before.
for (const player of all(document, ".player")) {
  const fps = Number(player.dataset.fps);
  const videos = all(player, "video").map((video) => ({ video, frames: video.dataset.frames.split(" ").map(Number) }));
  const [clock, ...others] = videos;
  const [range, output, play] = ["input", "output", ".play"].map((selector) => player.querySelector(selector));
  const same = (one) => one.frames.length === clock.frames.length;
  const last = clock.frames.length - 1;
  let rate = 1;
  let playing = false;
  const timeOf = (one, frame) => {
    const after = one.frames.findIndex((number) => number > frame);
    return ((after < 0 ? one.frames.length : Math.max(after, 1)) - 0.5) / fps;
  };
  const seek = (one, time) => {
    if (one.video.readyState === 0) { one.video.preload = "auto"; one.video.load(); }
    if (Math.abs(one.video.currentTime - time) > 0.25 / fps) one.video.currentTime = time;
  };
  function tell(place) {
    range.value = String(place);
    output.textContent = `frame ${clock.frames[place]}`;
    range.setAttribute("aria-valuetext", output.textContent);
  }
  function go(place) {
    tell(place);
    for (const one of videos) seek(one, timeOf(one, clock.frames[place]));
  }
  function pause() {
    playing = false;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
    for (const { video } of videos) video.pause();
  }
  function follow() {
    if (!playing) return;
    const now = clock.video.currentTime;
    const place = Math.min(last, Math.floor(now * fps + 1e-3));
    tell(place);
    for (const one of others) {
      if (!same(one)) seek(one, timeOf(one, clock.frames[place]));
      else if (!one.video.seeking && Math.abs(one.video.currentTime - now) > 0.5 / fps) one.video.currentTime = now;
    }
    requestAnimationFrame(follow);
  }
  const ready = ({ video }) => new Promise((resolve) => {
    if (video.readyState >= 3 && !video.seeking) { resolve(); return; }
    for (const event of ["canplay", "seeked", "error"]) video.addEventListener(event, resolve, { once: true });
  });
  async function start() {
    playing = true;
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    go(Number(range.value) >= last ? 0 : Number(range.value));
    await Promise.all(videos.map(ready));
    if (!playing) return;
    for (const one of videos) {
      one.video.playbackRate = rate;
      if (one === clock || same(one)) one.video.play().catch(pause);
    }
    follow();
  }
  clock.video.addEventListener("ended", () => { if (playing) { pause(); go(0); start(); } });
  play.addEventListener("click", () => { if (playing) { pause(); go(Number(range.value)); } else start(); });
  range.addEventListener("input", () => { pause(); go(Number(range.value)); });
  for (const button of all(player, ".step")) {
    button.addEventListener("click", () => {
      pause();
      go(Math.min(last, Math.max(0, Number(range.value) + Number(button.dataset.by))));
    });
  }
  player.querySelector("select").addEventListener("input", (event) => {
    rate = Number(event.target.value);
    for (const { video } of videos) video.playbackRate = rate;
  });
  player.querySelector(".controls").hidden = false;
}
