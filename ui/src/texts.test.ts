import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import de from './texts/de.json';
import en from './texts/en.json';
import fr from './texts/fr.json';
import lb from './texts/lb.json';

const all: Record<string, Record<string, string>> = { fr, de, en, lb };
const keys = Object.keys(fr).sort();
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((hole) => hole[1]).sort();
// Nothing more needs saying in production.
const MAY_BE_EMPTY = ['env.production.more'];

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(join(folder, entry.name)) : /(\.svelte|\.ts)$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [join(folder, entry.name)] : [],
  );
}

describe.each(Object.keys(all))('texts in %s', (language) => {
  const texts = all[language]!;

  it('are complete', () => expect(Object.keys(texts).sort()).toEqual(keys));
  it('say something everywhere', () =>
    expect(Object.entries(texts).filter(([key, text]) => !text.trim() && !MAY_BE_EMPTY.includes(key))).toEqual([]));
  it('have the same holes as the French ones', () =>
    expect(keys.filter((key) => holes(texts[key] ?? '').join() !== holes(fr[key as keyof typeof fr]).join())).toEqual([]));
  it('name twelve months and seven weekdays', () => {
    expect(texts['date.months']!.split(',')).toHaveLength(12);
    expect(texts['date.weekdays']!.split(',')).toHaveLength(7);
  });
});

it('German and Luxembourgish quote in one way', () =>
  expect([...Object.values(de), ...Object.values(lb)].filter((text) => /[„“”]/.test(text))).toEqual([]));

it('no text lies unused', () => {
  const code = sources(join(import.meta.dirname)).map((file) => readFileSync(file, 'utf8')).join('\n');
  const used = new Set([...code.matchAll(/(?:\bt|maybe)\(\s*'([^']+)'/g)].map((match) => match[1]!));
  for (const [, stem] of code.matchAll(/\bcount\('([^']+)'/g)) used.add(`${stem}.one`).add(`${stem}.other`);
  const patterns = [...code.matchAll(/(?:\bt|maybe)\(`([^`]+)`/g)]
    .map((match) => match[1]!)
    .filter((pattern) => !pattern.startsWith('$'))
    .map((pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '[\\w-]+')}$`));
  expect(keys.filter((key) => !used.has(key) && !patterns.some((pattern) => pattern.test(key)))).toEqual([]);
});
