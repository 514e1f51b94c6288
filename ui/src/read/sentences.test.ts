import { expect, it } from 'vitest';

import { sentences } from './sentences';

it('ends a title before what follows it, and ends nothing twice', () => {
  expect(sentences('L’imprimante ne répond pas', 'Regardez si elle est allumée.')).toBe('L’imprimante ne répond pas. Regardez si elle est allumée.');
  expect(sentences('Pour quel médecin travaillez-vous ?', 'Choisissez-le.')).toBe('Pour quel médecin travaillez-vous ? Choisissez-le.');
  expect(sentences('Choisissez «Tous.»', 'Encore…')).toBe('Choisissez «Tous.» Encore…');
});

it('says nothing of what is not said', () => {
  expect(sentences('Seul', undefined, null, '')).toBe('Seul.');
  expect(sentences(undefined)).toBe('');
});
