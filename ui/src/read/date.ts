import type { Language } from '../api';

/** A calendar day; months count from 1. */
export interface Day {
  year: number;
  month: number;
  day: number;
}

const TODAY = new Set(['today', "aujourd'hui", 'aujourd’hui', 'aujourdhui', 'auj', 'heute', 'haut', 'haut!']);

/** The date on the wall in Luxembourg, whatever the computer's own time zone: the core dates documents the same way. */
export function today(now = new Date()): Day {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Luxembourg', year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(now);
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value);
  return { year: part('year'), month: part('month'), day: part('day') };
}

/**
 * Reads what a physician types for a day: `21`, `21.11`, `21/11/26`, `211126`, `21.11.2026`, `2026-11-21`, `today`, `+3`.
 * Answers nothing when it is not a day that exists; the text then goes to the core as it is.
 */
export function readDay(text: string, base: Day = today()): Day | undefined {
  const typed = text.trim().toLowerCase();
  if (TODAY.has(typed)) return base;

  const offset = /^([+-])\s?(\d{1,3})$/.exec(typed);
  if (offset) return moved(base, Number(offset[2]) * (offset[1] === '-' ? -1 : 1));

  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(typed);
  if (iso) return existing(Number(iso[1]), Number(iso[2]), Number(iso[3]));

  const run = /^(\d{2})(\d{2})(\d{2}|\d{4})$/.exec(typed);
  if (run) return existing(wholeYear(run[3]!, base), Number(run[2]), Number(run[1]));

  const parts = /^(\d{1,2})(?:[./\s-](\d{1,2})(?:[./\s-](\d{2}|\d{4}))?)?[./]?$/.exec(typed);
  if (!parts) return undefined;
  const year = parts[3] ? wholeYear(parts[3], base) : base.year;
  return existing(year, parts[2] ? Number(parts[2]) : base.month, Number(parts[1]));
}

/** `YYYY-MM-DD`, as the API wants it. */
export function iso(day: Day): string {
  return `${String(day.year).padStart(4, '0')}-${two(day.month)}-${two(day.day)}`;
}

/** `21.11.2026`, as it stands in the field once it is left. */
export function written(day: Day): string {
  return `${two(day.day)}.${two(day.month)}.${day.year}`;
}

/** Whole days from `base` to `day`. */
export function daysBetween(base: Day, day: Day): number {
  return Math.round((utc(day) - utc(base)) / 86_400_000);
}

/** 0 is Sunday. */
export function weekday(day: Day): number {
  return new Date(utc(day)).getUTCDay();
}

/** A date and time of the API, in the user's order: `21.11.2026, 14:05`. */
export function moment(text: string, language: Language): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  const time = new Intl.DateTimeFormat('fr-LU', { timeZone: 'Europe/Luxembourg', hour: '2-digit', minute: '2-digit' }).format(at);
  return `${written(today(at))}${language === 'en' ? ' at ' : ', '}${time}`;
}

function wholeYear(digits: string, base: Day): number {
  const year = Number(digits);
  if (digits.length === 4) return year;
  const century = base.year - (base.year % 100);
  return century + year > base.year + 20 ? century - 100 + year : century + year;
}

function existing(year: number, month: number, day: number): Day | undefined {
  if (year < 1800) return undefined;
  const at = new Date(Date.UTC(year, month - 1, day));
  return at.getUTCMonth() === month - 1 && at.getUTCDate() === day ? { year, month, day } : undefined;
}

function moved(base: Day, days: number): Day {
  const at = new Date(utc(base) + days * 86_400_000);
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() };
}

const utc = (day: Day) => Date.UTC(day.year, day.month - 1, day.day);
const two = (number: number) => String(number).padStart(2, '0');
