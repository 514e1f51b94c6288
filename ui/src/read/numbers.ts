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
