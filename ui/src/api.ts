/** The shapes of the HTTP API, as the window uses them. */

export type Language = 'fr' | 'de' | 'en' | 'lb';
export type Environment = 'training' | 'integration' | 'production';
export type Json = string | number | boolean | null;
export type Values = Record<string, Json>;

export interface Check {
  name: string;
  label: string;
  ok: boolean;
  detail: string;
  latency_ms?: number | null;
  expires?: string | null;
  clock_skew_ms?: number | null;
}

export interface Status {
  usable: boolean;
  version: string;
  environment: Environment;
  checks: Check[];
}

export interface Physician {
  ehealth_id: string;
  name: string;
  provider_codes: string[];
}

export interface Session {
  state: 'logged_out' | 'logging_in' | 'logged_in';
  environment: Environment;
  login_url?: string | null;
  actor?: { id: string; name: string } | null;
  physician?: Physician | null;
  acts_for?: Physician[] | null;
  until?: string | null;
  remembered: boolean;
  notices: { code: string; title: string; detail: string }[];
  problem?: Problem | null;
}

export interface FormSummary {
  kind: string;
  title: string;
  short_title: string;
  description: string;
  workflow: string;
  shortcut?: string | null;
}

export type FieldType =
  | 'matricule'
  | 'provider_code'
  | 'date'
  | 'text'
  | 'choice'
  | 'code'
  | 'yes_no'
  | 'ehealth_id'
  | 'accident_number';

export interface Option {
  value: string;
  label: string;
}

export interface Field {
  id: string;
  type: FieldType;
  label: string;
  hint?: string | null;
  required: boolean;
  prefill?: string | null;
  max_length?: number | null;
  wide?: boolean | null;
  options?: Option[] | null;
  free_entry?: boolean | null;
  shown_when?: { field: string; any_of: Json[] } | null;
}

export interface Section {
  id: string;
  title: string;
  fields: Field[];
}

export interface Definition {
  kind: string;
  version: string;
  workflow: string;
  shortcut?: string | null;
  title: string;
  short_title: string;
  description: string;
  sections: Section[];
  volets: { name: string; title: string; signed: boolean }[];
  defaults: Values;
}

export interface Finding {
  field: string;
  severity: 'error' | 'warning';
  code: string;
  message: string;
}

export interface Checked {
  findings: Finding[];
  facts: { field: string; text: string }[];
}

export interface Receipt {
  reference: string;
  deposited_at: string;
  correlation_id?: string | null;
  anomalies: { severity: string; code: string; message: string }[];
  signed_by?: string | null;
  signed_at?: string | null;
  own_ms?: number | null;
  remote_ms?: number | null;
}

export interface Volet {
  name: string;
  title: string;
  media_type: string;
  signed: boolean;
  pages: number;
  content?: string | null;
}

export type DocumentState = 'checking' | 'signing' | 'depositing' | 'deposited' | 'failed' | 'unknown';

export interface Issued {
  id: string;
  kind: string;
  state: DocumentState;
  receipt?: Receipt | null;
  volets?: Volet[] | null;
  problem?: Problem | null;
}

export interface JournalEntry {
  id: string;
  kind: string;
  state: string;
  created_at: string;
  finished_at?: string | null;
  actor: string;
  physician: string;
  reference?: string | null;
  correlation_id?: string | null;
  replaces?: string | null;
  problem_code?: string | null;
}

export type Fault = 'you' | 'network' | 'authority' | 'us';

/** RFC 9457, with whose fault it is and what to do next. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string | null;
  code: string;
  fault: Fault;
  next?: string | null;
  findings?: Finding[] | null;
  correlation_id?: string | null;
  authority?: { code: string; message: string } | null;
  /** For the engineer, in English, without patient data. */
  technical?: string | null;
}
