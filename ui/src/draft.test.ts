import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { actingOf } from './acting';
import type { Checked, Definition, Field, Issued, JournalEntry, Session, Simulation, Values } from './api';
import { Draft, type Origin } from './draft.svelte';
import { unseen } from './host';
import { who } from './session.svelte';
import type { Known } from './read/values';

const definition: Definition = {
  kind: 'any',
  shortcut: 'F9',
  version: '1',
  workflow: 'deposit',
  title: 'Any',
  short_title: 'Any',
  description: '',
  volets: [],
  totals: [],
  cancellable: false,
  paper: false,
  physician_only: [],
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
const missing: Checked = { findings: [{ field: 'name', severity: 'error', code: 'missing', message: 'Enter the name.' }], facts: [], filled: {}, totals: [] };
const fine: Checked = { findings: [], facts: [], filled: {}, totals: [] };

type Answer = { status?: number; json: unknown } | 'cut';
let answers: Record<string, () => Answer | Promise<Answer>>;
let posted: { id: string; values: Values; replaces?: string }[];
let called: string[];

beforeEach(() => {
  posted = [];
  called = [];
  answers = {
    'GET /v1/forms/any': () => ({ json: definition }),
    'POST /v1/forms/any/check': () => ({ json: fine }),
  };
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = url.replace('/econnector', '');
    const key = `${init.method} ${/^\/v1\/documents\/[^/]+$/.test(path) ? '/v1/documents/*' : path.replace(/[0-9a-f-]{36}/, '*')}`;
    called.push(`${init.method} ${path}`);
    if (key === 'POST /v1/documents') posted.push(JSON.parse(String(init.body)) as (typeof posted)[number]);
    const answer = (await answers[key]?.()) ?? { status: 404, json: { title: 'no', code: 'not-found', status: 404, fault: 'you' } };
    if (answer === 'cut') throw new TypeError('cut');
    return new Response(JSON.stringify(answer.json), { status: answer.status ?? 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

async function open(): Promise<Draft> {
  const draft = await opened();
  draft.set(definition.sections[0]!.fields[0]!, 'Muller');
  draft.show = () => Promise.resolve(true);
  return draft;
}
async function opened(origin?: Origin): Promise<Draft> {
  const draft = new Draft('any', { physician: anne }, origin);
  await draft.load();
  return draft;
}
const settled = (state: Issued['state']) => ({ status: 201, json: { id: posted[0]?.id, kind: 'any', state } });

it('is over once it is known what became of it', async () => {
  for (const [state, over] of [['deposited', true], ['unknown', false]] as const) {
    posted = [];
    answers['POST /v1/documents'] = () => settled(state);
    const draft = await open();
    expect(draft.over).toBe(false);
    await draft.send();
    expect([draft.outcome?.state, draft.over]).toEqual([state, over]);
  }
});

it('with findings nothing is sent, and they show', async () => {
  answers['POST /v1/forms/any/check'] = () => ({ json: missing });
  const draft = await open();
  const field = definition.sections[0]!.fields[0]!;
  expect(draft.finding(field)).toBeUndefined();
  expect(await draft.send()).toBe('findings');
  expect(posted).toEqual([]);
  expect(draft.finding(field)?.message).toBe('Enter the name.');
});

it('is sent once, however often the button is pressed', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  await Promise.all([draft.send(), draft.send()]);
  await draft.send();
  expect(posted).toHaveLength(1);
  expect(posted[0]?.values).toEqual({ name: 'Muller', code: '90000101' });
  expect(draft.outcome?.state).toBe('deposited');
});

it('nothing is sent before the page of these very values was shown', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  const shown: string[] = [];
  let release = () => {};
  draft.show = (stamp) => {
    shown.push(stamp);
    return new Promise((resolve) => (release = () => resolve(true)));
  };
  const sending = draft.send();
  await vi.waitFor(() => expect(shown).toHaveLength(1));
  expect(posted).toEqual([]);
  release();
  await sending;
  expect(posted).toHaveLength(1);
  expect(JSON.stringify(posted[0]?.values)).toBe(shown[0]);
});

it('a page nobody has looked at yet is no problem, and nothing is sent', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  draft.show = () => Promise.resolve(false);
  expect(await draft.send()).toBe('unseen');
  expect([posted, draft.problem, draft.locked]).toEqual([[], undefined, false]);
  draft.show = () => Promise.resolve(true);
  expect(await draft.send()).toBe('settled');
});

it('a page that cannot be shown is a problem, and nothing is sent', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  draft.show = () => Promise.reject(unseen(new Error('not painted in time')));
  expect(await draft.send()).toBe('problem');
  expect(draft.problem?.code).toBe('window-page-unseen');
  expect(posted).toEqual([]);
  expect(draft.typed['name']).toBe('Muller');
  draft.show = () => Promise.resolve(true);
  expect(await draft.send()).toBe('settled');
});

it('after a refusal everything typed is there, and the retry bears the same id', async () => {
  const refused = { title: 'No', code: 'kms-unreachable', status: 502, fault: 'authority' };
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: 'failed' } });
  answers['POST /v1/documents'] = () => (posted.length === 1 ? { status: 502, json: refused } : settled('deposited'));
  const draft = await open();
  expect(await draft.send()).toBe('problem');
  expect(draft.problem?.code).toBe('kms-unreachable');
  expect(draft.typed['name']).toBe('Muller');
  expect(await draft.send()).toBe('settled');
  expect(posted.map(({ id }) => id)).toEqual([draft.id, draft.id]);
});

