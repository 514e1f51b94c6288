import { SvelteSet } from 'svelte/reactivity';

import { type Acting, actingOf, isSame } from './acting';
import type {
  Checked,
  Contest,
  Contested,
  Definition,
  DocumentState,
  Field,
  Finding,
  Issued,
  JournalEntry,
  Problem,
  Simulation,
} from './api';
import { host, Refusal, unseen } from './host';
import { type Cell, fields, initial, type Known, prefills, read, type Row, type Rows, shown, toSend, type Typed, visible } from './read/values';
import { who } from './session.svelte';
import { speech, t } from './texts.svelte';

const CHECK_AFTER_MS = 150;
const WATCH_STAGES_MS = 150;
const FOLLOW_AT_MOST_MS = 90_000;
const UNDER_WAY: DocumentState[] = ['checking', 'signing', 'depositing'];
/** States in which nothing more is to be done for this id. */
const SETTLED: DocumentState[] = ['deposited', 'unknown', 'paper', 'cancelling', 'cancelled'];
/** States of what may be put away. */
const OVER: DocumentState[] = ['deposited', 'paper', 'cancelled'];

/** What the host is busy with. */
export type Doing = 'send' | 'simulate' | 'validate' | 'contest' | 'paper' | 'cancel';
/** How an attempt ended: done, something to correct, a page still to be looked at, or a problem. */
export type Ending = 'settled' | 'findings' | 'unseen' | 'problem';

/** A row, and the field of type `lines` it belongs to. */
export interface Line {
  of: Field;
  row: Row;
}

/** Where a finding's path leads: a field or a column's cell, and the name of its place in the document. */
export interface Spot {
  field: Field;
  line?: Line;
  name: string;
}

/** What one draft hands on to another: what was typed, and by whom. */
export interface Carried {
  definition: Definition;
  typed: Typed;
  rows: Record<string, Typed[]>;
  changed: Set<string>;
  /** Who typed it, for whom. */
  owner: Acting | undefined;
}

export interface Origin {
  id?: string;
  /** The document this one replaces. */
  replaces?: string | undefined;
  /** That document is cancelled already; if not, sending this one cancels it. */
  cancelled?: boolean;
  /** Why it is replaced, for the authority. */
  reason?: string | undefined;
  carried?: Carried;
}

interface Removed {
  of: Field;
  at: number;
  row: Row;
}

/** One form being filled in, sent, and answered. Holds patient values: it lives in memory and is dropped with `New`. */
export class Draft {
  /** The document's id. One form keeps one id, so that a second click or a retry can never be a second deposit. */
  readonly id: string;
  readonly replaces: string | undefined;
  /** What it replaces is cancelled already. */
  readonly replacesCancelled: boolean;
  /** Why it is replaced, for the authority. */
  readonly reason: string | undefined;
  /** The id of the document that will replace this one, should it have to be replaced. */
  readonly successor = crypto.randomUUID();

  definition = $state.raw<Definition>();
  /** By whom and for whom it was begun. Once something is typed, nobody else finds it filled with her own data. */
  owner = $state.raw<Acting>();
  typed = $state<Typed>({});
  rows = $state<Rows>({});
  checked = $state.raw<Checked>({ findings: [], facts: [], filled: {}, totals: [] });
  /** Cells that were typed into and left: only these show their findings before the first try to send. */
  left = $state<Record<string, boolean>>({});
  tried = $state(false);
  /** The core has judged these values at least once. */
  judged = $state(false);
  /** Which disclosures are open, by the section's id or the row's key. */
  opened = $state<Record<string, boolean>>({});
  /** The rows taken out, the last one last, while they can come back. */
  removed = $state.raw<Removed[]>([]);

  doing = $state<Doing>();
  /** What was done last, whatever came of it. */
  did = $state<Doing>();
  stage = $state<DocumentState>('checking');
  problem = $state.raw<Problem>();
  simulation = $state.raw<Simulation>();
  /** The remarks of the simulation that are to be contested, by id: the code for why, empty until chosen. */
  chosen = $state<Record<string, string>>({});
  contested = $state.raw<Contested>();
  outcome = $state.raw<Issued>();
  cancelled = $state.raw<JournalEntry>();
  /** The page for a signature by hand went to the printer by itself, which it does once. */
  printed = false;

