"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Tables: a click on a heading sorts, another one turns the order round; what is empty stays at the end.
function sort(table, heading) {
  const headings = all("thead tr:last-child th", table);
  const column = headings.indexOf(heading);
  const down = heading.getAttribute("aria-sort") === "ascending";
  headings.forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const rows = [...table.tBodies[0].rows];
  const numbers = rows.every((row) => value(row) === "" || Number.isFinite(Number(value(row))));
  const compare = (a, b) => (numbers ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
  rows.sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === "" || b === "") return (a === "") - (b === "");
    return down ? compare(b, a) : compare(a, b);
  });
  table.tBodies[0].append(...rows);
}

for (const table of all("table.sortable")) {
  for (const button of all("thead button", table)) {
    button.addEventListener("click", () => sort(table, button.closest("th")));
  }
}

// What a link leads to is unfolded.
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && (target.matches("details") ? target : target.closest("details"));
  if (folded) folded.open = true;
}
window.addEventListener("hashchange", unfold);
unfold();