it('when the line to the host is cut, it asks what became of the document', async () => {
  let asked = 0;
  answers['POST /v1/documents'] = () => 'cut';
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: ++asked < 3 ? 'depositing' : 'deposited' } });
  const draft = await open();
  expect(await draft.send()).toBe('settled');
  expect(posted).toHaveLength(1);
});

it('an uncertain deposit is an end, not something to retry', async () => {
  const open504 = { title: 'Lost', code: 'mysecu-outcome-unknown', status: 504, fault: 'network', correlation_id: 'Id-1' };
  answers['POST /v1/documents'] = () => ({ status: 504, json: open504 });
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: 'unknown' } });
  const draft = await open();
  expect(await draft.send()).toBe('settled');
  expect(draft.outcome?.state).toBe('unknown');
  expect(draft.outcome?.problem?.correlation_id).toBe('Id-1');
  await draft.send();
  expect(posted).toHaveLength(1);
});

it('findings of a refused deposit are shown like those of a check', async () => {
  const refused = { title: 'No', code: 'values-refused', status: 422, fault: 'you', findings: missing.findings };
  answers['POST /v1/documents'] = () => ({ status: 422, json: refused });
  const draft = await open();
  expect(await draft.send()).toBe('findings');
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

// --- Whose form it is --------------------------------------------------------------------------------------------------------

const session = (id: string, name: string) => ({ state: 'logged_in', actor: { id, name } }) as Session;
const asAnne = { session: session('w', 'Dr Anne Weber'), physician: anne };
const asLuc = { session: session('m', 'Dr Luc Muller'), physician: luc };
const asClaire = { session: session('k', 'Claire Klein'), physician: anne };
const acting = (known: Known) => actingOf(known);

it('an untouched form is for whoever works now, and keeps nothing of the physician before', async () => {
  const draft = await opened();
  draft.adopt(asLuc);
  expect([draft.typed['code'], draft.owner?.physician.name, draft.isForeignTo(acting(asLuc))]).toEqual(['90000102', 'Dr Luc Muller', false]);
  draft.adopt({ ...asLuc, physician: { ...luc, ehealth_id: '1900000003', provider_codes: [] } });
  expect(draft.typed['code']).toBe('');
});

it('a form somebody typed into is left alone by everybody else', async () => {
  const draft = await open();
  draft.adopt(asLuc);
  expect(draft.typed).toEqual({ name: 'Muller', code: '90000101' });
  expect([draft.owner?.physician.name, draft.isForeignTo(acting(asLuc))]).toEqual(['Dr Anne Weber', true]);
  draft.adopt(asAnne);
  expect([draft.isForeignTo(acting(asAnne)), draft.isForeignTo(undefined)]).toEqual([false, false]);
});

it('the same physician by other hands is somebody else, once it is known whose hands they were', async () => {
  const draft = await open();
  expect(draft.isForeignTo(acting(asClaire))).toBe(false);
  draft.adopt(asAnne);
  expect([draft.isForeignTo(acting(asAnne)), draft.isForeignTo(acting(asClaire))]).toEqual([false, true]);
});

it('what is known later fills in what was not typed over', async () => {
  const draft = await open();
  draft.set(definition.sections[0]!.fields[1]!, '90000199');
  draft.adopt({ ...asAnne, physician: { ...anne, provider_codes: ['90000111'] } });
  expect(draft.typed['code']).toBe('90000199');
});

// --- Rows, what the core fills in, and where findings lead -----------------------------------------------------------------

const column = (id: string, type: Field['type'], more: Partial<Field> = {}): Field => ({ id, type, label: id, required: false, ...more });
const billing: Definition = {
  ...definition,
  kind: 'bill',
  defaults: { lines: [{ times: 1 }] },
  cancellable: true,
  sections: [
    ...definition.sections,
    {
      id: 'acts',
      title: 'Acts',
      fields: [
        column('lines', 'lines', {
          label: 'Acts',
          max: 3,
          columns: [column('act', 'code', { label: 'Code' }), column('times', 'integer'), column('amount', 'money', { filled: true }), column('tooth', 'text', { detail: true })],
        }),
      ],
    },
  ],
};
const lines = billing.sections[1]!.fields[0]!;
const [act, times, amount] = lines.columns as [Field, Field, Field];

async function bill(): Promise<Draft> {
  answers['GET /v1/forms/bill'] = () => ({ json: billing });
  answers['POST /v1/forms/bill/check'] = () => ({ json: fine });
  const draft = new Draft('bill', { physician: anne });
  await draft.load();
  draft.show = () => Promise.resolve(true);
  return draft;
}
const lineAt = (draft: Draft, at: number) => ({ of: lines, row: draft.rows['lines']![at]! });

it('a table begins with one row of defaults, and an empty row is not sent', async () => {
  const draft = await bill();
  expect(draft.rows['lines']!.map((row) => row.typed)).toEqual([{ act: '', times: '1', amount: '', tooth: '' }]);
  expect(draft.values['lines']).toBeUndefined();
  draft.set(act, 'C1', lineAt(draft, 0));
  expect(draft.values['lines']).toEqual([{ act: 'C1', times: 1 }]);
});

it('a new row copies nothing but defaults, and there are no more than the form takes', async () => {
  const draft = await bill();
  draft.set(act, 'C1', lineAt(draft, 0));
  draft.set(times, '4', lineAt(draft, 0));
  expect([draft.addRow(lines), draft.addRow(lines), draft.addRow(lines)]).toEqual([1, 2, undefined]);
  expect(draft.rows['lines']![1]!.typed).toEqual({ act: '', times: '1', amount: '', tooth: '' });
});

it('a row taken out comes back where it was; the last one leaves an empty one behind', async () => {
  const draft = await bill();
  draft.set(act, 'C1', lineAt(draft, 0));
  draft.addRow(lines);
  draft.set(act, 'V1', lineAt(draft, 1));
  draft.removeRow(lines, 0);
  expect(draft.values['lines']).toEqual([{ act: 'V1', times: 1 }]);
  draft.restoreRow();
  expect(draft.values['lines']).toEqual([{ act: 'C1', times: 1 }, { act: 'V1', times: 1 }]);
  draft.removeRow(lines, 1);
  draft.removeRow(lines, 0);
  expect(draft.rows['lines']).toHaveLength(1);
  expect(draft.values['lines']).toBeUndefined();
  draft.restoreRow();
  expect(draft.rows['lines']!.map((row) => row.typed['act'])).toEqual(['C1']);
});

it('rows come back in the order they went, and never more than there is room for', async () => {
  const draft = await bill();
  for (const [at, code] of ['C1', 'V1', 'N1'].entries()) {
    if (at > 0) draft.addRow(lines);
    draft.set(act, code, lineAt(draft, at));
  }
  for (let at = 0; at < 3; at++) draft.removeRow(lines, 0);
  expect([draft.restoreRow(), draft.restoreRow()]).toEqual([0, 0]);
  expect(draft.rows['lines']!.map((row) => row.typed['act'])).toEqual(['V1', 'N1']);
  draft.addRow(lines);
  expect([draft.restoreRow(), draft.removed.length]).toEqual([undefined, 1]);
});

it('rows are numbered as the core numbers them', async () => {
  const draft = await bill();
  draft.addRow(lines);
  draft.addRow(lines);
  const numbers = () => draft.rows['lines']!.map((row) => draft.number(lines, row));
  expect(numbers()).toEqual([1, 2, 3]);
  draft.set(act, 'C1', lineAt(draft, 1));
  expect(numbers()).toEqual([undefined, 1, 2]);
});

it('what the core says of a row is found at the row on the screen, over empty ones', async () => {
  const draft = await bill();
  draft.addRow(lines);
  draft.set(act, 'XX', lineAt(draft, 1));
  answers['POST /v1/forms/bill/check'] = () => ({
    json: {
      findings: [{ field: 'lines.0.act', severity: 'error', code: 'x', message: 'No such act.' }],
      facts: [{ field: 'lines.0.act', text: 'An act' }],
      filled: { 'lines.0.amount': 5240 },
      totals: [],
    },
  });
  await draft.check();
  const row = lineAt(draft, 1);
  expect(draft.finding(act, row)).toBeUndefined();
  draft.leave(act, row);
  expect(draft.finding(act, row)?.message).toBe('No such act.');
  expect(draft.finding(act, lineAt(draft, 0))).toBeUndefined();
  expect(draft.facts(act, row)).toEqual(['An act']);
  expect(draft.filled(amount, row)).toBe('52,40\u00a0€');
  expect(draft.locate('lines.0.act')?.name).toBe('lines-1-act');
  expect(draft.label('lines.0.act')).toBe('Ligne 1, Code');
  expect(draft.label('lines')).toBe('Acts');
  expect(draft.locate('lines')?.name).toBe('lines-0-act');
  expect(draft.label('name')).toBe('Name');
});

it('what the core filled in is not sent as typed, until somebody types', async () => {
  const draft = await bill();
  draft.set(act, 'C1', lineAt(draft, 0));
  answers['POST /v1/forms/bill/check'] = () => ({ json: { ...fine, filled: { 'lines.0.amount': 5240 } } });
  await draft.check();
  expect(draft.values['lines']).toEqual([{ act: 'C1', times: 1 }]);
  draft.set(amount, '60', lineAt(draft, 0));
  expect(draft.values['lines']).toEqual([{ act: 'C1', times: 1, amount: 6000 }]);
  draft.set(amount, '', lineAt(draft, 0));
  expect(draft.values['lines']).toEqual([{ act: 'C1', times: 1 }]);
});

it('sending takes the empty rows out', async () => {
  const draft = await bill();
  draft.addRow(lines);
  draft.set(act, 'C1', lineAt(draft, 1));
  answers['POST /v1/documents'] = () => settled('deposited');
  await draft.send();
  expect(draft.rows['lines']!.map((row) => row.typed['act'])).toEqual(['C1']);
});

it('findings of a refused deposit lead into rows too', async () => {
  const draft = await bill();
  draft.set(act, 'C1', lineAt(draft, 0));
  const findings = [{ field: 'lines.0.amount', severity: 'error', code: 'amount-unknown', message: 'No amount.' }];
  answers['POST /v1/documents'] = () => ({ status: 422, json: { title: 'No', code: 'values-refused', status: 422, fault: 'you', findings } });
  expect(await draft.send()).toBe('findings');
  expect(draft.finding(amount, lineAt(draft, 0))?.code).toBe('amount-unknown');
});

// --- Simulate, then validate or contest ------------------------------------------------------------------------------------

const simulated: Simulation = {
  id: 'x',
  kind: 'any',
  state: 'simulated',
  payable: true,
  reference: 'R-1',
  currency: 'EUR',
  lines: [],
  totals: { statutory: 4611, personal: 629, total: 5240 },
  anomalies: [],
};
const unauthorised = { title: 'Log in', code: 'session-needed', status: 401, fault: 'you' };

it('a simulation freezes the form until it is given up', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: simulated });
  const draft = await open();
  const name = definition.sections[0]!.fields[0]!;
  expect(await draft.simulate()).toBe('settled');
  expect(draft.simulation?.reference).toBe('R-1');
  expect(draft.locked).toBe(true);
  draft.set(name, 'Other');
  expect(draft.typed['name']).toBe('Muller');
  draft.change();
  draft.set(name, 'Other');
  expect([draft.locked, draft.typed['name']]).toEqual([false, 'Other']);
});

