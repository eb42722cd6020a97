// Makes the pages better, which work without it: what a form or a link with `data-live` asks for is shown without a reload,
// a double click edits, and what other tabs and other people change is seen at once.
"use strict";

const list = () => document.getElementById("list");
const isHere = (url) => new URL(url).pathname === location.pathname;
/** Counts what was asked for: of two answers that come in the wrong order the newer one stays. */
let asked = 0;

/** Asks for a page, and shows its list in place of ours. */
async function load(url, options) {
  const mine = ++asked;
  let answer;
  try {
    answer = await fetch(url, options);
  } catch {
    return; // There is no server, or no network: when it is back, the events begin anew, and with them the list.
  }
  // Logged out meanwhile: the way goes on where the server has sent us.
  if (!isHere(answer.url) && answer.redirected) return location.assign(answer.url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("list");
  if (!next) return location.reload();
  if (mine !== asked) return answer;
  list().replaceWith(next);
  document.querySelector(".new [name=show]").value = page.querySelector(".new [name=show]").value;
  const edit = document.getElementById("edit");
  edit?.focus();
  edit?.setSelectionRange(edit.value.length, edit.value.length);
  return answer;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("live" in form.dataset)) return;
  event.preventDefault();
  if (form.dataset.sent) return;
  form.dataset.sent = true;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const answer = await load(form.action, { method: "POST", body });
  delete form.dataset.sent;
  const title = form.querySelector("#new");
  if (title && answer?.ok) form.reset();
  title?.focus();
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-live]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const answer = await load(link.href);
  const url = new URL(link.href);
  // The filter belongs to the address of the page; what is being edited does not.
  url.searchParams.delete("edit");
  if (answer && url.href !== location.href) history.pushState(null, "", url);
});

document.addEventListener("dblclick", (event) => {
  if (event.target.matches(".title")) event.target.parentElement.querySelector("a[data-live]").click();
});

// To leave the field saves, as Enter does; Escape leaves without.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.id !== "edit") return;
  event.target.value = event.target.defaultValue;
  event.target.blur();
});
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  const form = target.form;
  if (target.id !== "edit" || form.dataset.sent || form.contains(relatedTarget) || !document.hasFocus()) return;
  if (target.value === target.defaultValue) load(location.href);
  else form.requestSubmit();
});

addEventListener("popstate", () => load(location.href));

if (list()) {
  const events = new EventSource("/api/todos/events");
  // Whoever is editing is not disturbed, and sees what is new afterwards.
  const refresh = () => document.getElementById("edit") || load(location.href);
  events.addEventListener("changed", refresh);
  events.addEventListener("reset", refresh);
}
