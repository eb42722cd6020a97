// Tables that a phone can show: there each row is a block, with the names of the columns before its cells.

import { make } from "./words.js";

/**
 * `columns` are their names; one that begins with "#" is of numbers. A row is a list of cells, each a text, an element or a
 * list of them; the first one may be its header. The roles are those that a table has anyway, until it is laid out as blocks.
 */
export function table(columns, rows, { headed = false, ...attributes } = {}) {
  const named = columns.map((name) => ({ name: name.replace("#", ""), class: name.startsWith("#") ? "number" : "" }));
  const head = named.map((column) => make("th", { role: "columnheader", scope: "col", class: column.class }, column.name));
  const cell = (content, at) => {
    const all = [content].flat();
    if (headed && at === 0) return make("th", { role: "rowheader", scope: "row" }, ...all);
    return make("td", { role: "cell", class: named[at].class, "data-column": named[at].name }, ...all);
  };
  return make("table", { role: "table", class: "blocks", ...attributes },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...head)),
    make("tbody", { role: "rowgroup" }, ...rows.map((row) => make("tr", { role: "row" }, ...row.map(cell)))));
}