it('what was ever handed over is forgotten by the core too', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: simulated });
  const forgotten = () => called.filter((call) => call.startsWith('DELETE')).length;
  const untold = await open();
  await untold.forget();
  expect(forgotten()).toBe(0);
  const draft = await open();
  await draft.simulate();
  draft.change();
  await draft.forget();
  expect(forgotten()).toBe(1);
});

it('nothing is simulated while there is something to correct', async () => {
  answers['POST /v1/forms/any/check'] = () => ({ json: missing });
  const draft = await open();
  expect(await draft.simulate()).toBe('findings');
  expect(called.filter((call) => call.includes('simulations'))).toEqual([]);
});

it('the page is shown before the order is signed and given, once', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: simulated });
  answers['POST /v1/any/simulations/*/validation'] = () => settled('deposited');
  const draft = await open();
  await draft.simulate();
  draft.show = () => Promise.reject(unseen(new Error('no page')));
  expect(await draft.validate()).toBe('problem');
  expect(called.filter((call) => call.endsWith('/validation'))).toEqual([]);
  draft.show = () => Promise.resolve(true);
  await Promise.all([draft.validate(), draft.validate()]);
  expect(await draft.validate()).toBe('settled');
  expect(called.filter((call) => call.endsWith('/validation'))).toEqual([`POST /v1/any/simulations/${draft.id}/validation`]);
});

