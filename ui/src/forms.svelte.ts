import type { FormSummary, Problem } from './api';
import { Draft, type Origin } from './draft.svelte';
import { host, Refusal } from './host';
import { place } from './place.svelte';
import { profile } from './profile.svelte';
import type { Known } from './read/values';
import { who } from './session.svelte';

/** The forms this installation knows, and the one open draft of each. Drafts live in memory only. */
class Forms {
  list = $state.raw<FormSummary[]>([]);
  problem = $state.raw<Problem>();
  drafts = $state<Record<string, Draft>>({});
  /** Drafts that stepped aside for a replacement of the same kind; they come back with the next `renew`. */
  #waiting: Record<string, Draft[]> = {};

  /** (Re)reads the list and the open definitions in the current language. */
  async load(): Promise<void> {
    try {
      this.list = await host.forms();
      this.problem = undefined;
      await Promise.all(Object.values(this.drafts).map((draft) => draft.load()));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
    }
  }

  summary(kind: string): FormSummary | undefined {
    return this.list.find((form) => form.kind === kind);
  }

  get known(): Known {
    return { session: who.session, physician: who.physician ?? profile.current?.physician ?? undefined, profile: profile.current };
  }

  /** The open draft of this kind, or a new one. */
  async open(kind: string): Promise<void> {
    if (!this.drafts[kind]) await this.#put(kind);
  }

  /** Forgets the draft and everything typed into it; one that waited comes back, or a new one starts. */
  async renew(kind: string): Promise<void> {
    void this.drafts[kind]?.forget();
    delete this.drafts[kind];
    const waiting = this.#waiting[kind]?.pop();
    if (waiting) {
      this.drafts[kind] = waiting;
      waiting.adopt(this.known);
      await waiting.load();
    } else {
      await this.open(kind);
    }
  }

  /** Cancels what was sent and opens the same values again, to be sent in its place. */
  async correct(draft: Draft, reason: string): Promise<boolean> {
    if (!draft.cancelled && !(await draft.cancel(reason, draft.successor))) return false;
    await this.#succeed(draft, draft.kind, { id: draft.successor, replaces: draft.id });
    return true;
  }

  /** From the journal, where nothing of the patient is left: an empty form that replaces an older document. */
  async replaceEmpty(kind: string, id: string, reason?: string): Promise<void> {
    this.#stepAside(kind);
    await this.#put(kind, { replaces: id, reason });
    place.go(`new/${kind}`);
  }

  /** The same values as another kind of document: a simulation that will not be paid becomes a bill. */
  async turn(draft: Draft, kind = draft.simulation?.turns_into ?? draft.definition?.turns_into): Promise<void> {
    if (!kind) return;
    delete this.drafts[draft.kind];
    this.#stepAside(kind);
    await this.#succeed(draft, kind);
    place.go(`new/${kind}`);
  }

  /** The same values once more, as a document of its own. */
  async again(draft: Draft): Promise<void> {
    await this.#succeed(draft, draft.kind);
  }

  async #succeed(draft: Draft, kind: string, origin: Origin = {}): Promise<void> {
    const carried = draft.carry();
    void draft.forget();
    await this.#put(kind, carried ? { ...origin, carried } : origin);
  }

  #stepAside(kind: string): void {
    const present = this.drafts[kind];
    if (present?.touched && !present.outcome) (this.#waiting[kind] ??= []).push(present);
    else void present?.forget();
    delete this.drafts[kind];
  }

  async #put(kind: string, origin?: Origin): Promise<void> {
    const draft = new Draft(kind, this.known, origin);
    this.drafts[kind] = draft;
    await draft.load();
  }
}

export const forms = new Forms();
