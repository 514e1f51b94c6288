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
  /** Drafts that somebody was typing into when another took their place; each waits until it is resumed. */
  aside = $state<Record<string, Draft[]>>({});

  /** (Re)reads the list and the open definitions in the current language. */
  async load(): Promise<void> {
    try {
      this.list = byKey(await host.forms());
      this.problem = undefined;
      await Promise.all(this.#all().map((draft) => draft.load()));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
    }
  }

  summary(kind: string): FormSummary | undefined {
    return this.list.find((form) => form.kind === kind);
  }

  /** Whether anything of a patient stands in a form. */
  get typed(): boolean {
    return this.#all().some((draft) => draft.touched);
  }

  get known(): Known {
    // Whoever is logged in works for the physician she chose and for nobody else; so does she while the next login is under way.
    const standing = who.loggedIn || Boolean(who.session?.since);
    const physician = standing ? (who.session?.physician ?? undefined) : (profile.current?.physician ?? undefined);
    return { session: who.session, physician, profile: profile.current };
  }

  /** The open draft of this kind, or a new one. */
  async open(kind: string): Promise<void> {
    if (!this.drafts[kind]) await this.#put(kind);
  }

  /** Forgets the draft and everything typed into it, and starts a new one. */
  async renew(kind: string): Promise<void> {
    void this.drafts[kind]?.forget();
    await this.#put(kind);
  }

  /** The draft put aside last comes back; one that is being typed into waits in its place. */
  async resume(kind: string): Promise<void> {
    const waiting = this.aside[kind] ?? [];
    const next = waiting.at(-1);
    if (!next) return;
    this.aside[kind] = waiting.slice(0, -1);
    this.#stepAside(kind);
    this.drafts[kind] = next;
    next.adopt(this.known);
    if (!next.definition) await next.load();
  }

  /** Cancels what was sent and opens the same values again, to be sent in its place. */
  async correct(draft: Draft, reason: string): Promise<boolean> {
    if (!draft.cancelled && !(await draft.cancel(reason, draft.successor))) return false;
    await this.#succeed(draft, draft.kind, { id: draft.successor, replaces: draft.id, cancelled: draft.cancelled?.state === 'cancelled' });
    return true;
  }

  /** From the journal, where nothing of the patient is left: an empty form that replaces an older document. */
  async replaceEmpty(kind: string, id: string, reason?: string): Promise<void> {
    this.#stepAside(kind);
    const put = this.#put(kind, { replaces: id, reason });
    place.go(`new/${kind}`);
    await put;
  }

  /** The same values as another kind of document: a simulation that will not be paid becomes a bill. An untouched form has nothing to go on with. */
  async turn(draft: Draft, kind = draft.simulation?.turns_into ?? draft.definition?.turns_into): Promise<void> {
    if (!kind || !draft.touched || this.drafts[draft.kind] !== draft) return;
    this.#stepAside(kind);
    const succeeded = this.#succeed(draft, kind);
    // Gone there before the old form is dropped: nobody sees an empty one in between.
    place.go(`new/${kind}`);
    delete this.drafts[draft.kind];
    await succeeded;
  }

  /** Who is logged in now goes on with what somebody else began: a document of its own, with her data in the place of the other's. */
  async takeOver(draft: Draft): Promise<void> {
    const { replaces, replacesCancelled: cancelled, reason } = draft;
    await this.#succeed(draft, draft.kind, { replaces, cancelled, reason });
  }

  /** Nothing of anybody is left. */
  discard(): void {
    for (const draft of this.#all()) void draft.forget();
    this.drafts = {};
    this.aside = {};
  }

  /** The same values once more, as a document of its own. */
  async again(draft: Draft): Promise<void> {
    await this.#succeed(draft, draft.kind);
  }

  #all(): Draft[] {
    return [...Object.values(this.drafts), ...Object.values(this.aside).flat()];
  }

  async #succeed(draft: Draft, kind: string, origin: Origin = {}): Promise<void> {
    const carried = draft.carry();
    void draft.forget();
    await this.#put(kind, carried ? { ...origin, carried } : origin);
  }

  #stepAside(kind: string): void {
    const present = this.drafts[kind];
    if (present?.touched && !present.outcome) this.aside[kind] = [...(this.aside[kind] ?? []), present];
    else void present?.forget();
    delete this.drafts[kind];
  }

  async #put(kind: string, origin?: Origin): Promise<void> {
    const draft = new Draft(kind, this.known, origin);
    this.drafts[kind] = draft;
    await draft.load();
  }
}

/** F2 before F10, before what has no key. */
function byKey(list: FormSummary[]): FormSummary[] {
  const nth = ({ shortcut }: FormSummary) => Number(/^F(\d+)$/.exec(shortcut)?.[1] ?? Infinity);
  return [...list].sort((a, b) => (nth(a) === nth(b) ? 0 : nth(a) - nth(b)));
}

export const forms = new Forms();
