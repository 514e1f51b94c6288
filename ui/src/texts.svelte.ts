import type { Language } from './api';
import { type Day, daysBetween, today, weekday } from './read/date';
import de from './texts/de.json';
import en from './texts/en.json';
import fr from './texts/fr.json';
import lb from './texts/lb.json';

export type Key = keyof typeof fr;

/** `x.one` and `x.other` stand for a text that counts. */
type Counted = { [K in Key]: K extends `${infer Stem}.other` ? Stem : never }[Key];

const all: Record<Language, Record<Key, string>> = { fr, de, en, lb };

export const languages: { code: Language; name: string }[] = [
  { code: 'fr', name: 'Français' },
  { code: 'de', name: 'Deutsch' },
  { code: 'en', name: 'English' },
  { code: 'lb', name: 'Lëtzebuergesch' },
];

class Speech {
  language = $state<Language>('fr');

  use(language: Language): void {
    this.language = language;
    document.documentElement.lang = language;
    try {
      localStorage.setItem('language', language);
    } catch {
      // A window without storage starts in French next time.
    }
  }

  /** The language of last time; French at first. */
  recall(): void {
    let code: string | null = null;
    try {
      code = localStorage.getItem('language');
    } catch {
      // As above.
    }
    this.use(languages.find((language) => language.code === code)?.code ?? 'fr');
  }
}

export const speech = new Speech();

export function t(key: Key, filling: Record<string, string | number> = {}): string {
  return all[speech.language][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(filling[name] ?? whole));
}

/** A text for `n` things. */
export function count(stem: Counted, n: number, filling: Record<string, string | number> = {}): string {
  return t(`${stem}.${n === 1 ? 'one' : 'other'}` as Key, { n, ...filling });
}

/** A text that may not exist, for names the core invents (states of the journal). */
export function maybe(key: string): string | undefined {
  return (all[speech.language] as Record<string, string>)[key];
}

/** `samedi 21 novembre`, near ones `samedi · aujourd’hui`; the year is said when it is another one. */
export function inWords(day: Day): string {
  const now = today();
  const parts = {
    weekday: t('date.weekdays').split(',')[weekday(day)] ?? '',
    day: day.day,
    month: t('date.months').split(',')[day.month - 1] ?? '',
    year: day.year,
  };
  const near = { '-1': t('date.yesterday'), '0': t('date.today'), '1': t('date.tomorrow') }[String(daysBetween(now, day))];
  if (near) return `${parts.weekday} · ${near}`;
  return day.year === now.year ? t('date.this_year', parts) : t('date.long', parts);
}