  /**
   * Brings what is to be signed, made of the values of this stamp, before the physician's eyes. Answers whether every page of it has stood there;
   * if not, or if it fails, nothing is sent.
   */
  show: (stamp: string) => Promise<boolean> = () => Promise.reject(unseen(new Error('no page')));

  sending = $derived(this.doing !== undefined);
  /** Nothing more is to be done with it: its form's own key begins the next one. A deposit or a cancellation nobody knows the end of stays. */
  over = $derived(!this.sending && this.outcome !== undefined && OVER.includes(this.outcome.state));
  /** Begun by somebody else than who is logged in, or for another physician: nobody goes on with it unasked. */
  foreign = $derived(this.isForeignTo(who.present));
  /** Nothing can be typed now. */
  locked = $derived(this.sending || this.foreign || this.simulation !== undefined || this.outcome !== undefined);
  /** Rows somebody typed into, in their order: the others are not sent. */
  full: Rows = $derived.by(() => {
    const full: Rows = {};
    for (const field of this.#lists()) full[field.id] = (this.rows[field.id] ?? []).filter((row) => !this.#isFresh(field, row));
    return full;
  });
  values = $derived(this.definition ? toSend(this.definition, this.typed, this.full, this.checked.filled) : {});
  /** Changes exactly when the values change. */
  stamp = $derived(JSON.stringify(this.values));
  contestable = $derived(
    !this.contested && Boolean(this.definition?.contestation?.length) && this.simulation?.anomalies.some((anomaly) => anomaly.id) === true,
  );
  /** A remark is ticked to be contested: nothing is paid until it is unticked. */
  contesting = $derived(this.contestable && Object.keys(this.chosen).length > 0);
  /** Changes with all that was last done and with what: the values, the act, the simulation, what of it is contested and why. */
  intent = $derived(JSON.stringify([this.stamp, this.did, this.simulation?.reference, this.chosen]));
  errors = $derived(this.checked.findings.filter((finding) => finding.severity === 'error'));
  warnings = $derived(this.checked.findings.filter((finding) => finding.severity !== 'error'));

  #known: Known;
  #carried: Carried | undefined;
  #changed = new SvelteSet<string>();
  #keys = 0;
  #round = 0;
  /** The core has been given the values under this id, and may still hold them. */
  #handedOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last: (() => Promise<Ending>) | undefined;

  constructor(
    readonly kind: string,
    known: Known,
    { id, replaces, cancelled = false, reason, carried }: Origin = {},
  ) {
    this.id = id ?? crypto.randomUUID();
    this.replaces = replaces;
    this.replacesCancelled = cancelled;
    this.reason = reason;
    this.#known = known;
    this.owner = actingOf(known);
    this.#carried = carried;
  }

  // --- The form -----------------------------------------------------------------------------------------------------------

  /** Reads the definition in the current language; what was typed stays. */
  async load(): Promise<void> {
    try {
      const definition = await host.form(this.kind);
      const typed = this.definition ? this.typed : this.#taken(definition);
      this.typed = { ...initial(fields(definition), definition.defaults, this.#known, speech.language), ...typed };
      for (const field of fields(definition)) if (field.type === 'lines') this.rows[field.id] ??= [this.#freshRow(field, definition)];
      this.definition = definition;
      this.problem = undefined;
      await this.check();
    } catch (error) {
      this.#keep(error);
    }
  }

  /** Puts what is known now of the physician into the fields that ask for it, unless they were typed over, or somebody else began the form. */
  adopt(known: Known): void {
    const acting = actingOf(known);
    if (this.isForeignTo(acting)) return;
    // What nobody knows of this physician is not what was known of the one before.
    const isAnother = acting !== undefined && acting.physician.ehealth_id !== this.owner?.physician.ehealth_id;
    this.#known = known;
    if (acting?.actor || !this.touched) this.owner = acting ?? this.owner;
    if (!this.definition || this.locked) return;
    const given = prefills(fields(this.definition), known, speech.language);
    let changed = false;
    for (const { id, prefill } of fields(this.definition)) {
      const value = given[id] ?? (isAnother ? '' : undefined);
      if (!prefill || value === undefined || this.#changed.has(id) || this.typed[id] === value) continue;
      this.typed[id] = value;
      changed = true;
    }
    if (changed) this.#checkSoon();
  }

  /** Whether somebody else, or for somebody else, typed into it. */
  isForeignTo(acting: Acting | undefined): boolean {
    return acting !== undefined && this.owner !== undefined && this.touched && !isSame(this.owner, acting);
  }

  get known(): Known {
    return this.#known;
  }

  get touched(): boolean {
    return this.#changed.size > 0 || this.#carried !== undefined;
  }

  /** What another draft may go on with. */
  carry(): Carried | undefined {
    if (!this.definition) return undefined;
    const rows: Carried['rows'] = {};
    const changed = new Set([...this.#changed].filter((name) => !name.includes('/')));
    for (const [id, list] of Object.entries(this.full)) rows[id] = list.map((row) => ({ ...row.typed }));
    return { definition: this.definition, typed: { ...this.typed }, rows, changed, owner: this.owner };
  }

  /** Everything that fits this definition of what was carried here. */
  #taken(definition: Definition): Typed {
    const carried = this.#carried;
    this.#carried = undefined;
    const typed: Typed = {};
    if (!carried) return typed;
    const sources = fields(carried.definition);
    // What is a physician's own is not another's.
    const isAnothers = carried.owner !== undefined && carried.owner.physician.ehealth_id !== this.owner?.physician.ehealth_id;
    const isKept = (field: Field) => !isAnothers || !field.prefill;
    for (const field of fields(definition).filter(isKept)) {
      const source = sources.find((one) => one.id === field.id && one.type === field.type);
      if (!source) continue;
      if (field.type === 'lines') {
        const columns = (field.columns ?? []).filter((column) => isKept(column) && source.columns?.some((one) => one.id === column.id && one.type === column.type));
        const list = (carried.rows[field.id] ?? []).map((cells) => {
          const row = this.#freshRow(field, definition);
          for (const { id } of columns) if (cells[id] !== undefined && cells[id] !== '') row.typed[id] = cells[id];
          return row;
        });
        if (list.length > 0) {
          this.rows[field.id] = list;
          this.#changed.add(field.id);
        }
        continue;
      }
      const cell = carried.typed[field.id];
      const changed = carried.changed.has(field.id);
      if (cell === undefined || (!changed && (cell === '' || cell === false))) continue;
      typed[field.id] = cell;
      if (changed) this.#changed.add(field.id);
    }
    return typed;
  }

  // --- Cells --------------------------------------------------------------------------------------------------------------

  cell(field: Field, line?: Line): Cell {
    return (line ? line.row.typed : this.typed)[field.id] ?? '';
  }

  set(field: Field, value: Cell, line?: Line): void {
    const typed = line ? line.row.typed : this.typed;
    if (typed[field.id] === value || this.locked) return;
    typed[field.id] = value;
    this.#changed.add(mark(field, line));
    this.#checkSoon();
  }

  leave(field: Field, line?: Line): void {
    if (this.#changed.has(mark(field, line))) this.left[mark(field, line)] = true;
  }

  /** Whether the field is asked for now. */
  shows(field: Field, line?: Line): boolean {
    if (!this.definition) return false;
    const filled = this.checked.filled;
    if (!line) return visible(fields(this.definition), field, this.typed, filled);
    const path = this.path(field, line);
    return visible(line.of.columns ?? [], field, line.row.typed, filled, path?.slice(0, -field.id.length));
  }

  /** The core's name for a cell: `lines.0.code`; nothing for a row that is not sent. */
  path(field: Field, line?: Line): string | undefined {
    if (!line) return field.id;
    const at = (this.full[line.of.id] ?? []).findIndex((row) => row.key === line.row.key);
    return at < 0 ? undefined : `${line.of.id}.${at}.${field.id}`;
  }

  /** What is said beside a field now; the worst first. */
  finding(field: Field, line?: Line): Finding | undefined {
    if (!this.tried && !this.left[mark(field, line)]) return undefined;
    const path = this.path(field, line);
    return path === undefined ? undefined : [...this.errors, ...this.warnings].find((finding) => finding.field === path);
  }

  facts(field: Field, line?: Line): string[] {
    const path = this.path(field, line);
    return path === undefined ? [] : this.checked.facts.filter((fact) => fact.field === path).map((fact) => fact.text);
  }

  /** What the core put where nothing was typed. */
  filled(field: Field, line?: Line): string {
    const path = this.path(field, line);
    const value = path === undefined ? undefined : this.checked.filled[path];
    return value === undefined || value === null ? '' : shown(field, value, speech.language);
  }

  /** Whether somebody put something of their own there. */
  isOwn(field: Field, line?: Line): boolean {
    const own = this.cell(field, line);
    if (own === '' || own === false) return false;
    return own !== (line ? this.#fresh(line.of)[field.id] : this.#start()[field.id]);
  }

  field(id: string): Field | undefined {
    return this.definition && fields(this.definition).find((field) => field.id === id);
  }

  /** Where a finding's path leads. A path to a field of type `lines` leads to its first cell. */
  locate(path: string): Spot | undefined {
    const [id = '', at, column] = path.split('.');
    const field = this.field(id);
    if (!field?.columns) return field && { field, name: field.id };
    const list = this.rows[id] ?? [];
    const row = at === undefined ? list[0] : this.full[id]?.[Number(at)];
    const cell = field.columns.find((one) => one.id === column) ?? field.columns[0];
    if (!row || !cell) return undefined;
    return { field: cell, line: { of: field, row }, name: `${id}-${list.findIndex((one) => one.key === row.key)}-${cell.id}` };
  }

  /** `Line 2, Code`, as the core's messages begin. */
  label(path: string): string | undefined {
    const spot = this.locate(path);
    if (!spot?.line) return spot?.field.label;
    if (!path.includes('.')) return spot.line.of.label;
    return t('lines.named', { label: spot.field.label, n: Number(path.split('.')[1]) + 1 });
  }

  /** The number of a row, as the core counts them: an empty row between others has none. */
  number(of: Field, row: Row): number | undefined {
    const list = this.rows[of.id] ?? [];
    const full = this.full[of.id] ?? [];
    const nth = full.findIndex((one) => one.key === row.key);
    if (nth >= 0) return nth + 1;
    const at = list.findIndex((one) => one.key === row.key);
    const last = list.findIndex((one) => one.key === full.at(-1)?.key);
    return at < last ? undefined : full.length + at - last;
  }

  // --- Rows ---------------------------------------------------------------------------------------------------------------

  /** Another row at the end; answers its place, or nothing when the form takes no more. */
  addRow(of: Field): number | undefined {
    const list = this.rows[of.id];
    if (!list || !this.definition || this.locked || (of.max != null && list.length >= of.max)) return undefined;
    return list.push(this.#freshRow(of, this.definition)) - 1;
  }

  /** Takes a row out; there is always one left to type into. */
  removeRow(of: Field, at: number): void {
    const list = this.rows[of.id];
    if (!list || !this.definition || this.locked) return;
    const [row] = list.splice(at, 1);
    if (!row) return;
    if (list.length === 0) list.push(this.#freshRow(of, this.definition));
    if (!this.#isFresh(of, row)) this.removed = [...this.removed, { of, at, row }];
    this.#changed.add(of.id);
    this.#checkSoon();
  }

  /** The row taken out last comes back where it was; answers its place, or nothing when there is none or no room. */
  restoreRow(): number | undefined {
    const { of, at = 0, row } = this.removed.at(-1) ?? {};
    const list = of && this.rows[of.id];
    if (!list || !row || this.locked) return undefined;
    if (list.length === 1 && list[0] && this.#isFresh(of, list[0])) list.length = 0;
    if (of.max != null && list.length >= of.max) return undefined;
    const place = Math.min(at, list.length);
    list.splice(place, 0, row);
    this.removed = this.removed.slice(0, -1);
    this.#checkSoon();
    return place;
  }

  /** Empty rows go; the first one stays. */
  pruneRows(of: Field): void {
    const list = this.rows[of.id];
    if (list) this.rows[of.id] = this.full[of.id]?.length ? (this.full[of.id] ?? []) : list.slice(0, 1);
  }

  isEmptyRow(of: Field, row: Row): boolean {
    return this.#isFresh(of, row);
  }

  #lists(): Field[] {
    return this.definition ? fields(this.definition).filter((field) => field.type === 'lines') : [];
  }

  #start(): Typed {
    return this.definition ? initial(fields(this.definition), this.definition.defaults, this.#known, speech.language) : {};
  }

  #fresh(of: Field, definition = this.definition): Typed {
    const given = definition?.defaults[of.id];
    return initial(of.columns ?? [], (Array.isArray(given) ? given[0] : undefined) ?? {}, this.#known, speech.language);
  }

  #freshRow(of: Field, definition: Definition): Row {
    return { key: this.#keys++, typed: this.#fresh(of, definition) };
  }

  #isFresh(of: Field, row: Row): boolean {
    const fresh = this.#fresh(of);
    return (of.columns ?? []).every((column) => read(column, row.typed[column.id]) === read(column, fresh[column.id]));
  }

  // --- The core -----------------------------------------------------------------------------------------------------------

  /** Asks the core about the present values; an answer to older values is dropped. */
  async check(once = true): Promise<void> {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    const asked = this.stamp;
    const checked = await host.check(this.kind, this.values);
    if (round !== this.#round) return;
    this.checked = checked;
    this.judged = true;
    // What the core filled in may show or hide a field: then these are other values, to be judged once more.
    if (once && this.stamp !== asked) await this.check(false);
  }

  /** Checks, shows, signs, deposits. */
  send(): Promise<Ending> {
    return this.#attempt('send', async () => {
      const { stamp, values } = this;
      if (!(await this.show(stamp))) return 'unseen';
      this.#handedOver = true;
      this.#settle(await this.#followed(() => host.issue(this.id, this.kind, values, { replaces: this.replaces, reason: this.reason })));
      return 'settled';
    });
  }

  /** Asks the authority what it would pay. */
  simulate(): Promise<Ending> {
    return this.#attempt('simulate', async () => {
      this.contested = undefined;
      this.#handedOver = true;
      this.simulation = await host.simulate(this.kind, this.id, this.values);
      return 'settled';
    });
  }

  /** Shows, signs, and orders the payment of what was simulated. */
  validate(): Promise<Ending> {
    return this.#attempt('validate', async () => {
      if (!this.simulation || this.contesting) return 'settled';
      if (!(await this.show(this.stamp))) return 'unseen';
      this.#settle(await this.#followed(() => host.validate(this.kind, this.id)));
      return 'settled';
    });
  }

  /** Contests the remarks chosen by then, once each has its reason. */
  contest(): Promise<Ending> {
    return this.#attempt('contest', async () => {
      const anomalies: Contest[] = Object.entries(this.chosen).map(([id, code]) => ({ id, code }));
      if (!this.contesting || anomalies.some(({ code }) => code === '')) return 'settled';
      this.contested = await host.contest(this.kind, this.id, anomalies);
      this.chosen = {};
      return 'settled';
    });
  }

  /** This remark is to be contested for this reason; without one, not at all. What went wrong before was about another choice. */
  choose(id: string, code?: string): void {
    if (this.sending || this.foreign) return;
    if (code === undefined) delete this.chosen[id];
    else this.chosen[id] = code;
    this.problem = undefined;
  }

  /** Gives the simulation up: the form may be typed into again. */
  change(): void {
    if (this.sending || this.outcome) return;
    this.#giveUp();
    this.problem = undefined;
  }

  #giveUp(): void {
    this.simulation = undefined;
    this.contested = undefined;
    this.chosen = {};
  }

  /** The same page for a signature by hand. */
  paper(): Promise<Ending> {
    return this.#attempt('paper', async () => {
      this.#handedOver = true;
      this.#settle(await host.paper(this.id, this.kind, this.values));
      return 'settled';
    });
  }