it('a validation that was not given leaves the simulation to try again', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: simulated });
  answers['POST /v1/any/simulations/*/validation'] = () => ({ status: 401, json: unauthorised });
  answers['GET /v1/documents/*'] = () => ({ json: { id: 'x', kind: 'any', state: 'simulated', volets: [] } });
  const draft = await open();
  await draft.simulate();
  expect(await draft.validate()).toBe('problem');
  expect([draft.problem?.code, draft.simulation?.reference, draft.outcome]).toEqual(['session-needed', 'R-1', undefined]);
  answers['POST /v1/any/simulations/*/validation'] = () => settled('deposited');
  expect(await draft.repeat()).toBe('settled');
  expect(draft.outcome?.state).toBe('deposited');
});

const remarks = [{ id: 'A-1', severity: 'warning', code: 'W-310', message: 'Billed already', line: 0 }] as Simulation['anomalies'];

/** Simulated, with a remark that may be contested for one of two reasons. */
async function held(): Promise<Draft> {
  answers['POST /v1/any/simulations'] ??= () => ({ status: 201, json: { ...simulated, payable: false, anomalies: remarks } });
  answers['GET /v1/forms/any'] = () => ({ json: { ...definition, contestation: [{ value: '1', label: 'One' }, { value: '2', label: 'Two' }] } });
  const draft = await open();
  await draft.simulate();
  return draft;
}

