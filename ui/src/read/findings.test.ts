import { expect, it } from 'vitest';

import { named } from './findings';

it.each([
  ['Matricule', 'Matricule : à remplir.', 'Matricule', ' : à remplir.'],
  ['Code', 'code: unknown.', 'code', ': unknown.'],
  ['Ligne 3, Montant', 'Ligne 3, Montant : à remplir.', 'Ligne 3, Montant', ' : à remplir.'],
  ['Ligne 3, Date', 'Ligne 3 : l’acte précède la naissance.', 'Ligne 3', ' : l’acte précède la naissance.'],
  ['Ligne 3, Date', 'Ligne 30 : fausse.', 'Ligne 3, Date', ' — Ligne 30 : fausse.'],
  ['Nom', 'Nombre trop grand.', 'Nom', ' — Nombre trop grand.'],
  ['Nom', 'Le nom manque.', 'Nom', ' — Le nom manque.'],
  [undefined, 'Le nom manque.', '', 'Le nom manque.'],
])('%s is said once before “%s”', (label, message, name, rest) => {
  expect(named(label, message)).toEqual({ name, rest });
});
