/** How long a page must have stood before the eyes, in milliseconds. */
export const LOOKED_AT_MS = 500;
/** A page that takes longer to be painted is a problem, in milliseconds. */
export const PAINTED_WITHIN_MS = 8000;
/** So long something stands before the eyes until a key may agree to it, in milliseconds: the hand may still mean what stood here before. */
const READ_FOR_MS = 1000;

/** Tells when what is drawn now has stood there long enough to be agreed to; answers how to give that up. */
export function armAfterReading(arm: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const frame = requestAnimationFrame(() => (timer = setTimeout(arm, READ_FOR_MS)));
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

/** Which pages of a document of several have stood before the eyes as they are now. */
export class Seen {
  #stamp: string | undefined;
  #pages = new Set<number>();
  #present: { page: number; since: number } | undefined;

  /** This page of what the stamp stands for is painted, and stays until the next one. Other values are other pages. */
  painted(stamp: string, page: number, now: number): void {
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#pages.clear();
      this.#present = undefined;
    }
    this.left(now);
    this.#present = this.#present?.page === page ? this.#present : { page, since: now };
  }

  /** Another page takes its place. */
  left(now: number): void {
    if (this.#present && this.rest(now) === 0) this.#pages.add(this.#present.page);
  }

  /** How much longer the present page must stand, in milliseconds. */
  rest(now: number): number {
    return this.#present ? Math.max(0, this.#present.since + LOOKED_AT_MS - now) : 0;
  }

  /** The first page that has not stood there. */
  next(pages: number, now: number): number | undefined {
    this.left(now);
    for (let page = 1; page <= pages; page++) if (!this.#pages.has(page)) return page;
    return undefined;
  }
}
