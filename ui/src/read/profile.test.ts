import { expect, it } from 'vitest';

import type { Profile } from '../api';
import { merged, same } from './profile';

const stored = {
  last_name: 'Weber',
  phone: '26 12 34 56',
  billing_codes: [{ code: '90000101', label: 'Dr Anne Weber' }],
  favourites: { tariff: ['C1', 'V1'], diagnosis: ['13'] },
  printer: null,
} as unknown as Profile;
const of = (change: Partial<Profile>): Profile => ({ ...structuredClone(stored), ...change });

it('takes what was typed and keeps what was changed elsewhere meanwhile', () => {
  const typed = of({ last_name: 'Muller', billing_codes: [] });
  const current = of({ printer: 'Cabinet', phone: '26 00 00 00', favourites: { tariff: ['C1', 'V1', 'E10'], diagnosis: [] } });
  expect(merged(stored, typed, current)).toEqual({ ...current, last_name: 'Muller', billing_codes: [] });
});

it('a favourite taken out here is out, whatever was added elsewhere', () => {
  const typed = of({ favourites: { tariff: ['V1'], diagnosis: [] } });
  const current = of({ favourites: { tariff: ['C1', 'V1', 'E10'], diagnosis: ['13', '12'], other: ['1'] } });
  expect(merged(stored, typed, current).favourites).toEqual({ tariff: ['V1', 'E10'], diagnosis: ['12'], other: ['1'] });
});

it('what was typed wins over what became of the same field', () => {
  expect(merged(stored, of({ printer: 'PDF' }), of({ printer: 'Cabinet' })).printer).toBe('PDF');
  expect(merged(stored, of({}), of({ printer: 'Cabinet' })).printer).toBe('Cabinet');
});

it('nothing and absent are the same', () => {
  expect(same({ ...stored, printer: undefined }.printer, null)).toBe(true);
  expect(same(stored, of({}))).toBe(true);
  expect(same(stored.favourites, {})).toBe(false);
});
