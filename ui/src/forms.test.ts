import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Definition, Field, FormSummary, Session } from './api';
import { Draft } from './draft.svelte';
import { forms } from './forms.svelte';
import { who } from './session.svelte';

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
  physician_only: [],
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
let listed: FormSummary[] = [];

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
    if (init.method === 'GET' && path.startsWith('/v1/documents/')) return answer(404, { title: 'No', code: 'document-unknown', status: 404, fault: 'you' });
    if (path.endsWith('/check')) return answer(200, { findings: [], facts: [], filled: {}, totals: [] });
    if (path.endsWith('/cancellation')) return answer(200, { id: path.split('/')[3], state: 'cancelled' });
    if (path === '/v1/documents') return answer(201, { id: body['id'], kind: body['kind'], state: 'deposited', volets: [] });
    if (path === '/v1/forms') return answer(200, { forms: listed });
    return answer(200, definitions[path.split('/')[3] ?? '']);
  });
});
afterEach(() => {
  forms.drafts = {};
  forms.aside = {};
  who.session = undefined;
  vi.unstubAllGlobals();
});

async function open(kind: string): Promise<Draft> {
  await forms.open(kind);
  const draft = forms.drafts[kind];
  if (!draft) throw new Error('not open');
  draft.show = () => Promise.resolve(true);
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
  expect([next.replaces, next.replacesCancelled, next.outcome, next.values]).toEqual([draft.id, true, undefined, { name: 'Weis' }]);
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

it('turns one kind into another; a form somebody was typing into waits until it is resumed', async () => {
  const bill = await open('bill');
  bill.set(field('name'), 'Muller');
  const asked = await open('asked');
  asked.set(field('name'), 'Weis');
  asked.set(field('act'), 'C1');
  await forms.turn(asked);
  const turned = forms.drafts['bill']!;
  expect(turned.values).toEqual({ name: 'Weis' });
  expect([location.hash, forms.drafts['asked'], forms.aside['bill']]).toEqual(['#/new/bill', undefined, [bill]]);
  await forms.renew('bill');
  expect(forms.drafts['bill']!.values).toEqual({});
  await forms.resume('bill');
  expect(forms.drafts['bill']).toBe(bill);
  expect([bill.values, forms.aside['bill']]).toEqual([{ name: 'Muller' }, []]);
});

it('whoever resumes one form puts the other aside', async () => {
  const older = await open('bill');
  older.set(field('name'), 'Muller');
  await forms.replaceEmpty('bill', 'x');
  const newer = forms.drafts['bill']!;
  newer.set(field('name'), 'Weis');
  await forms.resume('bill');
  expect([forms.drafts['bill'], forms.aside['bill']]).toEqual([older, [newer]]);
});

it('an untouched form is not turned into another, and nothing steps aside for it', async () => {
  const bill = await open('bill');
  bill.set(field('name'), 'Muller');
  const asked = await open('asked');
  await forms.turn(asked);
  expect([forms.drafts['bill'], forms.drafts['asked'], forms.aside['bill']]).toEqual([bill, asked, undefined]);
});

it('is already there before the first answer comes', async () => {
  const asked = await open('asked');
  asked.set(field('name'), 'Weis');
  const turning = [forms.turn(asked), forms.turn(asked)];
  expect([location.hash, forms.drafts['asked'], forms.drafts['bill']?.touched]).toEqual(['#/new/bill', undefined, true]);
  await Promise.all(turning);
  expect(forms.drafts['bill']!.values).toEqual({ name: 'Weis' });
  const replacing = forms.replaceEmpty('bill', 'older');
  expect(forms.drafts['bill']?.replaces).toBe('older');
  await replacing;
});

it('forms stand in the order of their keys', async () => {
  const summary = (shortcut: string) => ({ kind: shortcut, shortcut, title: '', short_title: '', description: '', workflow: 'deposit' as const });
  listed = ['F10', '', 'F3', 'F2'].map(summary);
  await forms.load();
  expect(forms.list.map((one) => one.shortcut)).toEqual(['F2', 'F3', 'F10', '']);
});

it('from the journal an empty form replaces an older document', async () => {
  await forms.replaceEmpty('bill', 'older', 'wrong name');
  const draft = await open('bill');
  expect(draft.replacesCancelled).toBe(false);
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

// --- Somebody else ----------------------------------------------------------------------------------------------------------

const own = definition('own', ['name'], {
  sections: [{ id: 'one', title: '', fields: [field('name'), { ...field('code'), type: 'provider_code', prefill: 'physician.provider_codes.0' }] }],
});
const working = (id: string, ehealth_id: string, code: string) =>
  ({ state: 'logged_in', actor: { id, name: id }, physician: { ehealth_id, name: id, provider_codes: [code] }, acts_for: [], notices: [] }) as unknown as Session;

it('taking over makes it a document of its own, with her data in the place of the other’s', async () => {
  definitions['own'] = own;
  who.session = working('anne', '1900000001', '90000101');
  const draft = await open('own');
  draft.set(field('name'), 'Weis');
  draft.set(own.sections[0]!.fields[1]!, '90000199');
  who.session = working('luc', '1900000002', '90000102');
  draft.adopt(forms.known);
  expect(draft.isForeignTo(who.acting)).toBe(true);
  await forms.takeOver(draft);
  const next = forms.drafts['own']!;
  expect([next.typed, next.isForeignTo(who.acting), next.id === draft.id]).toEqual([{ name: 'Weis', code: '90000102' }, false, false]);
});

it('by other hands for the same physician everything typed is taken over', async () => {
  definitions['own'] = own;
  who.session = working('anne', '1900000001', '90000101');
  const draft = await open('own');
  draft.set(own.sections[0]!.fields[1]!, '90000199');
  who.session = { ...working('claire', '1900000001', '90000101'), actor: { id: 'claire', name: 'Claire' } };
  await forms.takeOver(draft);
  expect(forms.drafts['own']!.typed['code']).toBe('90000199');
});

it('while nobody is chosen, nobody’s data is filled in', async () => {
  definitions['own'] = own;
  who.session = { ...working('claire', '', ''), physician: null, acts_for: [{ ehealth_id: '1900000001', name: 'Anne', provider_codes: ['90000101'] }] };
  expect([(await open('own')).typed['code'], who.mustChoose]).toEqual(['', true]);
});

it('discarding leaves nothing of anybody, here or in the core', async () => {
  const draft = await open('bill');
  draft.set(field('name'), 'Weis');
  await draft.send();
  await forms.replaceEmpty('asked', 'x');
  forms.drafts['asked']!.set(field('name'), 'Weis');
  await forms.replaceEmpty('asked', 'y');
  expect(forms.typed).toBe(true);
  forms.discard();
  expect([forms.drafts, forms.aside, forms.typed]).toEqual([{}, {}, false]);
  expect(called.filter(({ method, path }) => method === 'DELETE' && path === `/v1/documents/${draft.id}`)).toHaveLength(1);
});
