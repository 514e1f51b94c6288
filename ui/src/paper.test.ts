import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { PageImage } from './host';
import { print } from './paper';

/** As much of a window as printing needs; `prints` counts what went to the system's print window. */
function window_() {
  const listeners: (() => void)[] = [];
  const sheets: object[] = [];
  const seen = { prints: 0, sheets, close: () => listeners.splice(0).forEach((heard) => heard()) };
  const box = { replaceChildren: (...list: object[]) => void sheets.splice(0, sheets.length, ...list) };
  vi.stubGlobal('document', {
    getElementById: () => box,
    createElement: () => {
      const sheet = { src: '', decode: () => Promise.resolve(), remove: () => void sheets.splice(sheets.indexOf(sheet), 1) };
      return sheet;
    },
  });
  vi.stubGlobal('window', { addEventListener: (_: string, heard: () => void) => listeners.push(heard), print: () => seen.prints++ });
  return seen;
}

beforeEach(() => {
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:page');
  vi.spyOn(URL, 'revokeObjectURL').mockReturnValue();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const pages = (count: number) => () => Promise.resolve({ image: new Blob(), pages: count });

it('prints every page of every volet and takes them out of the window again', async () => {
  const seen = window_();
  await print([pages(2), pages(1)]);
  expect([seen.prints, seen.sheets.length]).toEqual([1, 3]);
  seen.close();
  expect(seen.sheets).toEqual([]);
});

it('begins no second print while one is under way', async () => {
  const seen = window_();
  let arrive: (page: PageImage) => void = () => {};
  const first = print([() => new Promise((resolve) => (arrive = resolve))]);
  await print([pages(1)]);
  expect(seen.prints).toBe(0);
  arrive({ image: new Blob(), pages: 1 });
  await first;
  expect(seen.prints).toBe(1);
});

it('prints again after a print that failed', async () => {
  const seen = window_();
  await expect(print([() => Promise.reject(new Error('no page'))])).rejects.toThrow('no page');
  await print([pages(1)]);
  expect(seen.prints).toBe(1);
});

it('what the first print leaves behind does not take the pages of the second away', async () => {
  const seen = window_();
  await print([pages(1)]);
  await print([pages(2)]);
  expect(seen.sheets.length).toBe(2);
});
