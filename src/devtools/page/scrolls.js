// A box of limited height, with a sign at its lower edge while it can be scrolled further down.

import { make } from "./words.js";

export function scrolls(box) {
  const around = make("div", { class: "scrolls" }, box);
  const look = () => around.classList.toggle("more", box.scrollHeight - box.clientHeight - box.scrollTop > 4);
  box.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(box);
  new MutationObserver(look).observe(box, { childList: true, subtree: true, characterData: true });
  return around;
}
