import type { Problem, Profile } from './api';
import { host, Refusal } from './host';

/** The practitioner of this session: what the forms are prefilled with, and the favourite codes. */
class Own {
  current = $state.raw<Profile>();
  problem = $state.raw<Problem>();

  async load(): Promise<void> {
    await this.#take(() => host.profile());
  }

  /** Whether it is stored; if not, `problem` says why and `current` is as it was. */
  async save(next: Profile): Promise<boolean> {
    return this.#take(() => host.saveProfile(next));
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

  async #take(ask: () => Promise<Profile>): Promise<boolean> {
    try {
      this.current = await ask();
      this.problem = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.problem = error.problem;
      return false;
    }
  }
}

export const profile = new Own();
