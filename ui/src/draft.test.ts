import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Checked, Definition, Issued, Json } from './api';
import { Draft } from './draft.svelte';
import { unseen } from './host';

const definition: Definition = {
  kind: 'any',
  shortcut: 'F9',
  version: '1',
  workflow: 'deposit',
  title: 'Any',
  short_title: 'Any',
  description: '',
  volets: [],
  defaults: {},
  sections: [
    {
      id: 'one',
      title: 'One',
      fields: [
        { id: 'name', type: 'text', label: 'Name', required: true },
        { id: 'code', type: 'provider_code', label: 'Code', required: true, prefill: 'physician.provider_codes.0' },
      ],
    },
  ],
};
const anne = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const luc = { ehealth_id: '1900000002', name: 'Dr Luc Muller', provider_codes: ['90000102'] };
const missing: Checked = { findings: [{ field: 'name', severity: 'error', code: 'missing', message: 'Enter the name.' }], facts: [] };
const fine: Checked = { findings: [], facts: [] };

type Answer = { status?: number; json: unknown } | 'cut';
const seen = () => Promise.resolve();
let answers: Record<string, () => Answer | Promise<Answer>>;
let posted: { id: string; values: Record<string, Json> }[];

beforeEach(() => {
  posted = [];
  answers = {
    'GET /v1/forms/any': () => ({ json: definition }),
    'POST /v1/forms/any/check': () => ({ json: fine }),
  };
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = url.replace('/econnector', '');
    const key = `${init.method} ${path.startsWith('/v1/documents/') ? '/v1/documents/*' : path}`;
    if (key === 'POST /v1/documents') posted.push(JSON.parse(String(init.body)) as (typeof posted)[number]);
    const answer = (await answers[key]?.()) ?? { status: 404, json: { title: 'no', code: 'not-found', status: 404, fault: 'you' } };
    if (answer === 'cut') throw new TypeError('cut');
    return new Response(JSON.stringify(answer.json), { status: answer.status ?? 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

async function open(): Promise<Draft> {
  const draft = new Draft('any', undefined, anne);
  await draft.load();
  draft.set(definition.sections[0]!.fields[0]!, 'Muller');
  return draft;
}
const settled = (state: Issued['state']) => ({ status: 201, json: { id: posted[0]?.id, kind: 'any', state } });

it('with findings nothing is sent, and they show', async () => {
  answers['POST /v1/forms/any/check'] = () => ({ json: missing });
  const draft = await open();
  const field = definition.sections[0]!.fields[0]!;
  expect(draft.finding(field)).toBeUndefined();
  expect(await draft.send(seen)).toBe('findings');
  expect(posted).toEqual([]);
  expect(draft.finding(field)?.message).toBe('Enter the name.');
});

it('is sent once, however often the button is pressed', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  await Promise.all([draft.send(seen), draft.send(seen)]);
  await draft.send(seen);
  expect(posted).toHaveLength(1);
  expect(posted[0]?.values).toEqual({ name: 'Muller', code: '90000101' });
  expect(draft.outcome?.state).toBe('deposited');
});

it('nothing is sent before the page of these very values was shown', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  const shown: string[] = [];
  let release = () => {};
  const sending = draft.send((stamp) => {
    shown.push(stamp);
    return new Promise((resolve) => (release = resolve));
  });
  await vi.waitFor(() => expect(shown).toHaveLength(1));
  expect(posted).toEqual([]);
  release();
  await sending;
  expect(posted).toHaveLength(1);
  expect(JSON.stringify(posted[0]?.values)).toBe(shown[0]);
});

it('a page that cannot be shown is a problem, and nothing is sent', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  expect(await draft.send(() => Promise.reject(unseen(new Error('not painted in time'))))).toBe('problem');
  expect(draft.problem?.code).toBe('window-page-unseen');
  expect(posted).toEqual([]);
  expect(draft.typed['name']).toBe('Muller');
  expect(await draft.send(seen)).toBe('settled');
});

it('after a refusal everything typed is there, and the retry bears the same id', async () => {
  const refused = { title: 'No', code: 'kms-unreachable', status: 502, fault: 'authority' };
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: 'failed' } });
  answers['POST /v1/documents'] = () => (posted.length === 1 ? { status: 502, json: refused } : settled('deposited'));
  const draft = await open();
  expect(await draft.send(seen)).toBe('problem');
  expect(draft.problem?.code).toBe('kms-unreachable');
  expect(draft.typed['name']).toBe('Muller');
  expect(await draft.send(seen)).toBe('settled');
  expect(posted.map(({ id }) => id)).toEqual([draft.id, draft.id]);
});

it('when the line to the host is cut, it asks what became of the document', async () => {
  let asked = 0;
  answers['POST /v1/documents'] = () => 'cut';
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: ++asked < 3 ? 'depositing' : 'deposited' } });
  const draft = await open();
  expect(await draft.send(seen)).toBe('settled');
  expect(posted).toHaveLength(1);
});

it('an uncertain deposit is an end, not something to retry', async () => {
  const open504 = { title: 'Lost', code: 'mysecu-outcome-unknown', status: 504, fault: 'network', correlation_id: 'Id-1' };
  answers['POST /v1/documents'] = () => ({ status: 504, json: open504 });
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: 'unknown' } });
  const draft = await open();
  expect(await draft.send(seen)).toBe('settled');
  expect(draft.outcome?.state).toBe('unknown');
  expect(draft.outcome?.problem?.correlation_id).toBe('Id-1');
  await draft.send(seen);
  expect(posted).toHaveLength(1);
});

it('findings of a refused deposit are shown like those of a check', async () => {
  const refused = { title: 'No', code: 'values-refused', status: 422, fault: 'you', findings: missing.findings };
  answers['POST /v1/documents'] = () => ({ status: 422, json: refused });
  const draft = await open();
  expect(await draft.send(seen)).toBe('findings');
  expect(draft.problem).toBeUndefined();
});

it('an answer to older values never replaces a newer one', async () => {
  const draft = await open();
  let release = () => {};
  answers['POST /v1/forms/any/check'] = () => new Promise<Answer>((resolve) => (release = () => resolve({ json: missing })));
  const older = draft.check();
  answers['POST /v1/forms/any/check'] = () => ({ json: fine });
  await draft.check();
  release();
  await older;
  expect(draft.errors).toEqual([]);
});

it('another physician replaces the one filled in, but not what was typed', async () => {
  const draft = await open();
  draft.adopt(undefined, luc);
  expect(draft.typed).toEqual({ name: 'Muller', code: '90000102' });
  draft.set(definition.sections[0]!.fields[1]!, '90000199');
  draft.adopt(undefined, anne);
  expect(draft.typed['code']).toBe('90000199');
});
