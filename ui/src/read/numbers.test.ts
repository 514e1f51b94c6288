import { describe, expect, it } from 'vitest';

import { cents, duration, euro, groupedMatricule, integer, plainDigits, time } from './numbers';

it('a matricule stands in its groups, however it was typed', () => {
  expect(groupedMatricule('1988123048083')).toBe('1988 12 30 480 83');
  expect(groupedMatricule(' 1988.12.30-48083 ')).toBe('1988 12 30 480 83');
});

it('what is not a matricule is left as typed', () => {
  expect(groupedMatricule('198812304808')).toBe('198812304808');
  expect(groupedMatricule('19881230x8083')).toBe('19881230x8083');
});

it('separators go, letters stay for the core to judge', () => {
  expect(plainDigits('1988 12 30 480 83')).toBe('1988123048083');
  expect(plainDigits('9000 01O1')).toBe('9000 01O1');
});

it('durations are short', () => {
  expect(duration(85)).toBe('85 ms');
  expect(duration(1340)).toBe('1,3 s');
});

describe('an amount', () => {
  it.each([
    ['12', 1200],
    ['12,5', 1250],
    ['12.5', 1250],
    ['12,50', 1250],
    ['12.50 €', 1250],
    ['€12.50', 1250],
    ['12,50\u00a0€', 1250],
    ['0', 0],
    ['0,05', 5],
    ['12,', 1200],
    ['1250', 125000],
    ['1 250,40', 125040],
    ['1\u202f250,40 €', 125040],
    ['1.250,40', 125040],
    ['1,250.40', 125040],
    ['1’250.40', 125040],
    ['1.234.567,8', 123456780],
    ['52,40 EUR', 5240],
  ])('%s is %s cents', (typed, expected) => expect(cents(typed)).toBe(expected));

  it.each(['', ' ', 'douze', '-5', '12,345', '1.250', '1,250', '1.2.3', '1.250.40', '12,5,0', '12 €uro', '9999999999999999'])('%s is not one', (typed) =>
    expect(cents(typed)).toBeUndefined(),
  );

  it.each([
    [5240, 'fr', '52,40\u00a0€'],
    [5, 'de', '0,05\u00a0€'],
    [125040, 'fr', '1\u202f250,40\u00a0€'],
    [125040, 'lb', '1.250,40\u00a0€'],
    [123456789, 'en', '€1,234,567.89'],
    [-150, 'en', '−€1.50'],
    [-150, 'fr', '−1,50\u00a0€'],
  ] as const)('%s in %s is %s', (amount, language, expected) => expect(euro(amount, language)).toBe(expected));

  it('is read back as it was written, in every language', () => {
    for (const language of ['fr', 'de', 'en', 'lb'] as const)
      for (const amount of [0, 1, 99, 100, 5240, 125040, 100000000]) expect(cents(euro(amount, language))).toBe(amount);
  });
});

it.each([
  ['3', 3],
  [' 12 ', 12],
  ['0', 0],
  ['', undefined],
  ['3,5', undefined],
  ['-1', undefined],
  ['drei', undefined],
])('%s is the number %s', (typed, expected) => expect(integer(typed)).toBe(expected));

it.each([
  ['930', '09:30'],
  ['0930', '09:30'],
  ['9:30', '09:30'],
  ['9h30', '09:30'],
  ['9 h 30', '09:30'],
  ['9h', '09:00'],
  ['9 Uhr', '09:00'],
  ['9.30', '09:30'],
  ['21', '21:00'],
  ['1405', '14:05'],
  ['0', '00:00'],
  ['24:00', undefined],
  ['9:75', undefined],
  ['9:3', undefined],
  ['', undefined],
  ['midi', undefined],
])('%s is the time %s', (typed, expected) => expect(time(typed)).toBe(expected));
