import type { Acting } from './acting';
import type { Act, Definition, Physician, Problem, Session } from './api';
import { host, Refusal } from './host';

const WATCH_LOGIN_MS = 400;
const WATCH_SESSION_MS = 20_000;
/** A software may begin a login, which is to be seen before it is done. */
const WATCH_NOBODY_MS = 3000;
/** Nobody acts without a login: what the core answers then. */
const LOGIN_NEEDED = 401;

/** Who is logged in, for whom, until when. */
class Who {
  /** The last call about the session failed, or the core says why nobody is logged in. */
  problem = $state.raw<Problem>();
  /** What the last logout could not do: it stands until it is read, or somebody logs in. */
  logoutProblem = $state.raw<Problem>();
  /** The physician that could not be chosen, and why. */
  refused = $state.raw<{ physician: string; problem: Problem }>();
  /** Who worked here last, while the window is open. */
  last = $state.raw<Acting>();
  /** How many logins this window has seen done. Where one is given up, the session of before goes on: that is none. */
  arrivals = $state(0);
  /** Whether whoever is logged in did that before this window's eyes; a session may be there before the window is. */
  watched = $state(false);
  /** The last of this window's own logins that brought somebody. */
  done = $state<number>();
  #session = $state.raw<Session>();
  /** The login of the session that was there last. */
  #since: string | undefined;
  /** This window's own logins, counted; the one under way. */
  #attempts = 0;
  #attempt: number | undefined;
  /** At which login a refusal came. */
  #refusals = new WeakMap<Problem, string | undefined>();
  #resolve: () => void = () => {};
  /** The core has said for the first time who is logged in. */
  readonly known = new Promise<void>((resolve) => (this.#resolve = resolve));
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
  /** Works in the name of somebody else. While a login is under way, the session of before it goes on. */
  mandate = $derived(this.session?.state !== 'logged_out' && Boolean(this.session?.physician) && this.session?.mandate === true);
  acting: Acting | undefined = $derived.by(() => {
    const { physician, session } = this;
    return physician && { physician, ...(session?.actor ? { actor: session.actor } : {}) };
  });
  /** Who works here, as far as it is known: while a login is under way, who did before it. */
  present: Acting | undefined = $derived.by(() => {
    if (!this.loggingIn) return this.acting;
    const { physician, actor } = this.session ?? {};
    return physician ? { physician, ...(actor ? { actor } : {}) } : this.last;
  });
  /** Whole minutes until the session ends. */
  minutes = $derived(this.session?.until ? Math.max(0, Math.floor((Date.parse(this.session.until) - this.#now) / 60_000)) : undefined);

  /** This window's own login, while it is under way. */
  get underWay(): number | undefined {
    return this.#attempt;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  set session(next: Session | undefined) {
    const since = next?.since ?? undefined;
    if (since !== undefined && since !== this.#since) {
      this.#since = since;
      this.logoutProblem = undefined;
      this.watched = this.#session?.state === 'logging_in' && next?.state === 'logged_in';
      if (this.watched) this.arrivals++;
      if (this.watched && this.#attempt !== undefined) this.done = this.#attempt;
    }
    if (next?.state !== 'logging_in') this.#attempt = undefined;
    this.#session = next;
    if (next) this.#resolve();
  }

  /** Starts watching; the clock of the top line lives as long as the window. */
  async watch(): Promise<void> {
    setInterval(() => (this.#now = Date.now()), 10_000);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      await this.#take(() => host.session());
    } finally {
      this.#again();
    }
  }

  /** Sends the browser to AeS. Which of this window's logins it is; nothing when it does not begin. */
  async login(otherAccount = false): Promise<number | undefined> {
    try {
      const isUnderWay = (await this.#take(() => host.login(otherAccount))) && this.loggingIn;
      return isUnderWay ? (this.#attempt = ++this.#attempts) : undefined;
    } finally {
      this.#again();
    }
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

  /** Whether a login is what this problem asks for, and this window can do it. */
  mends(problem: Problem | undefined): boolean {
    return problem?.status === LOGIN_NEEDED && !this.delegated && !this.hasMended(problem);
  }

  /** Whether somebody has logged in since this problem asked for it: now the same once more is enough. */
  hasMended(problem: Problem): boolean {
    const since = this.loggedIn ? (this.session?.since ?? undefined) : undefined;
    if (!this.#refusals.has(problem)) this.#refusals.set(problem, since);
    return problem.status === LOGIN_NEEDED && since !== undefined && since !== this.#refusals.get(problem);
  }

  /** Logs out, or gives a login under way up. */
  async logout(): Promise<void> {
    this.#attempt = undefined;
    try {
      await this.#leave();
      // Logged out here even when AeS could not be told.
      await this.#take(() => host.session());
    } finally {
      this.#again();
    }
  }

  async #leave(): Promise<void> {
    const { loggedIn } = this;
    try {
      await host.logout();
      if (loggedIn) this.logoutProblem = undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.logoutProblem = error.problem;
    }
  }

  /** Whether the core answered with the session. */
  async #take(ask: () => Promise<Session>): Promise<boolean> {
    try {
      this.#become(await ask());
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
      return false;
    } finally {
      this.#now = Date.now();
    }
  }

  #become(session: Session): void {
    this.session = session;
    this.problem = session.problem ?? undefined;
    if (this.acting) this.last = this.acting;
    if (!this.loggedIn) this.refused = undefined;
  }

  #again(): void {
    clearTimeout(this.#timer);
    const pause = this.loggingIn ? WATCH_LOGIN_MS : this.loggedIn ? WATCH_SESSION_MS : WATCH_NOBODY_MS;
    this.#timer = setTimeout(() => void this.refresh(), pause);
  }
}

export const who = new Who();
