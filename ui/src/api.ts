/** The shapes of the HTTP API: names for what `npm run types` generates from docs/openapi.json, so that a renamed field fails the build. */

import type { components } from './generated/openapi';

type Schemas = components['schemas'];

export type Language = 'fr' | 'de' | 'en' | 'lb';
/** What a field may hold. OpenAPI knows `values` only as an object: their names are the form's. */
export type Json = string | number | boolean | null;
/** One row of a field of type `lines`, by column. */
export type RowValues = Record<string, Json>;
export type Values = Record<string, Json | RowValues[]>;

export type Environment = Schemas['Environment'];
export type Check = Schemas['Check'];
export type Status = Schemas['Status'];
export type Physician = Schemas['PhysicianView'];
export type Actor = Schemas['ActorView'];
export type Session = Schemas['SessionDto'];
/** What the installation decides about the lock; without minutes it does not lock by itself. */
export type LockRule = Schemas['LockRule'];
export type FormSummary = Schemas['FormSummary'];
export type FieldType = Schemas['FieldType'];
export type Option = Schemas['OptionDefinition'];
export type ShownWhen = Omit<Schemas['ShownWhen'], 'any_of'> & { any_of?: Json[] };
export type Field = Omit<Schemas['FieldDefinition'], 'shown_when' | 'columns'> & { shown_when?: ShownWhen | null; columns?: Field[] | null };
export type Section = Omit<Schemas['SectionDefinition'], 'fields'> & { fields: Field[] };
export type Definition = Omit<Schemas['Definition'], 'sections' | 'defaults'> & { sections: Section[]; defaults: Values; };
/** What can be done with a form, as far as a pack keeps it to the physician. */
export type Act = Schemas['Act'];
export type Finding = Schemas['FindingView'];
export type Total = Schemas['TotalView'];
export type Checked = Omit<Schemas['Checkup'], 'filled'> & { filled: Record<string, Json> };
export type Payment = Schemas['PaymentView'];
export type ReceiptAnomaly = Schemas['ReceiptAnomaly'];
export type Receipt = Schemas['Receipt'];
export type Volet = Schemas['VoletView'];
export type DocumentState = Schemas['State'];
export type Issued = Schemas['DocumentView'];
export type JournalEntry = Schemas['EntryView'];
export type Fault = Schemas['Fault'];
/** RFC 9457, with whose fault it is and what to do next. */
export type Problem = Schemas['Problem'];

/** What the authority would pay. */
export type Simulation = Schemas['SimulationView'];
export type SimulationAnomaly = Schemas['SimulationAnomaly'];
export type Shares = Schemas['SharesView'];
/** An anomaly that is contested: its id and the authority's code for why. */
export type Contest = Schemas['ContestedAnomaly'];
export type Contested = Schemas['ContestationView'];

/** What is kept of the practitioner. Never anything of a patient. */
export type Profile = Schemas['Profile'];
export type Printer = Schemas['Printer'];
export type PrintJob = Schemas['PrintView'];

/** The door for practice software: who may come, who was turned away, who waits for an answer. */
export type LinkView = Schemas['LinkView'];
export type LinkSoftware = Schemas['SoftwareView'];
/** Its key is told this once. */
export type NewOrigin = Schemas['NewOrigin'];
/** What some software waits for: to be let in at all, or one signature, payment or cancellation. */
export type Question = Schemas['WaitingView'];
export type Approval = Schemas['ApprovalView'];
export type Answer = Schemas['Answer'];
