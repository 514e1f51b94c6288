import type { Answer, LinkView, Problem, Question } from './api';
import { host, Refusal } from './host';
import { place } from './place.svelte';
import { speech } from './texts.svelte';

/** Where a question is looked at. */
export const QUESTION = 'link/question';

const AGAIN_MS = 3000;
/** An answer that says nothing new must have waited for something new; one that comes sooner than this did not wait. */
const WAITED_MS = 1000;
const GONE = 404;

/** The door for practice software on this computer: who may come, who was turned away, and who waits for an answer. */
class Link {
  /** Nothing where there is no such door. */
  view = $state.raw<LinkView>();
  /** The question that is looked at; it stays here when nobody waits for its answer any more. */
  question = $state.raw<Question>();
  busy = $state(false);
  /** The answer could not be given. */
  problem = $state.raw<Problem>();
  /** Answered here; the core may name them once more. */
  #answered = $state.raw<string[]>([]);
  #before = '';
  #asking: AbortController | undefined;
  #language = speech.language;

  /** Who waits, the longest first. */
  waiting = $derived(
    (this.view?.waiting ?? []).filter((one) => !this.#answered.includes(one.id)).sort((a, b) => Date.parse(a.since) - Date.parse(b.since)),
  );
  /** Whether somebody still waits for the answer to the question that is looked at. */
  open = $derived(this.waiting.some((one) => isSame(one, this.question)));
  /** What trust in who asks would answer along with the question, unseen. */
  along = $derived(this.waiting.filter((one) => this.question && one.id !== this.question.id && isOf(one, this.question)));
  /** Those that are not before the eyes. */
  others = $derived(place.path === QUESTION ? this.waiting.filter((one) => !isSame(one, this.question)) : this.waiting);

  /** Waits for what is new as long as the window lives; ends where there is no such door. */
  async watch(): Promise<void> {
    for (;;) {
      const asking = (this.#asking = new AbortController());
      const began = Date.now();
      const known = this.view?.revision;
      // The reasons of refusals are words: another language is asked for anew.
      const since = this.#language === speech.language ? known : undefined;
      this.#language = speech.language;
      try {
        this.#take(await host.link(since, asking.signal));
        if (this.view?.revision === known && since !== undefined && Date.now() - began < WAITED_MS) await pause(AGAIN_MS);
      } catch (error) {
        if (asking.signal.aborted) continue;
        if (!(error instanceof Refusal)) throw error;
        if (error.problem.status === GONE) return void (this.view = undefined);
        await pause(AGAIN_MS);
      }
    }
  }

  /** Asks anew at once. */
  again(): void {
    this.#asking?.abort();
  }

  /** Goes to a question: the one that waits longest, or the next after the one that is looked at. */
  look(): boolean {
    const at = place.path === QUESTION ? this.waiting.findIndex((one) => isSame(one, this.question)) : -1;
    const next = this.waiting[(at + 1) % this.waiting.length];
    if (!next) return false;
    if (place.path !== QUESTION) this.#before = place.path;
    this.#show(next);
    place.go(QUESTION);
    return true;
  }

  /** On to the next question, or back to where it was looked up from. */
  goOn(): void {
    const [next] = this.others;
    if (next) this.#show(next);
    else this.leave();
  }

  /** Back, whatever waits. */
  leave(): void {
    this.question = undefined;
    this.problem = undefined;
    place.go(this.#before);
  }

  /** Lets the software in, or not. Whether that is done. */
  async decide(allowed: boolean): Promise<boolean> {
    const { question } = this;
    return question ? this.#end([question.id], () => host.decide(question.software, allowed)) : false;
  }

  /** Approves what is asked, or refuses it. Whether that is done; not when nobody waits any more. */
  async answer(answer: Answer): Promise<boolean> {
    const { question } = this;
    if (!question) return false;
    const along = answer === 'today' ? this.along.map((one) => one.id) : [];
    return this.#end([question.id, ...along], () => host.answer(question.id, answer));
  }

  /** Gives the answer; the first of those it ends is the one that was asked about. */
  async #end(ended: [string, ...string[]], give: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    try {
      await give();
      this.#answered = [...this.#answered, ...ended];
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.problem.status === GONE) this.#answered = [...this.#answered, ended[0]];
      else this.problem = error.problem;
      return false;
    } finally {
      this.busy = false;
    }
  }

  #show(question: Question): void {
    this.question = question;
    this.problem = undefined;
  }

  #take(view: LinkView): void {
    this.view = view;
    this.#answered = this.#answered.filter((id) => view.waiting.some((one) => one.id === id));
    // The same software asks again whether it may come: the same question.
    const again = view.waiting.find((one) => isSame(one, this.question));
    if (again) this.question = again;
  }
}

function isSame(one: Question, other: Question | undefined): boolean {
  if (one.kind === 'consent') return other?.kind === 'consent' && one.software === other.software;
  return one.id === other?.id;
}

/** An approval the same software waits for, called from the same place. */
const isOf = (one: Question, other: Question) => one.kind === 'approval' && one.software === other.software && one.origin === other.origin;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const link = new Link();
