import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { forms } from './forms.svelte';
import type { OfClosing } from './host';

let closing: typeof import('./closing.svelte').closing;
let lock: { locked: boolean; lock: () => void };
let said: OfClosing[];
const draft = (touched: boolean, outcome?: object) => ({ touched, outcome }) as never;

beforeEach(async () => {
  vi.resetModules();
  said = [];
  lock = { locked: false, lock: () => (lock.locked = true) };
  vi.doMock('./forms.svelte', () => ({ forms }));
  vi.doMock('./lock.svelte', () => ({ lock }));
  vi.doMock('./host', async (real) => ({ ...(await real<typeof import('./host')>()), shell: { sayOfClosing: (what: OfClosing) => said.push(what) } }));
  ({ closing } = await import('./closing.svelte'));
});
afterEach(() => {
  forms.drafts = {};
  forms.aside = {};
});

it('counts what is typed and not sent, also what was put aside', () => {
  expect(closing.unsent).toBe(0);
  forms.drafts = { ecit: draft(true), mh: draft(false), pid: draft(true, { state: 'deposited' }) };
  expect(closing.unsent).toBe(1);
  forms.aside = { ecit: [draft(true), draft(true)], mh: [] };
  expect(closing.unsent).toBe(3);
  forms.drafts = { ecit: draft(true, { state: 'unknown' }) };
  expect(closing.unsent).toBe(2);
});

it('asks, and says what is answered, once', () => {
  closing.hear('ask');
  expect([closing.asked, said]).toEqual([true, ['asked']]);
  closing.keep();
  closing.keep();
  closing.discard();
  expect([closing.asked, said]).toEqual([false, ['asked', 'kept']]);
  closing.hear('ask');
  closing.discard();
  expect(said.slice(2)).toEqual(['asked', 'discarded']);
});

it('closing once more is an answer, unless it was kept meanwhile', () => {
  closing.hear('ask');
  closing.keep();
  closing.hear('ask');
  expect(said).toEqual(['asked', 'kept', 'asked']);
  closing.hear('ask');
  expect(said.slice(3)).toEqual(['discarded']);
});

it('asks nothing of whoever passes by a locked window', () => {
  lock.locked = true;
  closing.hear('ask');
  expect([closing.asked, said]).toEqual([false, ['locked']]);
});

it('a window that is put away is locked, whatever was asked before', () => {
  closing.hear('ask');
  closing.hear('lock');
  expect([lock.locked, closing.asked, said]).toEqual([true, false, ['asked', 'locked']]);
});

it('the question goes with its reason', () => {
  forms.drafts = { ecit: draft(true) };
  closing.hear('ask');
  closing.look();
  expect(closing.asked).toBe(true);
  forms.drafts = { ecit: draft(true, { state: 'deposited' }) };
  closing.look();
  expect(said).toEqual(['asked', 'kept']);
  forms.drafts = { ecit: draft(true) };
  closing.hear('ask');
  lock.locked = true;
  closing.look();
  expect([closing.asked, said.slice(2)]).toEqual([false, ['asked', 'kept']]);
});
