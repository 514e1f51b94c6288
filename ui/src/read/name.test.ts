import { expect, it } from 'vitest';

import { within } from './name';

it('writes the name of a form as it stands inside a sentence', () => {
  expect(within('Mémoire d’honoraires', 'fr')).toBe('mémoire d’honoraires');
  expect(within('Évacuation', 'fr')).toBe('évacuation');
  expect(within('Fee note', 'en')).toBe('fee note');
  expect(within('Honorarnote', 'de')).toBe('Honorarnote');
  expect(within('Honorarnote', 'lb')).toBe('Honorarnote');
});

it('leaves abbreviations alone', () => {
  expect(within('PID', 'fr')).toBe('PID');
  expect(within('eCIT', 'en')).toBe('eCIT');
  expect(within('', 'fr')).toBe('');
});
