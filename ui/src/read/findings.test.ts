import { expect, it } from 'vitest';

import { named } from './findings';

it.each([
  ['Matricule', 'Matricule : à remplir.', 'Matricule', ' : à remplir.'],
  ['Code', 'code: unknown.', 'code', ': unknown.'],
  ['Nom', 'Nombre trop grand.', 'Nom', ' — Nombre trop grand.'],
  ['Nom', 'Le nom manque.', 'Nom', ' — Le nom manque.'],
  [undefined, 'Le nom manque.', '', 'Le nom manque.'],
])('%s is said once before “%s”', (label, message, name, rest) => {
  expect(named(label, message)).toEqual({ name, rest });
});
