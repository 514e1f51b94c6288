import { expect, it } from 'vitest';

import { exactly, matching, ranked, settled, taken } from './codes';

const options = [
  { value: 'C1', label: 'Consultation' },
  { value: 'C2', label: 'Contrôle' },
  { value: 'E10', label: 'Électrocardiogramme' },
  { value: 'V1', label: 'Visite à domicile' },
];
const codes = (typed: string, liked: string[] = []) => matching(ranked(options, liked), typed).map((option) => option.value);

it('favourites come first, in their order, even codes of her own', () => {
  expect(ranked(options, ['V1', 'XY']).map((option) => option.value)).toEqual(['V1', 'XY', 'C1', 'C2', 'E10']);
  expect(codes('c', ['C2'])).toEqual(['C2', 'C1']);
});

it.each([
  ['', ['C1', 'C2', 'E10', 'V1']],
  ['c', ['C1', 'C2']],
  [' c1 ', ['C1', 'C2', 'E10', 'V1']],
  ['elec', ['E10']],
  ['CONTRÔ', ['C2']],
  ['domi', ['V1']],
  ['dom', ['V1']],
  ['om', []],
  ['cardio', ['E10']],
  ['zz', []],
])('“%s” finds %j', (typed, found) => expect(codes(typed)).toEqual(found));

it('a whole code is its option, however it was typed', () => {
  expect(exactly(options, ' c1')?.value).toBe('C1');
  expect(exactly(options, 'c')).toBeUndefined();
});

it.each([
  ['V1', -1, 'V1'],
  ['e10', -1, 'E10'],
  ['', -1, undefined],
  ['c', -1, 'C2'],
  ['V1', 0, 'C2'],
  ['zz', -1, undefined],
])('Enter after “%s”, with the arrows on %i, takes %s', (typed, active, value) => {
  expect(taken(matching(ranked(options, ['C2']), typed), typed, active)?.value).toBe(value);
});

it.each([
  ['c2', 'C2'],
  [' e10 ', 'E10'],
  ['élec', 'E10'],
  ['con', 'con'],
  ['Z99', 'Z99'],
  ['', ''],
])('leaving “%s” leaves “%s”', (typed, value) => expect(settled(ranked(options, ['V1']), typed)).toBe(value));
