/** Gives the focus to this element unless somebody is at something else: only a focus that was lost with what vanished is given on. */
export function focusIfLost(id: string): void {
  const at = document.activeElement;
  if (!at || at === document.body) document.getElementById(id)?.focus();
}

/** Where the cursor stood: the element by its id, and what of its text was chosen. */
export interface Spot {
  id: string;
  chosen?: [number, number];
}

export function spotOf(at: Element | null | undefined): Spot | undefined {
  if (!at?.id) return undefined;
  const isText = (at instanceof HTMLInputElement && at.type === 'text') || at instanceof HTMLTextAreaElement;
  return { id: at.id, ...(isText ? { chosen: [at.selectionStart ?? 0, at.selectionEnd ?? 0] as [number, number] } : {}) };
}

/** Puts the cursor back; whether there is still such a place. */
export function backTo(spot: Spot): boolean {
  const at = document.getElementById(spot.id);
  if (!at) return false;
  at.focus();
  if (spot.chosen && (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement)) at.setSelectionRange(...spot.chosen);
  at.scrollIntoView({ block: 'nearest' });
  return document.activeElement === at;
}
