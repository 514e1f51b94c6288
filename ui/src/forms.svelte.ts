import type { FormSummary, Problem } from './api';
import { Draft } from './draft.svelte';
import { host, Refusal } from './host';
import { who } from './session.svelte';

/** The forms this installation knows, and the one open draft of each. Drafts live in memory only. */
class Forms {
  list = $state.raw<FormSummary[]>([]);
  problem = $state.raw<Problem>();
  drafts = $state<Record<string, Draft>>({});

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

  /** The open draft of this kind, or a new one. */
  async open(kind: string): Promise<void> {
    if (this.drafts[kind]) return;
    this.drafts[kind] = new Draft(kind, who.session, who.physician);
    await this.drafts[kind].load();
  }

  /** Forgets the draft and everything typed into it, and starts a new one. */
  async renew(kind: string): Promise<void> {
    void this.drafts[kind]?.forget();
    delete this.drafts[kind];
    await this.open(kind);
  }
}

export const forms = new Forms();
