/** Keys that do something once, however long they are held. Text keys repeat: that is how one types and deletes. */
const ONCE_WITH_CONTROL = ['enter', 'delete', 'd', 'p'];

interface Press {
  key: string;
  code: string;
  repeat: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
}

/** GTK has another name for Tab with Shift; its place is the same. */
export const isTab = ({ key, code }: { key: string; code: string }): boolean => key === 'Tab' || code === 'Tab';

/** Which keys are down. Not every webview marks the presses that a held key goes on making. */
export class Keys {
  #down = new Set<string>();

  /** Whether this press is a held key's, and not a finger's. */
  down(press: Press): boolean {
    const name = nameOf(press);
    const held = this.#down.has(name);
    this.#down.add(name);
    return held || press.repeat;
  }

  up(press: Press): void {
    // While Command is down, macOS tells of no other key that is let go.
    if (press.key === 'Meta') this.#down.clear();
    this.#down.delete(nameOf(press));
  }

  /** What is let go elsewhere is not told here. */
  leave(): void {
    this.#down.clear();
  }
}

/** Not every key has a code of its own, and Shift changes what a key writes. */
const nameOf = ({ key, code }: Press) => `${code} ${key.toLowerCase()}`;

/** Whether a held key must not do again what this key does. */
export function isOnce({ key, ctrlKey, metaKey }: Press, isWriting: boolean): boolean {
  if (/^F\d+$/.test(key)) return true;
  if (ctrlKey || metaKey) return ONCE_WITH_CONTROL.includes(key.toLowerCase()) && !(key === 'Delete' && isWriting);
  return key === 'Enter' && !isWriting;
}

/** From now on no held key does anything twice, in any part of the window. */
export function watchKeys(): void {
  const keys = new Keys();
  const down = (event: KeyboardEvent) => {
    if (!keys.down(event) || !isOnce(event, event.target instanceof HTMLTextAreaElement)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener('keydown', down, { capture: true });
  addEventListener('keyup', (event) => keys.up(event), { capture: true });
  addEventListener('blur', () => keys.leave());
}
