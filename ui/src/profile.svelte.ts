import type { Problem, Profile } from './api';
import { host, Refusal } from './host';

/** The practitioner of this session: what the forms are prefilled with, and the favourite codes. */
class Own {
  current = $state.raw<Profile>();
  problem = $state.raw<Problem>();
  /** Beginnings and ends of saving: an answer that was asked for before one of them may be older than what was saved. */
  #saves = 0;

  async load(): Promise<void> {
    const saves = this.#saves;
    await this.#take(
      () => host.profile(),
      () => saves === this.#saves,
    );
  }

  /** Whether it is stored; if not, `problem` says why and `current` is as it was. */
  async save(next: Profile): Promise<boolean> {
    this.#saves++;
    return this.#take(() => host.saveProfile(next)).finally(() => this.#saves++);
  }

  forget(): void {
    this.current = undefined;
    this.problem = undefined;
  }

  favourites(list: string | null | undefined): string[] {
    return (list && this.current?.favourites[list]) || [];
  }

  /** Makes a code a favourite, or takes it from them. Shown at once; taken back when it cannot be stored. */
  async toggle(list: string, code: string): Promise<boolean> {
    const before = this.current;
    if (!before) return false;
    const codes = this.favourites(list);
    const next = codes.includes(code) ? codes.filter((one) => one !== code) : [...codes, code];
    const changed = { ...before, favourites: { ...before.favourites, [list]: next } };
    this.current = changed;
    const stored = await this.save(changed);
    if (!stored) this.current = before;
    return stored;
  }

  async #take(ask: () => Promise<Profile>, counts = () => true): Promise<boolean> {
    try {
      const answer = await ask();
      if (!counts()) return false;
      this.current = answer;
      this.problem = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (counts()) this.problem = error.problem;
      return false;
    }
  }
}

export const profile = new Own();
