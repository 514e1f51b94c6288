/** The shapes of the HTTP API: names for what `npm run types` generates from docs/openapi.json, so that a renamed field fails the build. */

import type { components } from './generated/openapi';

type Schemas = components['schemas'];

export type Language = 'fr' | 'de' | 'en' | 'lb';
/** What a field may hold. OpenAPI knows `values` only as an object: their names are the form's. */
export type Json = string | number | boolean | null;
export type Values = Record<string, Json>;

export type Environment = Schemas['Environment'];
export type Check = Schemas['Check'];
export type Status = Schemas['Status'];
export type Physician = Schemas['PhysicianView'];
export type Session = Schemas['SessionDto'];
export type FormSummary = Schemas['FormSummary'];
export type FieldType = Schemas['FieldType'];
export type Option = Schemas['OptionDefinition'];
export type Field = Omit<Schemas['FieldDefinition'], 'shown_when'> & { shown_when?: { field: string; any_of: Json[] } | null };
export type Section = Omit<Schemas['SectionDefinition'], 'fields'> & { fields: Field[] };
export type Definition = Omit<Schemas['Definition'], 'sections' | 'defaults'> & { sections: Section[]; defaults: Values };
export type Finding = Schemas['FindingView'];
export type Checked = Schemas['Checkup'];
export type Receipt = Schemas['Receipt'];
export type Volet = Schemas['VoletView'];
export type DocumentState = Schemas['State'];
export type Issued = Schemas['DocumentView'];
export type JournalEntry = Schemas['EntryView'];
export type Fault = Schemas['Fault'];
/** RFC 9457, with whose fault it is and what to do next. */
export type Problem = Schemas['Problem'];
