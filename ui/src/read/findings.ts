/** A finding's words in a list: the field's name in front, once, even if the message begins with it, or with the row it stands in (`Line 3, Amount`). */
export function named(label: string | undefined, message: string): { name: string; rest: string } {
  if (!label) return { name: '', rest: message };
  for (const name of [label, label.split(', ')[0] ?? label]) {
    const begins = message.toLocaleLowerCase().startsWith(name.toLocaleLowerCase());
    const rest = message.slice(name.length);
    if (begins && !/^[\p{L}\p{N}]/u.test(rest)) return { name: message.slice(0, name.length), rest };
  }
  return { name: label, rest: ` — ${message}` };
}
