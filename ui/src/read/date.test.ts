import { describe, expect, it } from 'vitest';

import { daysBetween, iso, moment, readDay, today, weekday, written } from './date';

const base = { year: 2026, month: 11, day: 23 };
const read = (text: string) => {
  const day = readDay(text, base);
  return day && iso(day);
};

describe('what is typed for a day', () => {
  it.each([
    ['21', '2026-11-21'],
    ['3', '2026-11-03'],
    ['21.11', '2026-11-21'],
    ['21.11.', '2026-11-21'],
    ['1/2', '2026-02-01'],
    ['21/11/26', '2026-11-21'],
    ['21 11 26', '2026-11-21'],
    ['21-11-2026', '2026-11-21'],
    ['211126', '2026-11-21'],
    ['21112026', '2026-11-21'],
    ['21.11.2026', '2026-11-21'],
    ['2026-11-21', '2026-11-21'],
    ['30.12.88', '1988-12-30'],
    ['29.2.2028', '2028-02-29'],
    ['today', '2026-11-23'],
    ['Aujourd’hui', '2026-11-23'],
    ["aujourd'hui", '2026-11-23'],
    ['heute', '2026-11-23'],
    [' haut ', '2026-11-23'],
    ['+3', '2026-11-26'],
    ['+10', '2026-12-03'],
    ['-1', '2026-11-22'],
    ['-23', '2026-10-31'],
  ])('%s is %s', (typed, expected) => expect(read(typed)).toBe(expected));

  it.each(['', 'demain', '31.2', '29.2.2026', '0', '32', '21.13', '21.11.202', '+', '1988123048083'])('%s is not a day', (typed) =>
    expect(read(typed)).toBeUndefined(),
  );
});

describe('a day', () => {
  it('is written the same way everywhere', () => expect(written({ year: 2026, month: 2, day: 1 })).toBe('01.02.2026'));
  it('knows its weekday', () => expect(weekday({ year: 2026, month: 11, day: 21 })).toBe(6));
  it('counts whole days over the change of the clock', () =>
    expect(daysBetween({ year: 2026, month: 10, day: 24 }, { year: 2026, month: 10, day: 26 })).toBe(2));
});

it('today is the day in Luxembourg, not in the time zone of the computer', () => {
  expect(iso(today(new Date('2026-07-14T22:00:00Z')))).toBe('2026-07-15');
  expect(iso(today(new Date('2026-01-31T22:59:00Z')))).toBe('2026-01-31');
});

it('moments are shown in Luxembourg time', () => expect(moment('2026-11-21T13:05:00Z', 'fr')).toBe('21.11.2026, 14:05'));