it('a contestation is told', async () => {
  answers['POST /v1/any/simulations/*/contestation'] = () => ({ json: { id: 'x', state: 'contested', reference: 'R-2' } });
  const draft = await held();
  expect([draft.contestable, draft.contesting]).toEqual([true, false]);
  draft.choose('A-1', '1');
  expect(draft.contesting).toBe(true);
  expect(await draft.contest()).toBe('settled');
  expect([draft.contested?.reference, draft.contesting, draft.chosen]).toEqual(['R-2', false, {}]);
});

it('what is to be contested is not paid, and without a reason not contested, whoever asks', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: { ...simulated, anomalies: remarks } });
  const draft = await held();
  draft.choose('A-1', '');
  await draft.validate();
  await draft.repeat();
  await draft.contest();
  expect([called.filter((call) => /validation|contestation/.test(call)), draft.outcome, draft.contested]).toEqual([[], undefined, undefined]);
});

it('a payment that was given up is not repeated', async () => {
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: simulated });
  answers['POST /v1/any/simulations/*/validation'] = () => ({ status: 401, json: unauthorised });
  const draft = await open();
  await draft.simulate();
  await draft.validate();
  const { intent } = draft;
  const before = called.length;
  draft.change();
  await draft.repeat();
  expect([called.length, draft.intent === intent]).toEqual([before, false]);
  // The same values simulated again are another thing to pay.
  answers['POST /v1/any/simulations'] = () => ({ status: 201, json: { ...simulated, reference: 'R-3' } });
  await draft.simulate();
  await draft.validate();
  expect(draft.intent).not.toBe(intent);
});

