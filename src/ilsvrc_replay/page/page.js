// Charts: every .chart names its specifications; the one that its section's switch chooses is drawn.
const specs = JSON.parse(document.getElementById("specs").textContent);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;

async function draw(place) {
  const names = place.dataset.charts.split(" ");
  const section = place.closest("section").id;
  const wanted = names.find((name) => name === `${section}-${chosen(section)}`) ?? names[0];
  const spec = structuredClone(specs[wanted]);
  const values = { protocol: chosen("protocol"), entry: place.dataset.entry };
  for (const parameter of spec.params ?? []) {
    parameter.value = values[parameter.name] ?? parameter.value;
  }
  await vegaEmbed(place, spec, { renderer: "svg", actions: false });
  readable(all("svg path[aria-label]", place), place);
  place.dataset.drawn = wanted;
}

// Whether a chart has this parameter.
function reads(place, parameter) {
  const spec = specs[place.dataset.charts.split(" ")[0]];
  return (spec.params ?? []).some(({ name }) => name === parameter);
}

// Tab reaches a chart's first point, and the arrow keys lead from point to point; under the chart stands what a point's
// tooltip says.
function readable(marks, place) {
  const readout = place.nextElementSibling;
  if (!readout?.matches(".readout")) return;
  marks.forEach((mark, number) => {
    mark.setAttribute("tabindex", number ? "-1" : "0");
    mark.addEventListener("focus", () => { readout.textContent = mark.getAttribute("aria-label"); });
    mark.addEventListener("blur", () => { readout.textContent = ""; });
    mark.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      marks.at((number + step) % marks.length).focus();
    });
  });
}

function show() {
  const protocol = chosen("protocol");
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const board = all("#board-table tbody tr");
  for (const element of all("main [data-protocol]")) {
    const row = element.matches("#board-table tr");
    const text = row ? `${element.textContent} ${element.dataset.words}`.toLowerCase() : null;
    const hidden = text !== null && !words.every((word) => text.includes(word));
    element.hidden = hidden || (Boolean(protocol) && element.dataset.protocol !== protocol);
  }
  const left = board.filter((row) => !row.hidden).length;
  document.getElementById("shown").textContent = left < board.length ? `${left} of ${board.length} rows` : "";
  for (const name of all("[data-protocol-name]")) name.textContent = protocol || "that each row names";
  for (const note of all("[data-option]")) {
    const option = chosen(note.closest("section").id);
    note.hidden = option !== undefined && note.dataset.option !== option;
  }
}

document.getElementById("filter").addEventListener("input", show);
for (const input of all(".switch input")) {
  input.addEventListener("change", () => {
    show();
    const changed = (place) => place.closest("section").id === input.name || reads(place, input.name);
    all(".chart").filter(changed).forEach(draw);
  });
}
show();
Promise.all(all(".chart").map(draw)).then(() => { document.body.dataset.ready = "true"; });
