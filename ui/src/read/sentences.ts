/** One text of several: what has no end of its own gets a full stop, what is not said is left out. */
export function sentences(...parts: (string | null | undefined)[]): string {
  return parts.map((part) => part?.trim() ?? '').filter(Boolean).map((part) => (/[.!?…:][»”’)]?$/.test(part) ? part : `${part}.`)).join(' ');
}
