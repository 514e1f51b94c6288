/** Gives the focus to this element unless somebody is at something else: only a focus that was lost with what vanished is given on. */
export function focusIfLost(id: string): void {
  const at = document.activeElement;
  if (!at || at === document.body) document.getElementById(id)?.focus();
}
