// Tables for narrow screens: each row becomes a block, with the names of the columns before its cells.

import { make } from "./words.js";

/**
 * Makes a table. `columns` are the names of the columns; a name that begins with "#" is for numbers. A row is a list of cells;
 * a cell is a text, an element or a list of them. With `headed`, the first cell of a row is its header. The roles are the
 * default ones of a table; they are written out because laying a table out as blocks would remove them.
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