it('a remark that is ticked, or its reason, is another intent and ends what went wrong with the one before', async () => {
  answers['POST /v1/any/simulations/*/contestation'] = () => ({ status: 401, json: unauthorised });
  const draft = await held();
  draft.choose('A-1', '1');
  await draft.contest();
  const { intent } = draft;
  expect(draft.problem?.code).toBe('session-needed');
  draft.choose('A-1', '2');
  expect([draft.intent === intent, draft.problem]).toEqual([false, undefined]);
  draft.choose('A-1');
  expect(draft.intent).not.toBe(intent);
  draft.choose('A-1', '1');
  expect(draft.intent).toBe(intent);
});

// --- Paper, cancelling, and what another draft goes on with -----------------------------------------------------------------

it('a page for a signature by hand settles the draft', async () => {
  answers['POST /v1/paper'] = () => ({ status: 201, json: { id: 'x', kind: 'any', state: 'paper', volets: [] } });
  const draft = await open();
  expect(await draft.paper()).toBe('settled');
  expect(draft.outcome?.state).toBe('paper');
});

it('is cancelled, and a cancellation that failed says why', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  await draft.send();
  answers['POST /v1/documents/*/cancellation'] = () => ({ status: 401, json: unauthorised });
  expect(await draft.cancel('wrong day')).toBe(false);
  expect([draft.problem?.code, draft.cancelled]).toEqual(['session-needed', undefined]);
  const entry: Partial<JournalEntry> = { id: draft.id, state: 'cancelled' };
  answers['POST /v1/documents/*/cancellation'] = () => ({ json: entry });
  expect(await draft.cancel('wrong day')).toBe(true);
  expect([draft.cancelled?.id, draft.outcome?.state, draft.problem]).toEqual([draft.id, 'cancelled', undefined]);
});

