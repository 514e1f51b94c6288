import { expect, it } from 'vitest';

import { LOOKED_AT_MS, Seen } from './seen';

it('every page must have stood there', () => {
  const seen = new Seen();
  seen.painted('a', 1, 0);
  expect(seen.next(2, LOOKED_AT_MS)).toBe(2);
  seen.painted('a', 2, 1000);
  expect(seen.next(2, 1000)).toBe(2);
  expect(seen.rest(1000)).toBe(LOOKED_AT_MS);
  expect(seen.next(2, 1000 + LOOKED_AT_MS)).toBeUndefined();
});

it('a page that flew past is not seen, one turned to by hand is', () => {
  const seen = new Seen();
  seen.painted('a', 1, 0);
  seen.painted('a', 2, LOOKED_AT_MS - 1);
  seen.painted('a', 3, 2000);
  expect(seen.next(3, 3000)).toBe(1);
});

it('other values are other pages; the same page painted again is the same', () => {
  const seen = new Seen();
  seen.painted('a', 1, 0);
  seen.painted('a', 1, 400);
  expect(seen.rest(LOOKED_AT_MS)).toBe(0);
  seen.painted('b', 1, 1000);
  expect([seen.next(1, 1000), seen.next(1, 1000 + LOOKED_AT_MS)]).toEqual([1, undefined]);
});
