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
