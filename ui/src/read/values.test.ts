import { describe, expect, it } from 'vitest';

import type { Definition, Field, Profile, Session } from '../api';
import { fields, initial, prefills, shown, suggestions, toSend, visible } from './values';

const field = (id: string, type: Field['type'], more: Partial<Field> = {}): Field => ({ id, type, label: id, required: false, ...more });

const definition: Definition = {
  kind: 'any',
  shortcut: 'F9',
  version: '1',
  workflow: 'deposit',
  title: '',
  short_title: '',
  description: '',
  volets: [],
  totals: [],
  cancellable: false,
  paper: false,
  physician_only: [],
  defaults: { day: '2026-11-21', ticked: true, fee: 1250 },
  sections: [
    {
      id: 'one',
      title: '',
      fields: [
        field('number', 'matricule'),
        field('born', 'date', { shown_when: { field: 'number', empty: true } }),
        field('day', 'date'),
        field('ticked', 'yes_no'),
        field('until', 'date', { shown_when: { field: 'ticked', any_of: [true] } }),
        field('below', 'text', { shown_when: { field: 'until', any_of: ['2026-12-01'] } }),
        field('code', 'provider_code', { prefill: 'physician.provider_codes.0', suggest: 'profile.billing_codes' }),
        field('actor', 'text', { prefill: 'actor.name' }),
        field('street', 'text', { prefill: 'profile.street' }),
        field('fax', 'text', { prefill: 'profile.fax' }),
        field('fee', 'money'),
        field('times', 'integer'),
        field('at', 'time'),
        field('lines', 'lines', {
          columns: [
            field('act', 'code'),
            field('times', 'integer'),
            field('amount', 'money'),
            field('from', 'time'),
            field('to', 'time', { shown_when: { field: 'from', empty: false, any_of: ['09:30'] } }),
          ],
        }),
      ],
    },
  ],
};
const all = fields(definition);

const physician = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const session: Session = { state: 'logged_in', environment: 'training', actor: { id: 's', name: 'Claire Klein' }, acts_for: [], remembered: true, notices: [], mandate: false, logins: 'both', lock: { unlock: 'key' } };
const profile: Profile = {
  title: 'Dr',
  last_name: 'Weber',
  first_name: 'Anne',
  number: '12',
  street: 'rue de la Gare',
  postal_code: '1611',
  locality: 'Luxembourg',
  country: 'LU',
  phone: '',
  fax: '',
  email: '',
  bank_text: '',
  billing_codes: [{ code: '70000001', label: 'Association' }],
  favourites: {},
  printer: null,
  physician: null,
};

describe('what stands in a form at first', () => {
  it('comes from the defaults, the session and the profile', () => {
    expect(initial(all, definition.defaults, { session, physician, profile }, 'fr')).toEqual({
      number: '',
      born: '',
      day: '21.11.2026',
      ticked: true,
      until: '',
      below: '',
      code: '90000101',
      actor: 'Claire Klein',
      street: 'rue de la Gare',
      fax: '',
      fee: '12,50\u00a0€',
      times: '',
      at: '',
    });
  });
  it('is there without a session too', () => expect(initial(all, definition.defaults, {}, 'fr')['code']).toBe(''));
  it('is not emptied by a profile that knows nothing of it', () => expect(prefills(all, { profile }, 'fr')).toEqual({ street: 'rue de la Gare' }));
  it('puts an address on one line, without what is not known of it', () => {
    const line = field('line', 'text', { prefill: 'profile.address' });
    expect(prefills([line], { profile }, 'fr')).toEqual({ line: '12, rue de la Gare, 1611 Luxembourg' });
    expect(prefills([line], { profile: { ...profile, number: '', postal_code: '' } }, 'fr')).toEqual({ line: 'rue de la Gare, Luxembourg' });
    expect(prefills([line], { profile: { ...profile, number: '', street: '', postal_code: '', locality: '' } }, 'fr')).toEqual({});
  });
  it('offers the billing codes of the profile', () => {
    const code = all.find((one) => one.id === 'code')!;
    expect(suggestions(code, { profile })).toEqual([{ code: '70000001', label: 'Association' }]);
    expect(suggestions(code, {})).toEqual([]);
  });
});

