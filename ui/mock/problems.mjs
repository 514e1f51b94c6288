// The core's own words for its problems: what the window really has to show.

import { readFileSync } from 'node:fs';

import { LANGUAGES } from './packs.mjs';

const texts = Object.fromEntries(LANGUAGES.map((language) => [language, JSON.parse(readFileSync(new URL(`../../crates/connector/texts/problems.${language}.json`, import.meta.url), 'utf8'))]));

/** Title, detail and next step of a problem in a language. */
export const told = (code, language) => texts[language][code];
