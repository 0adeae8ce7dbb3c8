/** Buttons that copy the text they carry; they appear only where copying works. */

const DONE_MS = 2000;

export function copyButtons(): void {
  if (navigator.clipboard === undefined) return;
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const word = button.querySelector("span");
    if (word === null) continue;
    const before = word.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy ?? "");
      word.textContent = "Copied";
      button.dataset.done = "";
      setTimeout(() => {
        word.textContent = before;
        delete button.dataset.done;
      }, DONE_MS);
    });
  }
}
