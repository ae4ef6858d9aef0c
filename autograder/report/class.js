"use strict";
// Sorting, searching and filtering of the table of students. Texts are read and compared, never taken for markup.
(() => {
  const table = document.getElementById("students");
  if (!table) return;
  const body = table.tBodies[0];
  const controls = document.getElementById("controls");
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  const finding = document.getElementById("finding");
  const told = document.getElementById("told");
  const headers = Array.from(table.tHead.rows[0].cells);
  const rows = Array.from(body.rows, (row, place) => ({
    row,
    place,
    text: row.textContent.toLocaleLowerCase(),
    status: row.dataset.s,
    findings: new Set((row.dataset.f || "").split(" ")),
    texts: Array.from(row.cells, (cell) => cell.textContent.trim()),
    hidden: false,
  }));
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // What is not there, a dash, is the least of numbers and the last of texts.
  function compare(column, numbers) {
    if (numbers) {
      const of = (entry) => { const value = parseFloat(entry.texts[column]); return Number.isNaN(value) ? -1 : value; };
      return (a, b) => of(a) - of(b);
    }
    return (a, b) => {
      const [one, other] = [a.texts[column], b.texts[column]];
      return (one === "") - (other === "") || collator.compare(one, other);
    };
  }

  function sort(header) {
    const column = headers.indexOf(header);
    const numbers = header.classList.contains("number");
    const before = header.getAttribute("aria-sort");
    // Names and words begin with A; of numbers the highest are looked for first.
    const ascending = before ? before === "descending" : !numbers;
    const by = compare(column, numbers);
    rows.sort((a, b) => (ascending ? by(a, b) : by(b, a)) || a.place - b.place);
    const sorted = document.createDocumentFragment();
    for (const entry of rows) sorted.append(entry.row);
    body.append(sorted);
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  }

  function filter() {
    const words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of rows) {
      const fits =
        words.every((word) => entry.text.includes(word)) &&
        (!status.value || entry.status === status.value) &&
        (!finding.value || entry.findings.has(finding.value));
      if (entry.hidden === fits) {
        entry.hidden = !fits;
        entry.row.hidden = !fits;
      }
      shown += fits;
    }
    told.textContent = shown === rows.length ? `All ${shown} are shown.` : `${shown} of ${rows.length} are shown.`;
  }

  for (const header of headers) {
    const button = header.querySelector("button");
    if (button) button.addEventListener("click", () => sort(header));
  }
  search.addEventListener("input", filter);
  status.addEventListener("change", filter);
  finding.addEventListener("change", filter);
  document.getElementById("clear").addEventListener("click", () => {
    search.value = status.value = finding.value = "";
    filter();
    search.focus();
  });
  controls.hidden = false;
  // A browser keeps what was typed when a page is loaded again.
  filter();
})();