  /** Cancels what was deposited; answers whether it is. `replacedBy` is the id the replacing document will have. */
  async cancel(reason: string, replacedBy?: string): Promise<boolean> {
    const ending = await this.#attempt('cancel', async () => {
      try {
        this.cancelled = await host.cancel(this.id, reason, replacedBy);
      } catch (error) {
        this.cancelled = await this.#lookedUp();
        if (!this.cancelled) throw error;
      }
      if (this.outcome) this.outcome = { ...this.outcome, state: this.cancelled.state };
      return 'settled';
    });
    return ending === 'settled';
  }

  /** What a cancellation without an answer came to, asked of the core; its journal line if it is done after all. */
  async #lookedUp(): Promise<JournalEntry | undefined> {
    try {
      const found = await host.document(this.id);
      if (found && this.outcome) this.outcome = { ...this.outcome, state: found.state };
      return found?.state === 'cancelled' ? (await host.journal()).find((entry) => entry.id === this.id) : undefined;
    } catch (error) {
      this.#ignore(error);
      return undefined;
    }
  }

  /** Does again what ended with a problem. */
  repeat(): Promise<Ending> {
    return this.#last?.() ?? this.send();
  }

  /** Nothing of the patient stays behind, here or in the core. */
  async forget(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#handedOver) return;
    await host.forget(this.id).catch((error: unknown) => this.#ignore(error));
  }

  async #attempt(doing: Doing, what: () => Promise<Ending>): Promise<Ending> {
    const onOutcome = doing === 'cancel';
    if (this.sending || (this.outcome && !onOutcome)) return 'settled';
    const typing = doing === 'send' || doing === 'simulate' || doing === 'paper';
    this.#last = () => this.#attempt(doing, what);
    this.doing = this.did = doing;
    this.problem = undefined;
    this.stage = 'checking';
    try {
      if (typing) {
        this.#giveUp();
        this.tried = true;
        for (const field of this.#lists()) this.pruneRows(field);
        await this.check();
        if (this.errors.length > 0) return 'findings';
      }
      return await what();
    } catch (error) {
      this.#keep(error);
      return this.errors.length > 0 && this.problem === undefined ? 'findings' : 'problem';
    } finally {
      this.doing = undefined;
    }
  }

  #checkSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check().catch((error: unknown) => this.#ignore(error)), CHECK_AFTER_MS);
  }

  async #followed(ask: () => Promise<Issued>): Promise<Issued> {
    const watching = new AbortController();
    void this.#watch(watching.signal);
    try {
      return await ask();
    } catch (error) {
      // Whatever went wrong: what became of the document is asked, never sent again blindly.
      if (error instanceof Refusal && !error.problem.findings?.length) {
        const found = await this.#follow(error);
        if (found && SETTLED.includes(found.state)) return { ...found, problem: error.problem };
      }
      throw error;
    } finally {
      watching.abort();
    }
  }

  /** Ticks the stages while the deposit runs. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const seen = await host.document(this.id).catch(() => undefined);
      if (signal.aborted) return;
      if (seen && UNDER_WAY.includes(seen.state)) this.stage = seen.state;
      await pause(WATCH_STAGES_MS);
    }
  }

  /** Waits until the core has settled this id; nothing when it never heard of it or will not say. */
  async #follow(cause: Refusal): Promise<Issued | undefined> {
    const until = Date.now() + FOLLOW_AT_MOST_MS;
    for (;;) {
      const seen = await host.document(this.id).catch((error: unknown) => {
        if (error instanceof Refusal) throw cause;
        throw error;
      });
      if (!seen || !UNDER_WAY.includes(seen.state)) return seen;
      if (Date.now() > until) return seen.state === 'depositing' ? { ...seen, state: 'unknown' } : undefined;
      this.stage = seen.state;
      await pause(WATCH_STAGES_MS);
    }
  }

  #settle(outcome: Issued): void {
    if (SETTLED.includes(outcome.state)) {
      this.stage = outcome.state;
      this.outcome = outcome;
    } else if (outcome.problem) {
      throw new Refusal(outcome.problem);
    }
  }

  #keep(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
    const findings = error.problem.findings ?? [];
    if (findings.length > 0) this.checked = { ...this.checked, findings };
    else this.problem = error.problem;
  }

  /** A background check that failed says nothing: sending tells. */
  #ignore(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
  }
}

/** A cell's name for what is remembered of it: stays the same wherever its row stands. */
const mark = (field: Field, line?: Line) => (line ? `${line.of.id}/${line.row.key}/${field.id}` : field.id);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
