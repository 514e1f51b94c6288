import { type Acting, isSame } from './acting';
import { who } from './session.svelte';

/** What a login has to come before. */
export interface Interrupted {
  /** Who began it, for whom. Whoever logs in, if nobody had. */
  by: Acting | undefined;
  /** It is as it was when the login was asked for. */
  unchanged?: () => boolean;
  run: () => void;
}

/** How the login beside it stands: in the browser, ended without anybody, without a physician, a choice to be made, somebody else, or back. */
export type Standing = 'browser' | 'ended' | 'nobody' | 'choose' | 'other' | 'back';

/**
 * Something that waits for a login beside it, for as long as its screen is open. It goes on by itself once the same person is back and works for the
 * same physician; until then everything stays as it is.
 */
export class Pending {
  #what = $state.raw<Interrupted>();
  /** The logins that were not enough. */
  #arrivals = $state(0);

  standing: Standing | undefined = $derived.by(() => {
    const what = this.#what;
    if (!what) return undefined;
    if (who.loggingIn) return 'browser';
    if (!who.loggedIn || who.arrivals === this.#arrivals) return 'ended';
    if (who.mustChoose) return 'choose';
    if (!who.acting) return 'nobody';
    return !what.by || isSame(what.by, who.acting) ? 'back' : 'other';
  });
  by = $derived(this.#what?.by);

  async login(what: Interrupted, otherAccount = false): Promise<void> {
    this.#arrivals = who.arrivals;
    // Known only now: before it, the session is the one that was refused.
    await who.login(otherAccount);
    this.#what = what;
  }

  /** Another try, for the same. */
  async again(otherAccount = false): Promise<void> {
    if (this.#what) await this.login(this.#what, otherAccount);
  }

  /** The same person is back: it goes on, unless something was changed meanwhile. Whether it did. */
  goOn(): boolean {
    const what = this.#what;
    this.#what = undefined;
    if (!what || what.unchanged?.() === false) return false;
    what.run();
    return true;
  }

  drop(): void {
    this.#what = undefined;
  }
}
