/** Says while you type whether a name for a device is well formed; the server has the last word. */

import { checkLabel } from "../../protocol/names.ts";

export function labelCheck(): void {
  const input = document.querySelector<HTMLInputElement>('[data-island="label"]');
  const verdict = document.querySelector<HTMLElement>("[data-label-verdict]");
  if (input === null || verdict === null) return;
  const say = () => {
    const typed = input.value;
    const folded = typed.toLowerCase().replace(/[\s_]+/g, "-");
    if (folded !== typed) {
      const at = input.selectionStart;
      input.value = folded;
      input.setSelectionRange(at, at);
    }
    const problem = folded.length < 3 ? null : checkLabel(folded);
    const full = `${folded}${verdict.dataset.zone ?? ""}`;
    verdict.classList.toggle("good", folded.length >= 3 && problem === null);
    if (folded.length < 3) verdict.textContent = "At least three letters, digits or hyphens.";
    else if (problem === "label-reserved") verdict.textContent = "This name is reserved.";
    else if (problem === "label-syntax")
      verdict.textContent = "Letters a–z, digits and hyphens; no hyphen at either end.";
    else verdict.textContent = `Your device will be ${full}`;
  };
  input.addEventListener("input", say);
  if (input.value !== "") say();
}
