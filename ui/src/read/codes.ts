import type { Option } from '../api';

/** The favourites first, in their order; a favourite that the list does not know is a code of the physician's own. */
export function ranked(options: Option[], liked: string[]): Option[] {
  return [
    ...liked.map((code) => options.find((option) => option.value === code) ?? { value: code, label: '' }),
    ...options.filter((option) => !liked.includes(option.value)),
  ];
}

/** The option whose code was typed. */
export function exactly(options: Option[], typed: string): Option | undefined {
  const sought = folded(typed);
  return options.find((option) => folded(option.value) === sought);
}

/** What Enter takes from an open list: the entry the arrows stand on; else the whole code that was typed, never another one; else the first that fits. */
export function taken(found: Option[], typed: string, active: number): Option | undefined {
  if (active >= 0) return found[active];
  if (typed.trim() === '') return undefined;
  return exactly(found, typed) ?? found[0];
}

/** What leaving makes of what was typed: a whole code as the list writes it, a word that fits one entry only as that entry. */
export function settled(options: Option[], typed: string): string {
  const exact = exactly(options, typed);
  if (exact) return exact.value;
  const [only, ...others] = /\p{L}{3}/u.test(typed) ? matching(options, typed) : [];
  return only && others.length === 0 ? only.value : typed;
}

/** What fits what was typed, codes before words; everything when nothing was typed, or a whole code. */
export function matching(options: Option[], typed: string): Option[] {
  const sought = folded(typed);
  if (sought === '' || exactly(options, typed)) return options;
  const isCode = ({ value }: Option) => folded(value).startsWith(sought);
  // One or two letters begin a word; more of them may stand inside one.
  const isWord = ({ label }: Option) =>
    sought.length > 2 ? folded(label).includes(sought) : folded(label).split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(sought));
  return [...options.filter(isCode), ...options.filter((option) => !isCode(option) && isWord(option))];
}

const folded = (text: string) => text.trim().normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
