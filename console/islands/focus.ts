/** Moves the focus to what went wrong, so that it is heard and Tab goes on from there. */

export function focusAlert(): void {
  document.querySelector<HTMLElement>("[data-focus]")?.focus();
}
