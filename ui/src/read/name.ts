import type { Language } from '../api';

/** German and Luxembourgish write their nouns with a capital everywhere. */
const SMALL_INSIDE: Language[] = ['fr', 'en'];

/** A form's name as it stands inside a sentence: `Mémoire d’honoraires` becomes `mémoire d’honoraires`, `PID` and `eCIT` stay. */
export function within(name: string, language: Language): string {
  const [first = '', second = ''] = name;
  const isWord = second !== '' && second === second.toLowerCase();
  return isWord && SMALL_INSIDE.includes(language) ? first.toLowerCase() + name.slice(first.length) : name;
}
