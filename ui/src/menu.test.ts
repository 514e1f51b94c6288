import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { watchMenu } from './menu';

class Input {
  constructor(
    readonly type: string,
    readonly readOnly = false,
    readonly disabled = false,
  ) {}
}
class Area extends Input {}

let open: (event: unknown) => void;
let locked: boolean;
beforeEach(() => {
  locked = false;
  vi.stubGlobal('HTMLInputElement', Input);
  vi.stubGlobal('HTMLTextAreaElement', Area);
  vi.stubGlobal('addEventListener', (name: string, listener: typeof open, options: { capture: boolean }) => {
    if (name === 'contextmenu' && options.capture) open = listener;
  });
  watchMenu(() => locked);
});
afterEach(() => vi.unstubAllGlobals());

function opens(target: object | null): boolean {
  const preventDefault = vi.fn();
  open({ target, preventDefault });
  return preventDefault.mock.calls.length === 0;
}

it('opens where something can be pasted, and where the page could be read again it does not', () => {
  expect([opens(new Input('text')), opens(new Area('textarea'))]).toEqual([true, true]);
  expect([opens({}), opens(null), opens(new Input('checkbox')), opens(new Input('text', true)), opens(new Area('textarea', false, true))]).toEqual([false, false, false, false, false]);
});

it('opens nowhere in a locked window', () => {
  locked = true;
  expect(opens(new Input('text'))).toBe(false);
});
