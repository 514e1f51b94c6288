import { expect, it } from 'vitest';

import type { Definition, Field } from '../api';
import { act, codeNames } from './act';

const code = { id: 'code', type: 'code', label: 'Code', list: 'tariff', options: [{ value: 'C1', label: 'Consultation' }] } as unknown as Field;
const lines = { id: 'acts', type: 'lines', label: 'Acts', columns: [{ id: 'date', type: 'date', label: 'Date' }, code] } as unknown as Field;
const form = { sections: [{ id: 'one', title: 'One', fields: [lines] }] } as unknown as Definition;
const values = { acts: [{ code: 'C1' }, { code: 'Z9' }, { date: '2026-10-21' }] };

it('a row is named after its code and what the code means', () => expect(act(form, values, 0)).toEqual({ code: 'C1', label: 'Consultation' }));
it('a code of no list stands alone', () => expect(act(form, values, 1)).toEqual({ code: 'Z9', label: '' }));
it('a row without a code, or none at all, has no act', () => {
  expect(act(form, values, 2)).toBeUndefined();
  expect(act(form, values, 3)).toBeUndefined();
  expect(act(form, {}, 0)).toBeUndefined();
  expect(act(undefined, values, 0)).toBeUndefined();
});
it('codes are named by their list, in columns too', () => expect(codeNames([form])).toEqual({ tariff: { C1: 'Consultation' } }));
