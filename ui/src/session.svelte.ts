import type { Acting } from './acting';
import type { Act, Definition, Physician, Problem, Session } from './api';
import { host, Refusal } from './host';

const WATCH_LOGIN_MS = 400;
const WATCH_SESSION_MS = 20_000;
/** Nobody acts without a login: what the core answers then. */
const LOGIN_NEEDED = 401;

/** Who is logged in, for whom, until when. */
class Who {
  session = $state.raw<Session>();
  /** The last call about the session failed, or the core says why nobody is logged in. */
  problem = $state.raw<Problem>();
  /** The physician that could not be chosen, and why. */
  refused = $state.raw<{ physician: string; problem: Problem }>();
  /** Who worked here last, while the window is open. */
  last = $state.raw<Acting>();
  #now = $state(Date.now());
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The physician wanted last, while a choice is under way. */
  #wanted: string | undefined;

  loggedIn = $derived(this.session?.state === 'logged_in');
  loggingIn = $derived(this.session?.state === 'logging_in');
  environment = $derived(this.session?.environment);
  /** People log in elsewhere: their software brings the token. */
  delegated = $derived(this.session?.logins === 'delegated');
  /** The physician whose documents these are; nobody until one is chosen. */
  physician: Physician | undefined = $derived((this.loggedIn && this.session?.physician) || undefined);
  /** Whom the person may work for, herself too if she is a physician. */
  choices: Physician[] = $derived.by(() => {
    const listed = (this.loggedIn && this.session?.acts_for) || [];
    const { physician } = this;
    return !physician || listed.some((one) => one.ehealth_id === physician.ehealth_id) ? listed : [physician, ...listed];
  });
  mustChoose = $derived(!this.physician && this.choices.length > 0);
  /** Logged in, and no physician there to work for. */
  forNobody = $derived(this.loggedIn && !this.physician && this.choices.length === 0);
  /** Works in the name of somebody else. */
  mandate = $derived(this.physician !== undefined && this.session?.mandate === true);
  acting: Acting | undefined = $derived.by(() => {
    const { physician, session } = this;
    return physician && { physician, ...(session?.actor ? { actor: session.actor } : {}) };
  });
  /** Whole minutes until the session ends. */
  minutes = $derived(this.session?.until ? Math.max(0, Math.floor((Date.parse(this.session.until) - this.#now) / 60_000)) : undefined);

  /** Starts watching; the clock of the top line lives as long as the window. */
  async watch(): Promise<void> {
    setInterval(() => (this.#now = Date.now()), 10_000);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    await this.#take(() => host.session());
    this.#again();
  }

  async login(otherAccount = false): Promise<void> {
    await this.#take(() => host.login(otherAccount));
    this.#again();
  }

  /** Works for this physician from now on. Of several choices in a hurry the last one counts. */
  async choose(ehealthId: string): Promise<void> {
    const isUnderWay = this.#wanted !== undefined;
    this.#wanted = ehealthId;
    if (isUnderWay) return;
    this.refused = undefined;
    while (this.#wanted !== undefined) {
      const physician: string = this.#wanted;
      try {
        const session = await host.choose(physician);
        if (this.#wanted === physician) this.#become(session);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (this.#wanted === physician) this.refused = { physician, problem: error.problem };
      } finally {
        if (this.#wanted === physician) this.#wanted = undefined;
      }
    }
    if (this.refused) await this.refresh();
  }

  /** Whether the pack keeps this to the physician, and it is not she who is logged in. */
  isBarred(act: Act, definition: Pick<Definition, 'physician_only'> | undefined): boolean {
    return this.mandate && definition?.physician_only?.includes(act) === true;
  }

  /** Whether somebody has logged in since; a renewal is no login. */
  isNewSince(since: string | undefined): boolean {
    return !this.session?.since || this.session.since !== since;
  }

  /** Whether a login is what this problem asks for, and this window can do it. */
  mends(problem: Problem | undefined): boolean {
    return problem?.status === LOGIN_NEEDED && !this.delegated;
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
      this.#become(await ask());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
    }
    this.#now = Date.now();
  }

  #become(session: Session): void {
    this.session = session;
    this.problem = session.problem ?? undefined;
    if (this.acting) this.last = this.acting;
    if (!this.loggedIn) this.refused = undefined;
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), this.loggingIn ? WATCH_LOGIN_MS : WATCH_SESSION_MS);
  }
}

export const who = new Who();
