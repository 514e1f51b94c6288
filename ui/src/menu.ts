/** Kinds of fields that hold text. */
const TEXT = ['text', 'search', 'email', 'tel', 'url', 'password', 'number', 'date'];

/** Where the webview's menu cuts, copies and pastes. Anywhere else it offers to read the page again, and with it to lose what was typed. */
function isText(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return !target.readOnly && !target.disabled;
  return target instanceof HTMLInputElement && TEXT.includes(target.type) && !target.readOnly && !target.disabled;
}

/** From now on the webview's own menu opens in text fields alone, and nowhere while the window is locked. */
export function watchMenu(isLocked: () => boolean): void {
  const open = (event: Event) => {
    if (isLocked() || !isText(event.target)) event.preventDefault();
  };
  addEventListener('contextmenu', open, { capture: true });
}
