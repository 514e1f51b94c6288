import type { Checked, Definition, DocumentState, Field, Finding, Issued, Physician, Problem, Session, Values } from './api';
import { host, Refusal } from './host';
import { fields, initial, prefills, toSend, type Typed, visible } from './read/values';

const CHECK_AFTER_MS = 150;
const WATCH_STAGES_MS = 150;
const FOLLOW_AT_MOST_MS = 90_000;

/** One form being filled in, sent, and answered. Holds patient values: it lives in memory and is dropped with `New`. */
export class Draft {
  /** The document's id. One form keeps one id, so that a second click or a retry can never be a second deposit. */
  readonly id = crypto.randomUUID();

  definition = $state.raw<Definition>();
  typed = $state<Typed>({});
  checked = $state.raw<Checked>({ findings: [], facts: [] });
  /** Fields that were typed into and left: only these show their findings before the first try to send. */
  left = $state<Record<string, boolean>>({});
  tried = $state(false);
  /** The core has judged these values at least once. */
  judged = $state(false);

  sending = $state(false);
  stage = $state<DocumentState>('checking');
  problem = $state.raw<Problem>();
  outcome = $state.raw<Issued>();

  values = $derived(this.definition ? toSend(this.definition, this.typed) : {});
  /** Changes exactly when the values change. */
  stamp = $derived(JSON.stringify(this.values));
  errors = $derived(this.checked.findings.filter((finding) => finding.severity === 'error'));
  warnings = $derived(this.checked.findings.filter((finding) => finding.severity !== 'error'));

  #session: Session | undefined;
  #physician: Physician | undefined;
  #changed = new Set<string>();
  #round = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly kind: string,
    session: Session | undefined,
    physician: Physician | undefined,
  ) {
    this.#session = session;
    this.#physician = physician;
  }

  /** Reads the definition in the current language; what was typed stays. */
  async load(): Promise<void> {
    try {
      const definition = await host.form(this.kind);
      this.typed = { ...initial(definition, this.#session, this.#physician), ...this.typed };
      this.definition = definition;
      this.problem = undefined;
      await this.check();
    } catch (error) {
      this.#keep(error);
    }
  }

  /** Puts another physician into the fields that name the physician, unless they were typed over. */
  adopt(session: Session | undefined, physician: Physician): void {
    this.#session = session;
    this.#physician = physician;
    if (!this.definition || this.sending || this.outcome) return;
    let changed = false;
    for (const [id, known] of Object.entries(prefills(this.definition, session, physician))) {
      if (this.#changed.has(id) || this.typed[id] === known) continue;
      this.typed[id] = known;
      changed = true;
    }
    if (changed) this.#checkSoon();
  }

  set(field: Field, value: string | boolean): void {
    if (this.typed[field.id] === value) return;
    this.typed[field.id] = value;
    this.#changed.add(field.id);
    this.#checkSoon();
  }

  leave(field: Field): void {
    if (this.#changed.has(field.id)) this.left[field.id] = true;
  }

  get touched(): boolean {
    return this.#changed.size > 0;
  }

  shows(field: Field): boolean {
    return this.definition !== undefined && visible(this.definition, field, this.typed);
  }

  /** What is said beside a field now; the worst first. */
  finding(field: Field): Finding | undefined {
    if (!this.tried && !this.left[field.id]) return undefined;
    return [...this.errors, ...this.warnings].find((finding) => finding.field === field.id);
  }

  fact(field: Field): string | undefined {
    return this.checked.facts.find((fact) => fact.field === field.id)?.text;
  }

  field(id: string): Field | undefined {
    return this.definition && fields(this.definition).find((field) => field.id === id);
  }

  /** Asks the core about the present values; an answer to older values is dropped. */
  async check(): Promise<void> {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    const checked = await host.check(this.kind, this.values);
    if (round !== this.#round) return;
    this.checked = checked;
    this.judged = true;
  }

  /**
   * Checks, shows, signs, deposits. Answers whether something is left to correct.
   * `show` resolves once the page to be signed, made of the values of this stamp, is before the physician's eyes; if it fails, nothing is sent.
   */
  async send(show: (stamp: string) => Promise<void>): Promise<'settled' | 'findings' | 'problem'> {
    if (this.sending || this.outcome) return 'settled';
    this.sending = true;
    this.tried = true;
    this.problem = undefined;
    this.stage = 'checking';
    try {
      await this.check();
      if (this.errors.length > 0) return 'findings';
      const { stamp, values } = this;
      await show(stamp);
      this.#settle(await this.#issue(values));
      return 'settled';
    } catch (error) {
      this.#keep(error);
      return this.errors.length > 0 && this.problem === undefined ? 'findings' : 'problem';
    } finally {
      this.sending = false;
    }
  }

  #checkSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check().catch((error: unknown) => this.#ignore(error)), CHECK_AFTER_MS);
  }

  async #issue(values: Values): Promise<Issued> {
    const watching = new AbortController();
    void this.#watch(watching.signal);
    try {
      return await host.issue(this.id, this.kind, values);
    } catch (error) {
      // Whatever went wrong: what became of the document is asked, never sent again blindly.
      if (error instanceof Refusal && !error.problem.findings?.length) {
        const found = await this.#follow(error);
        if (found && found.state !== 'failed') return { ...found, problem: error.problem };
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
      if (seen) this.stage = seen.state;
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
      if (!seen || !['checking', 'signing', 'depositing'].includes(seen.state)) return seen;
      if (Date.now() > until) return seen.state === 'depositing' ? { ...seen, state: 'unknown' } : undefined;
      this.stage = seen.state;
      await pause(WATCH_STAGES_MS);
    }
  }

  /** Nothing of the patient stays behind, here or in the core. */
  async forget(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.outcome) return;
    await host.forget(this.id).catch((error: unknown) => this.#ignore(error));
  }

  #settle(outcome: Issued): void {
    if (outcome.state === 'deposited' || outcome.state === 'unknown') {
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

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
