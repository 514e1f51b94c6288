import type { Actor, Physician } from './api';
import type { Known } from './read/values';

/** Somebody at work: in whose name, and by whose hands. Nobody's hands are known before the first login. */
export interface Acting {
  actor?: Actor;
  physician: Physician;
}

/** Who works now, as far as it is known. */
export function actingOf({ session, physician }: Known): Acting | undefined {
  if (!physician) return undefined;
  // While a login is under way, the session of before goes on.
  const actor = session?.state === 'logged_out' ? undefined : session?.actor;
  return { physician, ...(actor ? { actor } : {}) };
}

/** The same person for the same physician. Where nobody had logged in yet, the physician decides. */
export function isSame(one: Acting, other: Acting): boolean {
  if (one.physician.ehealth_id !== other.physician.ehealth_id) return false;
  return !one.actor || !other.actor || one.actor.id === other.actor.id;
}
