import type { Actor, LockRule } from './api';
import { backTo, type Spot, spotOf } from './focus';
import { forms } from './forms.svelte';
import { shell } from './host';
import { isTab } from './keys';
import { place } from './place.svelte';
import { who } from './session.svelte';

/** What counts until the core has said what the installation wants. */
const RULE: LockRule = { after_minutes: 10, unlock: 'key' };
const MINUTES = [5, 10, 15, 30];
const LOOK_MS = 5000;
const STORED = 'lock';
/** Another eConnector of this user holds the session. */
const ELSEWHERE = 'session-elsewhere';
/** What may be pressed while the window is locked: to find its button and to press it. */
const WORK_LOCKED = ['Enter', ' ', 'Shift', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown'];

/** Minutes until the window locks by itself, or that it does not. */
export type Minutes = number | 'never';
/** How it stands with the login that is to unlock: not asked for, in the browser, ended without anybody, somebody else's. */
export type Unlocking = 'locked' | 'browser' | 'ended' | 'other' | 'back';

/** Hides the window from whoever passes by. What is typed stays in memory as it is. */
class Lock {
  locked = $state(false);
  /** It is known whether it begins locked, and was unlocked then. Until then the window shows nothing. */
  opened = $state(false);
  /** Whose window it is: only this person sees it again where a login unlocks. */
  owner = $state.raw<Actor>();
  /** Counts the times it was emptied for somebody else: what was on the screen begins anew. */
  emptied = $state(0);
  #asked = $state(false);
  /** The login that was begun here, to unlock. No other one does. */
  #attempt = $state<number>();
  /** The login that was under way when the window locked by itself. */
  #taken = $state<number>();
  /** What the user chose; nothing: what the installation says. */
  #chosen = $state<Minutes>();
  #moved = { wall: 0, steady: 0 };
  #done: number | undefined;
  #spot: Spot | undefined;
  #scrolled: { of: Element; top: number; left: number }[] = [];

  rule: LockRule = $derived(who.session?.lock ?? RULE);
  /** Where nobody logs in at this window, nobody could unlock it by a login. */
  byLogin = $derived(this.rule.unlock === 'login' && !who.delegated && who.session?.problem?.code !== ELSEWHERE);
  /** Somebody's session is there that nobody at this window logged in for: where a login unlocks, it is not shown to whoever opens the window. */
  unseen = $derived(this.byLogin && Boolean(who.session?.since) && !who.watched);
  /** What may be chosen: never longer than the installation says. */
  choices: Minutes[] = $derived.by(() => {
    const most = this.rule.after_minutes;
    if (most == null) return [...MINUTES, 'never'];
    return [...MINUTES.filter((one) => one < most), most];
  });
  minutes: Minutes = $derived.by(() => {
    const most = this.rule.after_minutes ?? 'never';
    const chosen = this.#chosen ?? most;
    return this.choices.includes(chosen) ? chosen : most;
  });
  unlocking: Unlocking = $derived.by(() => {
    if (!this.#asked) return 'locked';
    if (who.loggingIn) return 'browser';
    if (!who.loggedIn || this.#attempt === undefined || who.done !== this.#attempt) return 'ended';
    return !this.owner || this.owner.id === who.session?.actor?.id ? 'back' : 'other';
  });

  /** What waits for the login that unlocks goes on after it: that login was begun for it, and opens to nobody else. */
  keeps = $derived(this.locked && this.byLogin && this.#taken !== undefined && this.#taken === this.#attempt);

  /** From now on the window locks when nobody moves, and at once by Ctrl+L. */
  watch(): void {
    this.recall();
    this.#stir();
    const options = { capture: true, passive: true };
    for (const name of ['pointerdown', 'pointermove', 'wheel']) addEventListener(name, () => this.#stir(), options);
    addEventListener('keydown', (event) => this.#press(event), { capture: true });
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** A window that was locked when it was closed, or when its page was read again, begins locked. */
  async begin(): Promise<void> {
    // What cannot be known is taken for locked.
    const was = await shell.wasLocked().catch(() => true);
    await who.known;
    if (this.unseen || (was && who.session?.state !== 'logged_out')) this.lock();
    else if (!this.locked) this.#open();
  }

  recall(): void {
    let stored: string | null = null;
    try {
      stored = localStorage.getItem(STORED);
    } catch {
      // A window without storage does as the installation says.
    }
    this.#chosen = stored === 'never' ? 'never' : MINUTES.find((one) => String(one) === stored);
  }

  choose(minutes: Minutes): void {
    this.#chosen = minutes;
    try {
      localStorage.setItem(STORED, String(minutes));
    } catch {
      // As above.
    }
  }

  lock(): void {
    this.#hide();
  }

  /** A login that this window is waiting for may be the one that unlocks. */
  #hide(login?: number): void {
    const owner = who.session?.actor ?? who.last?.actor;
    if (this.locked) {
      this.owner ??= owner;
      return;
    }
    this.owner = owner;
    this.#forgetLogin();
    if (login !== undefined) {
      this.#attempt = this.#taken = login;
      this.#asked = true;
    }
    this.#spot = spotOf(document.activeElement);
    this.#scrolled = [...document.querySelectorAll('#app *')]
      .filter((one) => one.scrollTop > 0 || one.scrollLeft > 0)
      .map((of) => ({ of, top: of.scrollTop, left: of.scrollLeft }));
    // A field still in focus is left, so that what was typed is in the form.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    document.getElementById('sheets')?.replaceChildren();
    this.locked = true;
    shell.noteLocked(true);
  }

  /** One key is enough. Answers nothing where a login is asked for. */
  unlock(): void {
    if (this.byLogin && this.unlocking !== 'back') return;
    this.#open();
    const [spot, scrolled] = [this.#spot, this.#scrolled];
    // Once the window stands there again.
    setTimeout(() => {
      for (const { of, top, left } of scrolled) of.scrollTo({ top, left });
      if (spot) backTo(spot);
    });
  }

  /** The login that unlocks: asked who it is, whoever is still logged in. */
  async login(): Promise<void> {
    this.#taken = undefined;
    this.#attempt = await who.login(true);
    this.#asked = true;
  }

  /** Somebody else goes on with an empty window: nothing of what was typed is left. */
  discard(): void {
    if (this.unlocking !== 'other') return;
    forms.discard();
    place.go('');
    this.emptied++;
    this.#open();
  }

  #open(): void {
    this.locked = false;
    this.opened = true;
    this.#forgetLogin();
    shell.noteLocked(false);
    this.#move();
  }

  #forgetLogin(): void {
    this.#asked = false;
    this.#attempt = this.#taken = undefined;
  }

  #press(event: KeyboardEvent): void {
    const control = event.ctrlKey || event.metaKey;
    if (this.locked) {
      // No key reaches what is behind.
      event.stopImmediatePropagation();
      const works = isTab(event) || WORK_LOCKED.includes(event.key);
      if (control || event.altKey ? event.key !== 'F4' : !works) event.preventDefault();
      if (event.key === 'Enter' && document.activeElement === document.body) document.getElementById('unlock')?.focus();
      return;
    }
    if (control && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'l') {
      event.preventDefault();
      event.stopImmediatePropagation();
      return this.lock();
    }
    this.#stir();
  }

  #stir(): void {
    // The first to move after a long time finds it locked, however soon after a sleep.
    if (!this.#look()) this.#move();
  }

  #move(): void {
    this.#moved = { wall: Date.now(), steady: performance.now() };
  }

  /** Locks when it is time; whether it did. A clock set back does not keep it open, nor does a sleep. */
  #look(): boolean {
    // Whoever comes back from the browser was here.
    if (who.done !== this.#done) this.#move();
    this.#done = who.done;
    if (this.locked || this.minutes === 'never' || this.#moved.wall === 0) return false;
    const still = Math.max(Date.now() - this.#moved.wall, performance.now() - this.#moved.steady);
    if (still < this.minutes * 60_000 || !this.#hides()) return false;
    // Whoever logs in is in the browser, and moves nothing here.
    this.#hide(this.byLogin ? who.underWay : undefined);
    return true;
  }

  /** Whether there is anything to hide. */
  #hides(): boolean {
    return who.loggedIn || forms.typed;
  }
}

export const lock = new Lock();
