// The quiz: guess the order, then see what the loop did.

import { table } from "/__loop/table.js";
import { make, time } from "/__loop/words.js";

export class Quiz {
  constructor(section) {
    this.place = make("div");
    section.append(
      make("h2", { id: "quiz-title" }, "In which order?"),
      make("p", {}, "Each of these programs runs in a callback of this server, when you have guessed. Click the buttons below a program in the order in which you think it says them, then “Run it”. What you then see really happened."),
      make("p", {}, "The programs are Rust, and read like Node’s: ", make("code", {}, "set_timeout"), " is setTimeout with the time first, ", make("code", {}, "say.now(x)"), " says the line x at once, and ", make("code", {}, "say.later(x)"), " makes a callback that says x when it is called."),
      this.place,
    );
    this.load();
  }

  async load() {
    const answer = await fetch("/quiz");
    for (const program of await answer.json()) this.place.append(this.program(program));
  }

  program({ name, title, source, lines }) {
    const guess = [];
    const chosen = make("ol", { "aria-label": "Your order" });
    const choices = make("ul", { class: "lines", "aria-label": "Lines to choose from" });
    const result = make("div", { role: "status" });
    const undo = make("button", { type: "button" }, "Take back");
    const run = make("button", { type: "button" }, "Run it");
    const buttons = lines.map((line) => {
      const button = make("button", { type: "button" }, line);
      button.addEventListener("click", () => {
        guess.push(line);
        show();
        const next = buttons.find((other) => !other.disabled) ?? run;
        next.focus();
      });
      choices.append(make("li", {}, button));
      return button;
    });
    const show = () => {
      chosen.replaceChildren(...guess.map((line) => make("li", {}, line)));
      buttons.forEach((button, at) => { button.disabled = guess.includes(lines[at]); });
      undo.disabled = guess.length === 0;
      run.disabled = guess.length < lines.length;
      result.replaceChildren();
    };
    undo.addEventListener("click", () => { guess.pop(); show(); });
    run.addEventListener("click", async () => {
      const answer = await fetch(`/quiz/${name}`, { method: "POST" });
      result.replaceChildren(...(answer.ok ? this.result(title, await answer.json(), guess) : [await answer.text()]));
    });
    show();
    return make("article", { class: "program", id: `quiz-${name}`, "aria-label": title },
      make("h3", {}, title),
      make("pre", { tabindex: "0", role: "region", "aria-label": `Source of: ${title}` }, make("code", {}, source)),
      choices, chosen, make("div", { class: "bar" }, run, undo), result);
  }

  result(title, lines, guess) {
    const right = lines.filter((line, at) => line.line === guess[at]).length;
    const verdict = right === lines.length ? "All right." : `${right} of ${lines.length} in their places.`;
    const rows = lines.map(({ line, phase, iteration, after, why }, at) => {
      const hit = guess[at] === line;
      return [
        String(at + 1), make("strong", {}, line), make("span", { class: hit ? "right" : "wrong" }, hit ? "✓ right" : `✗ ${guess[at]}`),
        phase, iteration === 0 ? "the same" : `+${iteration}`, time(after), why,
      ];
    });
    return [
      make("p", { class: right === lines.length ? "right" : "wrong" }, verdict),
      table(["place", "what came", "your guess", "phase", "iteration", "#since it began", "why"], rows, { "aria-label": `What came: ${title}` }),
      make("p", { class: "quiet" }, "“Since it began”: from the beginning of the program’s callback to the line. “The same”: in the iteration of that callback; +1 is the next one."),
    ];
  }
}
