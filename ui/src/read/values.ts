import type { Definition, Field, Json, Language, Physician, Profile, RowValues, Session, Values } from '../api';
import { iso, readDay, written } from './date';
import { cents, euro, groupedMatricule, integer, plainDigits, time } from './numbers';

/** What stands in one input: text, or a tick. */
export type Cell = string | boolean;
/** What stands in the inputs, by field. */
export type Typed = Record<string, Cell>;

/** One row of a field of type `lines`. Its key stays the same wherever the row stands. */
export interface Row {
  readonly key: number;
  typed: Typed;
}
export type Rows = Record<string, Row[]>;

/** What the core filled in where a field was left empty, by path. */
export type Filled = Record<string, Json>;

/** What is known before anybody typed. `physician` is the one acted for. */
export interface Known {
  session?: Session | undefined;
  physician?: Physician | undefined;
  profile?: Profile | undefined;
}

export function fields(definition: Definition): Field[] {
  return definition.sections.flatMap((section) => section.fields);
}

/** What inputs hold at first: the defaults, then what is known of the physician. */
export function initial(list: Field[], defaults: Values | RowValues, known: Known, language: Language): Typed {
  const typed: Typed = {};
  for (const field of list) {
    if (field.type === 'lines') continue;
    const given = defaults[field.id];
    if (field.type === 'yes_no') typed[field.id] = given === true;
    else typed[field.id] = given === undefined || given === null || Array.isArray(given) ? '' : shown(field, given, language);
  }
  return { ...typed, ...prefills(list, known, language) };
}

/** What the session and the profile know for the fields that ask them. */
export function prefills(list: Field[], known: Known, language: Language): Typed {
  const typed: Typed = {};
  for (const field of list) {
    const value = field.prefill ? follow(field.prefill, known) : undefined;
    if (typeof value === 'string' && value !== '') typed[field.id] = shown(field, value, language);
  }
  return typed;
}

/** The codes a field offers from the profile. */
export function suggestions(field: Field, known: Known): { code: string; label: string }[] {
  const found = field.suggest ? follow(field.suggest, known) : undefined;
  return Array.isArray(found) ? (found as { code: string; label: string }[]) : [];
}

/** A value, or what was typed for one, as it stands in its input: dates in the user's order, matricules in groups, amounts with two decimals. */
export function shown(field: Field, value: Json, language: Language): string {
  if (typeof value === 'number') return field.type === 'money' ? euro(value, language) : String(value);
  const text = value === null ? '' : String(value);
  switch (field.type) {
    case 'matricule':
      return groupedMatricule(text);
    case 'date': {
      const day = readDay(text);
      return day ? written(day) : text.trim();
    }
    case 'money': {
      const amount = cents(text);
      return amount === undefined ? text.trim() : euro(amount, language);
    }
    case 'time':
      return time(text) ?? text.trim();
    default:
      return text;
  }
}

/** What goes to the core: dates as ISO where they were understood, cents, digits without separators; empty and hidden fields left out. */
export function toSend(definition: Definition, typed: Typed, rows: Rows = {}, filled: Filled = {}): Values {
  const all = fields(definition);
  const values: Values = scalars(all, typed, filled, '');
  for (const field of all) {
    if (field.type !== 'lines' || !visible(all, field, typed, filled)) continue;
    const columns = field.columns ?? [];
    const list = (rows[field.id] ?? []).map((row, at) => scalars(columns, row.typed, filled, `${field.id}.${at}.`));
    if (list.length > 0) values[field.id] = list;
  }
  return values;
}

function scalars(list: Field[], typed: Typed, filled: Filled, under: string): RowValues {
  const values: RowValues = {};
  for (const field of list) {
    if (field.type === 'lines' || !visible(list, field, typed, filled, under)) continue;
    const value = read(field, typed[field.id]);
    if (value !== '') values[field.id] = value;
  }
  return values;
}

/** Whether a field is asked for, given what was answered so far among its neighbours; a field under a hidden one is hidden too. */
export function visible(list: Field[], field: Field, typed: Typed, filled: Filled = {}, under = ''): boolean {
  const condition = field.shown_when;
  if (!condition) return true;
  const master = list.find((other) => other.id === condition.field);
  if (!master || !visible(list, master, typed, filled, under)) return false;
  const own = read(master, typed[master.id]);
  const value = own === '' ? (filled[under + master.id] ?? '') : own;
  return condition.empty ? value === '' : (condition.any_of ?? []).includes(value);
}

/** What was typed, as the core wants it; text that was not understood goes as it is, for the core to judge. */
export function read(field: Field, typed: Cell | undefined): Json {
  if (typeof typed === 'boolean') return typed;
  const text = (typed ?? '').trim();
  switch (field.type) {
    case 'date': {
      const day = readDay(text);
      return day ? iso(day) : text;
    }
    case 'money':
      return cents(text) ?? text;
    case 'integer':
      return integer(text) ?? text;
    case 'time':
      return time(text) ?? text;
    case 'matricule':
    case 'provider_code':
    case 'ehealth_id':
      return plainDigits(text);
    default:
      return text;
  }
}

/** The practice's address on one line. */
function address({ number, street, postal_code, locality }: Profile): string {
  const words = (parts: string[], between: string) => parts.filter((part) => part !== '').join(between);
  return words([words([number, street], ', '), words([postal_code, locality], ' ')], ', ');
}

/** Follows a path such as `physician.provider_codes.0` or `profile.street`. */
function follow(path: string, { session, physician, profile }: Known): unknown {
  let place: unknown = { ...session, physician, profile: profile && { ...profile, address: address(profile) } };
  for (const step of path.split('.')) {
    if (typeof place !== 'object' || place === null) return undefined;
    place = (place as Record<string, unknown>)[step];
  }
  return place;
}
