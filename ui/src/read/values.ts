import type { Definition, Field, Json, Physician, Session, Values } from '../api';
import { iso, readDay, written } from './date';
import { groupedMatricule, plainDigits } from './numbers';

/** What stands in the inputs, by field: text, or a tick. */
export type Typed = Record<string, string | boolean>;

/** What a field's input holds at first, before anybody typed. */
export function initial(definition: Definition, session: Session | undefined, physician: Physician | undefined): Typed {
  const typed: Typed = {};
  for (const field of fields(definition)) {
    const given = definition.defaults[field.id];
    if (field.type === 'yes_no') typed[field.id] = given === true;
    else typed[field.id] = given === undefined || given === null ? '' : shown(field, String(given));
  }
  return { ...typed, ...prefills(definition, session, physician) };
}

/** What the session knows for the fields that ask it. */
export function prefills(definition: Definition, session: Session | undefined, physician: Physician | undefined): Typed {
  const typed: Typed = {};
  for (const field of fields(definition)) {
    const known = prefilled(field, session, physician);
    if (known !== undefined) typed[field.id] = shown(field, known);
  }
  return typed;
}

/** A value as it stands in its input: dates in the user's order, matricules in groups. */
export function shown(field: Field, value: string): string {
  if (field.type === 'matricule') return groupedMatricule(value);
  if (field.type === 'date') {
    const day = readDay(value);
    return day ? written(day) : value.trim();
  }
  return value;
}

/** What goes to the core: dates as ISO where they were understood, digits without separators, empty and hidden fields left out. */
export function toSend(definition: Definition, typed: Typed): Values {
  const values: Values = {};
  for (const field of fields(definition)) {
    if (!visible(definition, field, typed)) continue;
    const value = one(field, typed[field.id]);
    if (value !== '') values[field.id] = value;
  }
  return values;
}

/** Whether a field is asked for, given what was answered so far; a field under a hidden one is hidden too. */
export function visible(definition: Definition, field: Field, typed: Typed): boolean {
  const condition = field.shown_when;
  if (!condition) return true;
  const master = fields(definition).find((other) => other.id === condition.field);
  if (!master || !visible(definition, master, typed)) return false;
  return condition.any_of.includes(one(master, typed[master.id]));
}

export function fields(definition: Definition): Field[] {
  return definition.sections.flatMap((section) => section.fields);
}

/** Follows a path such as `physician.provider_codes.0`; `physician` is the one acted for. */
function prefilled(field: Field, session: Session | undefined, physician: Physician | undefined): string | undefined {
  if (!field.prefill) return undefined;
  let place: unknown = { ...session, physician };
  for (const step of field.prefill.split('.')) {
    if (typeof place !== 'object' || place === null) return undefined;
    place = (place as Record<string, unknown>)[step];
  }
  return typeof place === 'string' ? place : undefined;
}

function one(field: Field, typed: string | boolean | undefined): Json {
  if (typeof typed === 'boolean') return typed;
  const text = (typed ?? '').trim();
  switch (field.type) {
    case 'date': {
      const day = readDay(text);
      return day ? iso(day) : text;
    }
    case 'matricule':
    case 'provider_code':
    case 'ehealth_id':
      return plainDigits(text);
    default:
      return text;
  }
}