it('a cancellation whose answer was lost takes over what the core knows', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  await draft.send();
  answers['POST /v1/documents/*/cancellation'] = () => ({ status: 504, json: { title: 'Lost', code: 'cancellation-outcome-unknown', status: 504, fault: 'network' } });
  answers['GET /v1/documents/*'] = () => ({ json: { id: draft.id, kind: 'any', state: 'cancelling', volets: [] } });
  expect(await draft.cancel('wrong day')).toBe(false);
  expect([draft.outcome?.state, draft.problem?.code]).toEqual(['cancelling', 'cancellation-outcome-unknown']);
  answers['GET /v1/documents/*'] = () => ({ json: { id: draft.id, kind: 'any', state: 'cancelled', volets: [] } });
  answers['GET /v1/journal'] = () => ({ json: { entries: [{ id: draft.id, state: 'cancelled' }] } });
  expect(await draft.cancel('wrong day')).toBe(true);
  expect([draft.outcome?.state, draft.cancelled?.id, draft.problem]).toEqual(['cancelled', draft.id, undefined]);
});

it('a replacement has the same values, its own id, and names what it replaces', async () => {
  answers['POST /v1/documents'] = () => settled('deposited');
  const draft = await open();
  draft.set(definition.sections[0]!.fields[1]!, '90000199');
  const next = await opened({ id: draft.successor, replaces: draft.id, carried: draft.carry()! });
  expect(next.values).toEqual(draft.values);
  expect(next.id).toBe(draft.successor);
  next.adopt({ physician: luc });
  expect(next.typed['code']).toBe('90000199');
  next.show = () => Promise.resolve(true);
  await next.send();
  expect(posted).toEqual([{ id: next.id, kind: 'any', values: draft.values, replaces: draft.id }]);
});

it('another kind of form takes what it has under the same names, rows too', async () => {
  const draft = await open();
  draft.set(definition.sections[0]!.fields[0]!, 'Muller');
  const source = await bill();
  source.set(act, 'C1', lineAt(source, 0));
  source.addRow(lines);
  source.addRow(lines);
  source.set(act, 'V1', lineAt(source, 2));
  source.set(definition.sections[0]!.fields[0]!, 'Weis');
  answers['GET /v1/forms/other'] = () => ({
    json: {
      ...billing,
      sections: [
        { id: 'p', title: '', fields: [column('name', 'text'), column('street', 'text'), column('code', 'date')] },
        { id: 'a', title: '', fields: [{ ...lines, columns: [act, column('place', 'text'), column('times', 'text')] }] },
      ],
    },
  });
  answers['POST /v1/forms/other/check'] = () => ({ json: fine });
  const next = new Draft('other', { physician: luc }, { carried: source.carry()! });
  await next.load();
  expect(next.values).toMatchObject({ name: 'Weis' });
  expect(next.typed['code']).toBe('');
  expect(next.rows['lines']!.map((row) => row.typed)).toEqual([
    { act: 'C1', place: '', times: '1' },
    { act: 'V1', place: '', times: '1' },
  ]);
  expect(next.touched).toBe(true);
});

it('is somebody else’s also while her login is under way', async () => {
  const session = { environment: 'training', acts_for: [], notices: [], remembered: true, mandate: false } as unknown as Session;
  const isAnne = { session: { ...session, state: 'logged_in', actor: { id: 'anne', name: anne.name }, physician: anne } as Session, physician: anne };
  const draft = new Draft('any', isAnne);
  await draft.load();
  draft.set(definition.sections[0]!.fields[0]!, 'Weis');
  who.session = { ...session, state: 'logged_in', since: '1', actor: { id: 'luc', name: luc.name }, physician: luc };
  who.last = who.acting;
  expect(draft.foreign).toBe(true);
  who.session = { ...session, state: 'logging_in' };
  expect([draft.foreign, draft.locked]).toEqual([true, true]);
  who.session = { ...session, state: 'logging_in', since: '1', actor: { id: 'anne', name: anne.name }, physician: anne };
  expect(draft.foreign).toBe(false);
  who.session = undefined;
  who.last = undefined;
});
