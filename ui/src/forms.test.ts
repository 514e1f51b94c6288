import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Definition, Field } from './api';
import { Draft } from './draft.svelte';
import { forms } from './forms.svelte';

const field = (id: string): Field => ({ id, type: 'text', label: id, required: false });
const definition = (kind: string, ids: string[], more: Partial<Definition> = {}): Definition => ({
  kind,
  shortcut: 'F9',
  version: '1',
  workflow: 'deposit',
  title: kind,
  short_title: kind,
  description: '',
  volets: [],
  totals: [],
  cancellable: true,
  paper: false,
  defaults: {},
  sections: [{ id: 'one', title: '', fields: ids.map(field) }],
  ...more,
});
const definitions: Record<string, Definition> = {
  bill: definition('bill', ['name', 'street']),
  asked: definition('asked', ['name', 'act'], { workflow: 'simulate', turns_into: 'bill' }),
};
let called: { method: string; path: string; body: Record<string, unknown> }[];
let refuse: string | undefined;

beforeEach(() => {
  called = [];
  refuse = undefined;
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const path = url.replace('/econnector', '');
    const body = init.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    called.push({ method: String(init.method), path, body });
    const answer = (status: number, json: unknown) => Promise.resolve(new Response(status === 204 ? null : JSON.stringify(json), { status }));
    if (refuse && path.endsWith(refuse)) return answer(503, { title: 'No', code: 'away', status: 503, fault: 'authority' });
    if (init.method === 'DELETE') return answer(204, {});
    if (path.endsWith('/check')) return answer(200, { findings: [], facts: [], filled: {}, totals: [] });
    if (path.endsWith('/cancellation')) return answer(200, { id: path.split('/')[3], state: 'cancelled' });
    if (path === '/v1/documents') return answer(201, { id: body['id'], kind: body['kind'], state: 'deposited', volets: [] });
    return answer(200, definitions[path.split('/')[3] ?? '']);
  });
});
afterEach(() => {
  forms.drafts = {};
  vi.unstubAllGlobals();
});

async function open(kind: string): Promise<Draft> {
  await forms.open(kind);
  const draft = forms.drafts[kind];
  if (!draft) throw new Error('not open');
  draft.show = () => Promise.resolve();
  return draft;
}
const sent = (end: string) => called.filter(({ method, path }) => method === 'POST' && path.endsWith(end));

it('opens one draft of a kind, without anybody logged in', async () => {
  expect(await open('bill')).toBe(await open('bill'));
});

it('corrects in one action: cancelled for the new id, then open again with the same values', async () => {
  const draft = await open('bill');
  draft.set(field('name'), 'Weis');
  await draft.send();
  expect(await forms.correct(draft, 'wrong street')).toBe(true);
  const next = forms.drafts['bill']!;
  expect(sent('/cancellation')[0]?.body).toEqual({ reason: 'wrong street', replaced_by: next.id });
  expect([next.replaces, next.outcome, next.values]).toEqual([draft.id, undefined, { name: 'Weis' }]);
});

it('a correction whose cancellation failed leaves everything, and is tried again for the same id', async () => {
  const draft = await open('bill');
  await draft.send();
  refuse = '/cancellation';
  expect(await forms.correct(draft, 'x')).toBe(false);
  expect([forms.drafts['bill'], draft.problem?.code]).toEqual([draft, 'away']);
  refuse = undefined;
  expect(await forms.correct(draft, 'x')).toBe(true);
  expect(new Set(sent('/cancellation').map(({ body }) => body['replaced_by'])).size).toBe(1);
});

it('turns one kind into another; a form of that kind somebody was typing into waits and comes back', async () => {
  const bill = await open('bill');
  bill.set(field('name'), 'Muller');
  const asked = await open('asked');
  asked.set(field('name'), 'Weis');
  asked.set(field('act'), 'C1');
  await forms.turn(asked);
  const turned = forms.drafts['bill']!;
  expect(turned.values).toEqual({ name: 'Weis' });
  expect([location.hash, forms.drafts['asked']]).toEqual(['#/new/bill', undefined]);
  await forms.renew('bill');
  expect(forms.drafts['bill']).toBe(bill);
  expect(bill.values).toEqual({ name: 'Muller' });
  await forms.renew('bill');
  expect(forms.drafts['bill']?.touched).toBe(false);
});

it('from the journal an empty form replaces an older document', async () => {
  await forms.replaceEmpty('bill', 'older', 'wrong name');
  const draft = await open('bill');
  draft.set(field('name'), 'Weis');
  await draft.send();
  expect(sent('/v1/documents')[0]?.body).toEqual({ id: draft.id, kind: 'bill', values: { name: 'Weis' }, replaces: 'older', reason: 'wrong name' });
});

it('the same values once more are another document that replaces nothing', async () => {
  const draft = await open('bill');
  draft.set(field('name'), 'Weis');
  await draft.send();
  await forms.again(draft);
  const next = forms.drafts['bill']!;
  expect([next.values, next.replaces, next.id === draft.id]).toEqual([{ name: 'Weis' }, undefined, false]);
});
