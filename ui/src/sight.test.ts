import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Sight } from './sight';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A drawing that ends when it is told to. */
function drawing() {
  const calls: { signal: AbortSignal; paint: () => void; fail: (error: Error) => void }[] = [];
  const draw = (signal: AbortSignal) => new Promise<void>((paint, fail) => calls.push({ signal, paint, fail }));
  return { calls, draw };
}
const REST = 250;
const AT_MOST = 8000;

it('draws after a rest, and only what was asked for last', () => {
  const sight = new Sight();
  const [older, newer] = [drawing(), drawing()];
  sight.want('a', REST, older.draw);
  vi.advanceTimersByTime(REST - 1);
  sight.want('b', REST, newer.draw);
  vi.advanceTimersByTime(REST);
  expect([older.calls.length, newer.calls.length]).toEqual([0, 1]);
  sight.want('c', REST, drawing().draw);
  expect(newer.calls[0]?.signal.aborted).toBe(true);
});

it('whoever must see the page does not wait for the rest, but until it is painted', async () => {
  const sight = new Sight();
  const { calls, draw } = drawing();
  const done = vi.fn();
  sight.want('a', REST, draw);
  const seen = sight.reach('a', AT_MOST).then(done);
  expect(calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(REST);
  expect(done).not.toHaveBeenCalled();
  calls[0]?.paint();
  await seen;
  await sight.reach('a', AT_MOST);
  expect(calls).toHaveLength(1);
});

it('a page of other values is not the page', async () => {
  const sight = new Sight();
  sight.want('a', 0, () => Promise.resolve());
  await vi.runAllTimersAsync();
  await expect(sight.reach('b', AT_MOST)).rejects.toThrow();
  sight.drop();
  await expect(sight.reach('a', AT_MOST)).rejects.toThrow();
});

it('a page replaced while somebody waits counts as unseen', async () => {
  const sight = new Sight();
  const { calls, draw } = drawing();
  sight.want('a', 0, draw);
  const seen = sight.reach('a', AT_MOST);
  sight.want('b', 0, () => Promise.resolve());
  calls[0]?.paint();
  await expect(seen).rejects.toThrow();
});

it('another page of the same volet is waited for', async () => {
  const sight = new Sight();
  const [first, second] = [drawing(), drawing()];
  const done = vi.fn();
  sight.want('a', 0, first.draw);
  const seen = sight.reach('a', AT_MOST).then(done);
  sight.want('a', 0, second.draw);
  first.calls[0]?.fail(new Error('aborted'));
  await vi.advanceTimersByTimeAsync(1);
  expect(done).not.toHaveBeenCalled();
  second.calls[0]?.paint();
  await seen;
});

it('a page that is not painted in time is given up; one that failed is drawn again', async () => {
  const sight = new Sight();
  const { calls, draw } = drawing();
  sight.want('a', REST, draw);
  const late = expect(sight.reach('a', AT_MOST)).rejects.toThrow('in time');
  await vi.advanceTimersByTimeAsync(AT_MOST);
  await late;
  calls[0]?.fail(new Error('cut'));
  await vi.advanceTimersByTimeAsync(1);
  const again = sight.reach('a', AT_MOST);
  expect(calls).toHaveLength(2);
  calls[1]?.paint();
  await again;
});
