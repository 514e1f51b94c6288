import { expect, it } from 'vitest';

import type { Definition, Field, Session } from '../api';
import { initial, toSend, visible } from './values';

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
  defaults: { day: '2026-11-21', ticked: true },
  sections: [
    {
      id: 'one',
      title: '',
      fields: [
        field('number', 'matricule'),
        field('day', 'date'),
        field('ticked', 'yes_no'),
        field('until', 'date', { shown_when: { field: 'ticked', any_of: [true] } }),
        field('below', 'text', { shown_when: { field: 'until', any_of: ['2026-12-01'] } }),
        field('code', 'provider_code', { prefill: 'physician.provider_codes.0' }),
        field('actor', 'text', { prefill: 'actor.name' }),
        field('missing', 'text', { prefill: 'physician.address.street' }),
      ],
    },
  ],
};

const physician = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const session: Session = { state: 'logged_in', environment: 'training', actor: { id: 's', name: 'Claire Klein' }, acts_for: [], remembered: true, notices: [] };

it('starts from the defaults and the session', () => {
  expect(initial(definition, session, physician)).toEqual({
    number: '',
    day: '21.11.2026',
    ticked: true,
    until: '',
    below: '',
    code: '90000101',
    actor: 'Claire Klein',
    missing: '',
  });
});

it('starts without a session too', () => expect(initial(definition, undefined, undefined)['code']).toBe(''));

it('sends what was understood, the raw text otherwise, and nothing empty', () => {
  expect(toSend(definition, { number: '1988 12 30 480 83', day: '31.02.2026', ticked: false, code: ' 9000 0101 ', actor: '  ' })).toEqual({
    number: '1988123048083',
    day: '31.02.2026',
    ticked: false,
    code: '90000101',
  });
});

it('leaves out what is not asked for, whatever was typed there before', () => {
  const typed = { ticked: false, until: '01.12.2026', below: 'x' };
  expect(toSend(definition, typed)).toEqual({ ticked: false });
  expect(toSend(definition, { ...typed, ticked: true })).toEqual({ ticked: true, until: '2026-12-01', below: 'x' });
});

it('a field under a hidden field is hidden', () => {
  const below = definition.sections[0]!.fields.find((other) => other.id === 'below')!;
  expect(visible(definition, below, { ticked: false, until: '01.12.2026' })).toBe(false);
  expect(visible(definition, below, { ticked: true, until: '01.12.2026' })).toBe(true);
});
