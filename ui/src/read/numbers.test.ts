import { expect, it } from 'vitest';

import { duration, groupedMatricule, plainDigits } from './numbers';

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
