import type { Physician, Problem, Session } from './api';
import { host, Refusal } from './host';

const WATCH_LOGIN_MS = 400;
const WATCH_SESSION_MS = 20_000;

/** Who is logged in, for whom, until when. */
class Who {
  session = $state.raw<Session>();
  /** The last call about the session failed. */
  problem = $state.raw<Problem>();
  /** For whom a secretary works now, by eHealthID. */
  #chosen = $state<string>();
  #now = $state(Date.now());
  #timer: ReturnType<typeof setTimeout> | undefined;

  loggedIn = $derived(this.session?.state === 'logged_in');
  loggingIn = $derived(this.session?.state === 'logging_in');
  environment = $derived(this.session?.environment);
  /** The physician whose documents these are. */
  physician: Physician | undefined = $derived.by(() => {
    const forSomebody = this.session?.acts_for ?? [];
    return this.session?.physician ?? forSomebody.find((one) => one.ehealth_id === this.#chosen) ?? forSomebody[0];
  });
  /** Whole minutes until the session ends. */
  minutes = $derived(this.session?.until ? Math.max(0, Math.floor((Date.parse(this.session.until) - this.#now) / 60_000)) : undefined);

  actFor(ehealthId: string): void {
    this.#chosen = ehealthId;
  }

  /** Starts watching; the clock of the top line lives as long as the window. */
  async watch(): Promise<void> {
    setInterval(() => (this.#now = Date.now()), 10_000);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    await this.#take(() => host.session());
    this.#again();
  }

  async login(): Promise<void> {
    await this.#take(() => host.login());
    this.#again();
  }

  /** Logs out, or gives a login under way up. */
  async logout(): Promise<void> {
    await this.#take(async () => {
      await host.logout();
      return host.session();
    });
    // Logged out here even when AeS could not be told: the session says so, the problem stays to be read.
    const problem = this.problem;
    if (problem) {
      await this.#take(() => host.session());
      this.problem ??= problem;
    }
    this.#again();
  }

  async #take(ask: () => Promise<Session>): Promise<void> {
    try {
      this.session = await ask();
      this.problem = this.session.problem ?? undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
    }
    this.#now = Date.now();
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), this.loggingIn ? WATCH_LOGIN_MS : WATCH_SESSION_MS);
  }
}

export const who = new Who();
