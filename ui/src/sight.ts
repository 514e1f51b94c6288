type Draw = (signal: AbortSignal) => Promise<void>;

interface Job {
  stamp: string;
  draw: Draw;
  asking: AbortController;
  rest?: ReturnType<typeof setTimeout>;
  done?: Promise<void>;
}

/** One page before the eyes: what was asked for last is drawn, older requests are dropped, and whoever must may wait until it stands there. */
export class Sight {
  #job: Job | undefined;

  /** Draws the page of this stamp after a rest in milliseconds; `draw` resolves once it is painted. */
  want(stamp: string, rest: number, draw: Draw): void {
    this.drop();
    const job: Job = { stamp, draw, asking: new AbortController() };
    // Whoever waits is told of a failure by `reach`; for all others the view tells it.
    job.rest = setTimeout(() => void begin(job).catch(() => {}), rest);
    this.#job = job;
  }

  drop(): void {
    clearTimeout(this.#job?.rest);
    this.#job?.asking.abort();
    this.#job = undefined;
  }

  /** Resolves once the page of this stamp is painted: drawn at once if it was still resting, again if it had failed. */
  async reach(stamp: string, atMostMs: number): Promise<void> {
    const until = Date.now() + atMostMs;
    const job = this.#job;
    if (job?.stamp !== stamp) throw new Error('another page is wanted');
    let late: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error('not painted in time')), atMostMs);
    });
    try {
      await Promise.race([begin(job), tooLate]);
    } catch (error) {
      if (this.#job === job) throw error;
    } finally {
      clearTimeout(late);
    }
    // Turned to another page of the same volet meanwhile, or to another volet.
    if (this.#job !== job) await this.reach(stamp, until - Date.now());
  }
}

function begin(job: Job): Promise<void> {
  clearTimeout(job.rest);
  job.done ??= job.draw(job.asking.signal).catch((error: unknown) => {
    delete job.done;
    throw error;
  });
  return job.done;
}
