import type { Definition, Field, Values } from '../api';
import { fields } from './values';

/** What a row is about: the code in its first column of that type, and what the code means. */
export interface Act {
  code: string;
  label: string;
}

/** The act of a row, counted from 0; nothing when the form has no such row. */
export function act(definition: Definition | undefined, values: Values, row: number): Act | undefined {
  const lines = definition && fields(definition).find((field) => field.type === 'lines');
  const column = lines?.columns?.find((one: Field) => one.type === 'code');
  const rows = lines && values[lines.id];
  if (!column || !Array.isArray(rows)) return undefined;
  const code = rows[row]?.[column.id];
  if (typeof code !== 'string' || code === '') return undefined;
  return { code, label: column.options?.find((option) => option.value === code)?.label ?? '' };
}

/** What the codes of every list mean: list, then code, to its words. */
export function codeNames(definitions: Definition[]): Record<string, Record<string, string>> {
  const names: Record<string, Record<string, string>> = {};
  for (const field of definitions.flatMap(fields).flatMap((one) => [one, ...(one.columns ?? [])])) {
    if (!field.list) continue;
    const list = (names[field.list] ??= {});
    for (const option of field.options ?? []) list[option.value] = option.label;
  }
  return names;
}
