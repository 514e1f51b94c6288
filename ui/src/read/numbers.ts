import type { Language } from '../api';

/** Digits without the spaces, dots and dashes people paste; other text stays as it is. */
export function plainDigits(text: string): string {
  const bare = text.replace(/[\s.\-\u00a0\u202f]/g, '');
  return /^\d+$/.test(bare) ? bare : text.trim();
}

/** A matricule in its groups, `1988 12 30 480 83`; anything else than 13 digits comes back as typed. */
export function groupedMatricule(text: string): string {
  const digits = plainDigits(text);
  return /^\d{13}$/.test(digits) ? digits.replace(/^(\d{4})(\d\d)(\d\d)(\d{3})(\d\d)$/, '$1 $2 $3 $4 $5') : text.trim();
}

/** Milliseconds as a physician reads them: `850 ms`, `1,3 s`. */
export function duration(ms: number, decimal = ','): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1).replace('.', decimal)} s`;
}

/**
 * Reads an amount: `12`, `12,5`, `12.50`, `1 250,00`, `1.250,00 €`. Answers integer cents, or nothing when it is not plainly an amount:
 * `1.250` may mean two things, so it is not guessed.
 */
export function cents(text: string): number | undefined {
  const bare = text.replace(/[€\s\u00a0\u202f]|eur$/gi, '');
  const parts = /^(\d+|\d{1,3}(?:[.,’'](?=\d{3}(?:\D|$))\d{3})+)(?:[.,](\d{1,2})?)?$/.exec(bare);
  if (!parts) return undefined;
  const [, whole = '', rest = ''] = parts;
  const separators = [...bare].filter((letter) => /[.,’']/.test(letter));
  // One separator before three digits could be a comma or a point in either custom; two alike could not end in a decimal.
  if (whole.length > 3 && /\D/.test(whole) && rest === '') return undefined;
  if (separators.length > 1 && separators.at(-1) === separators[0] && rest !== '') return undefined;
  const amount = Number(whole.replace(/\D/g, '')) * 100 + Number(rest.padEnd(2, '0'));
  return Number.isSafeInteger(amount) ? amount : undefined;
}

/** Cents with two decimals and the sign, as the language writes it: `1 250,40 €`, `€1,250.40`. */
export function euro(amount: number, language: Language): string {
  const sign = amount < 0 ? '−' : '';
  const whole = String(Math.floor(Math.abs(amount) / 100));
  const rest = String(Math.abs(amount) % 100).padStart(2, '0');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, { fr: '\u202f', de: '.', en: ',', lb: '.' }[language]);
  return language === 'en' ? `${sign}€${grouped}.${rest}` : `${sign}${grouped},${rest}\u00a0€`;
}

/** `3` is 3; anything else than digits is nothing. */
export function integer(text: string): number | undefined {
  const bare = text.trim();
  return /^\d{1,9}$/.test(bare) ? Number(bare) : undefined;
}

/** Reads a time of day: `930`, `9:30`, `9h30`, `9 h`, `9.30`, `21`. Answers `HH:MM`. */
export function time(text: string): string | undefined {
  const typed = text.trim().toLowerCase();
  const run = /^(\d{1,2})(\d{2})$/.exec(typed.length > 2 ? typed : '');
  const parts = run ?? /^(\d{1,2})(?:\s*[:.h,\s]\s*(\d{2})?)?\s*(?:h|uhr|auer)?$/.exec(typed);
  if (!parts) return undefined;
  const [hour, minute] = [Number(parts[1]), Number(parts[2] ?? 0)];
  return hour < 24 && minute < 60 ? `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}` : undefined;
}
