/** A finding's words in a list: the field's name in front, once, even if the message begins with it. */
export function named(label: string | undefined, message: string): { name: string; rest: string } {
  if (!label) return { name: '', rest: message };
  const begins = message.toLocaleLowerCase().startsWith(label.toLocaleLowerCase());
  const rest = message.slice(label.length);
  if (begins && !/^[\p{L}\p{N}]/u.test(rest)) return { name: message.slice(0, label.length), rest };
  return { name: label, rest: ` — ${message}` };
}