describe('what is sent', () => {
  it('is what was understood, the raw text otherwise, and nothing empty', () => {
    expect(toSend(definition, { number: '1988 12 30 480 83', day: '31.02.2026', ticked: false, code: ' 9000 0101 ', actor: '  ' })).toEqual({
      number: '1988123048083',
      day: '31.02.2026',
      ticked: false,
      code: '90000101',
    });
  });
  it('is cents, numbers and times', () => {
    expect(toSend(definition, { fee: '1 250,5', times: '3', at: '9h30' })).toMatchObject({ fee: 125050, times: 3, at: '09:30' });
    expect(toSend(definition, { fee: '0' })).toMatchObject({ fee: 0 });
    expect(toSend(definition, { fee: 'douze', times: '3,5', at: '25:00' })).toMatchObject({ fee: 'douze', times: '3,5', at: '25:00' });
  });
  it('leaves out what is not asked for, whatever was typed there before', () => {
    const typed = { ticked: false, until: '01.12.2026', below: 'x' };
    expect(toSend(definition, typed)).toEqual({ ticked: false });
    expect(toSend(definition, { ...typed, ticked: true })).toEqual({ ticked: true, until: '2026-12-01', below: 'x' });
  });
  it('has rows as objects, by column', () => {
    const rows = { lines: [{ key: 4, typed: { act: 'C1', times: '2', amount: '12.5', from: '', to: '' } }, { key: 2, typed: { act: 'V1', times: '', amount: '', from: '930', to: '10' } }] };
    expect(toSend(definition, {}, rows)).toEqual({ lines: [{ act: 'C1', times: 2, amount: 1250 }, { act: 'V1', from: '09:30', to: '10:00' }] });
  });
  it('has no rows when there are none', () => expect(toSend(definition, {}, { lines: [] })).toEqual({}));
});

describe('a field is shown', () => {
  const one = (id: string) => all.find((other) => other.id === id)!;
  it('unless the one it hangs on is hidden itself', () => {
    expect(visible(all, one('below'), { ticked: false, until: '01.12.2026' })).toBe(false);
    expect(visible(all, one('below'), { ticked: true, until: '01.12.2026' })).toBe(true);
  });
  it('while another is empty, if it says so', () => {
    expect(visible(all, one('born'), { number: '' })).toBe(true);
    expect(visible(all, one('born'), { number: ' ' })).toBe(true);
    expect(visible(all, one('born'), { number: '1988' })).toBe(false);
  });
  it('by what the core filled in as well', () => {
    expect(visible(all, one('born'), { number: '' }, { number: '1988123048083' })).toBe(false);
    const columns = one('lines').columns!;
    const to = columns.find((column) => column.id === 'to')!;
    expect(visible(columns, to, {}, { 'lines.1.from': '09:30' }, 'lines.1.')).toBe(true);
    expect(visible(columns, to, {}, { 'lines.1.from': '09:30' }, 'lines.0.')).toBe(false);
  });
});

it.each([
  ['matricule', '1988123048083', '1988 12 30 480 83'],
  ['date', '21.11.26', '21.11.2026'],
  ['date', 'demain', 'demain'],
  ['money', 5240, '52,40\u00a0€'],
  ['money', '12.5', '12,50\u00a0€'],
  ['money', 'douze', 'douze'],
  ['integer', 3, '3'],
  ['time', '930', '09:30'],
  ['text', null, ''],
] as const)('a %s of %s stands in its input as %s', (type, value, expected) => expect(shown(field('x', type), value, 'fr')).toBe(expected));
