import { type Acting, isSame } from './acting';
import { lock } from './lock.svelte';
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
  /** What a login is being asked for; dropped meanwhile, it does not wait. */
  #asked: Interrupted | undefined;
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
  /** It is known to be as it was: after the login it goes on. */
  goesOn = $derived(this.#what?.unchanged?.() === true);

  async login(what: Interrupted, otherAccount = false): Promise<void> {
    this.#arrivals = who.arrivals;
    this.#asked = what;
    // Known only now: before it, the session is the one that was refused.
    // Where a login unlocks, this one may come to unlock: then AeS must have asked who it is.
    await who.login(otherAccount || lock.byLogin);
    if (this.#asked === what) this.#what = what;
  }

  /** Another try, for the same. */
  async again(otherAccount = false): Promise<void> {
    if (this.#what) await this.login(this.#what, otherAccount);
  }

  /** The same person is back: it goes on, unless something was changed meanwhile. Whether it did. */
  goOn(): boolean {
    const what = this.#what;
    this.drop();
    if (!what || what.unchanged?.() === false) return false;
    what.run();
    return true;
  }

  /** Behind a locked window nothing goes on, and waits only for the very login that unlocks it. Whether it is locked. */
  isBehindLock(): boolean {
    if (lock.locked && !lock.keeps) this.drop();
    return lock.locked;
  }

  drop(): void {
    this.#asked = undefined;
    this.#what = undefined;
  }
}
