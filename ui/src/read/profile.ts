import type { Profile } from '../api';

/** What was changed from `base` to `typed`, put over what the profile is by now: whatever was not touched here keeps what others made of it. */
export function merged(base: Profile, typed: Profile, current: Profile): Profile {
  const next: Profile = { ...current };
  for (const name of Object.keys(typed) as (keyof Profile)[]) {
    if (name !== 'favourites' && !same(base[name], typed[name])) take(next, typed, name);
  }
  next.favourites = favourites(base.favourites, typed.favourites, current.favourites);
  return next;
}

export const same = (one: unknown, other: unknown) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

const take = <Name extends keyof Profile>(next: Profile, typed: Profile, name: Name) => void (next[name] = typed[name]);

/** Favourites are only taken out by hand here; the others come and go in the forms. */
function favourites(base: Profile['favourites'], typed: Profile['favourites'], current: Profile['favourites']): Profile['favourites'] {
  const next: Profile['favourites'] = {};
  for (const [list, codes] of Object.entries(current)) {
    const removed = (base[list] ?? []).filter((code) => !typed[list]?.includes(code));
    next[list] = codes.filter((code) => !removed.includes(code));
  }
  return next;
}
