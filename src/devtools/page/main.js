import { Feed } from "./feed.js";
import { House } from "./house.js";
import { Numbers } from "./numbers.js";
import { Requests } from "./requests.js";
import { Ribbon, explain } from "./ribbon.js";
import { Sockets } from "./sockets.js";
import { Waited } from "./waited.js";
import { here, time } from "./words.js";

/**
 * Puts the parts of the page into their sections. `base` is the path at which the server has them. A page that embeds them may
 * pass its own name, the meaning of the marks that it will draw on the ribbon, a hint to show while the ribbon is quiet, and a
 * description of further requests that are its own.
 */
export function start(base, { name = "this page", marks, quiet = "the loop waits", requests = "" } = {}) {
  here.name = name;
  const feed = new Feed(base);
  const section = (name) => document.getElementById(name);
  const ribbon = new Ribbon(section("ribbon"), feed, { marks, quiet });
  new Waited(section("waited"), feed);
  new House(section("house"), feed);
  new Numbers(section("numbers"), feed, requests);
  new Sockets(section("numbers"), feed);
  new Requests(section("requests"), feed);
  feed.addEventListener("gap", ({ detail }) => ribbon.tell(explain(detail), detail));
  showState(feed, section("state"));
  return { feed, ribbon };
}

/** Shows whether messages come. It checks the time of the last one, because a blocked server cannot say that it is blocked. */
function showState(feed, place) {
  const say = (text, stopped) => {
    if (place.textContent === text) return;
    place.textContent = text;
    place.classList.toggle("stopped", stopped);
  };
  const look = () => {
    const silent = (performance.now() - feed.heard) * 1000;
    if (feed.state === "lost") say("The server is gone. This page tries again every second.", true);
    else if (feed.state === "connecting") say("Connecting …", false);
    else if (silent > 5e6) say(`Nothing from the server for ${time(Math.floor(silent / 1e6) * 1e6)}: its loop is held.`, true);
    else if (silent > 250_000) say("Nothing from the server: its loop is held.", true);
    else say("Live: each number here was measured by the loop that sends it.", false);
  };
  setInterval(look, 100);
  feed.addEventListener("state", look);
  look();
}
