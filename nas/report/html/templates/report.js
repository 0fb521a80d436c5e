"use strict";
(() => {
  document.documentElement.classList.add("js");
  const cards = new Map([...document.querySelectorAll("[data-card]")].map((card) => [card.dataset.card, card]));
  const marks = [...document.querySelectorAll("[data-tree]")];
  const recommended = document.querySelector("[data-recommended]") || cards.values().next().value;
  let chosen = recommended.dataset.card;

  function show(tree) {
    for (const [id, card] of cards) card.hidden = id !== tree;
    for (const mark of marks) mark.classList.toggle("on", mark.dataset.tree === tree);
  }

  function choose(mark) {
    chosen = mark.dataset.tree;
    show(chosen);
    const plot = mark.closest("svg");
    for (const other of plot.querySelectorAll("[data-tree]")) other.tabIndex = other === mark ? 0 : -1;
  }

  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
  for (const plot of document.querySelectorAll("svg.plot")) {
    const own = [...plot.querySelectorAll("[data-tree]")];
    if (!own.length) continue;
    (own.find((mark) => mark.dataset.tree === chosen) || own[0]).tabIndex = 0;
    for (const mark of own) {
      mark.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(mark.dataset.tree));
      mark.addEventListener("pointerleave", () => show(chosen));
      mark.addEventListener("click", () => choose(mark));
      mark.addEventListener("focus", () => choose(mark));
      mark.addEventListener("keydown", (event) => {
        const next = own[own.indexOf(mark) + steps[event.key]];
        if (event.key in steps) event.preventDefault();
        if (next) next.focus();
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          choose(mark);
        }
      });
    }
  }
  show(chosen);

  const slider = document.getElementById("epoch");
  if (slider) {
    const { epochs, frames } = JSON.parse(document.getElementById("frames").textContent);
    const { kind } = document.getElementById("probabilities").dataset;
    const cells = [...document.querySelectorAll("#probabilities [data-start]")];
    slider.addEventListener("input", () => {
      const frame = frames[slider.value];
      document.getElementById("epoch-shown").textContent = epochs[slider.value];
      slider.setAttribute("aria-valuetext", `epoch ${epochs[slider.value]}`);
      for (const cell of cells) {
        [...cell.children].forEach((bar, c) => {
          const percent = frame[Number(cell.dataset.start) + c];
          bar.style.opacity = percent / 100;
          bar.title = `${kind} ${c}: ${percent} %`;
        });
      }
    });
  }

  for (const button of document.querySelectorAll(".copy")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    });
  }
})();
