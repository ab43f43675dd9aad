const body = document.querySelector("#cohort tbody");
const headings = [...document.querySelectorAll("#cohort thead th")];
const valueOf = (row, column) => {
  const cell = row.children[column];
  if (!("value" in cell.dataset)) return cell.textContent.trim();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
};
const compare = (one, other, sign) => {
  if (one === null || other === null) return (one === null) - (other === null); // without a value: last, either way
  return sign * (typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true }));
};
headings.forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => {
    const ascending = heading.getAttribute("aria-sort") === "descending" || (heading.getAttribute("aria-sort") === null && column < 3);
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const rows = [...body.rows].sort((one, other) => compare(valueOf(one, column), valueOf(other, column), ascending ? 1 : -1));
    body.append(...rows);
  });
});
const search = document.querySelector("#search");
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of body.rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  document.querySelector("#shown").textContent = wanted ? `${shown} of ${body.rows.length}` : "";
});
