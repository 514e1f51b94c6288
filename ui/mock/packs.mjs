// The packs in forms/, read well enough to look at: definitions as the core would give them, what it would fill in, and a few of its findings.
// It knows no form by name. The rules of the packs are the core's; here is only what a window needs to be seen at work.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const LANGUAGES = ['fr', 'de', 'en', 'lb'];

/** As much of TOML as a pack uses. */
export function toml(source) {
  const root = {};
  let table = root;
  let at = 0;
  const fail = (what) => {
    throw new Error(`${what} near: ${source.slice(at, at + 40)}`);
  };
  const blank = () => {
    const found = /^(?:\s|#[^\n]*)*/.exec(source.slice(at));
    at += found[0].length;
  };
  const take = (pattern) => {
    const found = pattern.exec(source.slice(at));
    if (found) at += found[0].length;
    return found;
  };
  const keys = () => {
    const found = take(/^[\w-]+(?:\s*\.\s*[\w-]+)*/) ?? fail('a key is missing');
    return found[0].split('.').map((key) => key.trim());
  };
  const into = (from, path) => path.reduce((place, key) => ((place = place[key] ??= {}), Array.isArray(place) ? place.at(-1) : place), from);
  const pair = (place) => {
    const path = keys();
    take(/^\s*=\s*/) ?? fail('= is missing');
    into(place, path.slice(0, -1))[path.at(-1)] = value();
  };
  const list = (open, close, item) => {
    at += open.length;
    for (blank(); !source.startsWith(close, at); blank()) {
      item();
      blank();
      take(/^,/);
    }
    at += close.length;
  };
  const value = () => {
    let found;
    if ((found = take(/^"""\n?([\s\S]*?)"""/))) return found[1].replace(/\\\n\s*/g, '');
    if ((found = take(/^"(?:[^"\\\n]|\\.)*"/))) return JSON.parse(found[0]);
    if ((found = take(/^'([^'\n]*)'/))) return found[1];
    if ((found = take(/^(?:true|false)\b/))) return found[0] === 'true';
    if ((found = take(/^-?[\d_]+(?:\.\d+)?/))) return Number(found[0].replaceAll('_', ''));
    if (source[at] === '[') {
      const items = [];
      list('[', ']', () => items.push(value()));
      return items;
    }
    if (source[at] === '{') {
      const place = {};
      list('{', '}', () => pair(place));
      return place;
    }
    return fail('no value');
  };
  for (blank(); at < source.length; blank()) {
    const head = take(/^\[(\[?)\s*/);
    if (!head) {
      pair(table);
      continue;
    }
    const path = keys();
    take(/^\s*\]\]?/) ?? fail('] is missing');
    const place = into(root, path.slice(0, -1));
    const last = path.at(-1);
    if (head[1]) (place[last] ??= []).push((table = {}));
    else table = place[last] ??= {};
  }
  return root;
}

export const today = (offset = 0) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
const addDays = (day, n) => new Date(Date.parse(day) + n * 86_400_000).toISOString().slice(0, 10);

/** CEL and JavaScript agree on as much as the packs' sums and fillings use. */
function evaluate(expression, names) {
  try {
    const known = {
      today: today(),
      zero: (x) => x ?? 0,
      sum: (rows, column) => (rows ?? []).reduce((all, row) => all + (row[column] ?? 0), 0),
      add_days: addDays,
      days: (day) => Date.parse(day) / 86_400_000,
      ...names,
    };
    return new Function(...Object.keys(known), `return (${expression});`)(...Object.values(known)) ?? null;
  } catch {
    return null;
  }
}

export class Pack {
  constructor(folder) {
    const json = (path) => JSON.parse(readFileSync(join(folder, path), 'utf8'));
    this.source = toml(readFileSync(join(folder, 'pack.toml'), 'utf8'));
    this.texts = LANGUAGES.map((language) => json(`texts/${language}.json`));
    this.lists = {};
    for (const name of existsSync(join(folder, 'codes')) ? readdirSync(join(folder, 'codes')) : []) this.lists[`codes/${name}`] = json(`codes/${name}`).codes;
    this.kind = this.source.kind;
  }

  fields() {
    return this.source.sections.flatMap((section) => section.fields);
  }

  summary(words) {
    const { title, short_title, description } = this.texts[words];
    const { kind, workflow, shortcut } = this.source;
    return { kind, title, short_title, description, workflow, shortcut };
  }

  codes(path, words, day = today()) {
    return this.lists[path].map(({ code, labels, prices, marks }) => {
      const price = prices?.filter((one) => one.from <= day && (!one.until || day <= one.until)).at(-1);
      return { value: code, label: labels[LANGUAGES[words]], ...(price ? { amount: price.cents } : {}), ...(marks ? { marks } : {}) };
    });
  }

  field(source, said, words) {
    const { codes, options, columns, fill, priced, labelled, default: _, min_length: __, chars: ___, ...rest } = source;
    const text = said?.[source.id] ?? { label: source.id };
    return {
      required: false,
      ...rest,
      label: text.label,
      ...(text.hint ? { hint: text.hint } : {}),
      ...(fill || priced || labelled ? { filled: true } : {}),
      ...(options ? { options: options.map((value) => ({ value, label: text.options?.[value] ?? value })) } : {}),
      ...(codes ? { options: this.codes(codes, words), list: codes.replace(/^codes\/|\.json$/g, '') } : {}),
      ...(columns ? { columns: columns.map((column) => this.field(column, text.columns, words)) } : {}),
    };
  }

  definition(words) {
    const said = this.texts[words];
    const defaults = {};
    for (const field of this.fields()) if (field.default !== undefined) defaults[field.id] = field.default === 'today' ? today() : field.default;
    const { version, volets, totals = [], cancellation, contestation, turns_into, paper = false, delegation = {}, sections } = this.source;
    return {
      ...this.summary(words),
      version,
      defaults,
      cancellable: Boolean(cancellation),
      paper,
      physician_only: delegation.physician_only ?? [],
      ...(turns_into ? { turns_into } : {}),
      ...(contestation ? { contestation: this.codes(contestation.codes, words) } : {}),
      totals: totals.map(({ name }) => ({ name, label: said.totals[name] })),
      volets: volets.map(({ name, signed }) => ({ name, signed, title: said.volets[name] })),
      sections: sections.map(({ id, fields }) => ({ id, title: said.sections[id], fields: fields.map((field) => this.field(field, said.fields, words)) })),
    };
  }

  /** Findings, facts, what is filled in, the sums. */
  check(values, words) {
    const l = (...texts) => texts[words];
    const said = this.texts[words].fields;
    const [findings, facts, filled] = [[], [], {}];
    const say = (field, severity, code, message) => findings.push({ field, severity, code, message });
    const all = {};

    const shown = (list, source, row) => {
      const condition = source.shown_when;
      if (!condition) return true;
      const master = list.find((one) => one.id === condition.field);
      const value = row[condition.field] ?? (master?.type === 'yes_no' ? false : null);
      return shown(list, master, row) && (condition.empty ? value === null : (condition.any_of ?? []).includes(value));
    };
    const read = (list, given, under, texts, names) => {
      const row = Object.fromEntries(list.map((source) => [source.id, given[source.id] ?? (source.type === 'yes_no' ? false : null)]));
      for (const source of list) {
        if (row[source.id] !== null || !shown(list, source, row)) continue;
        let value = null;
        if (source.fill) value = evaluate(source.fill, { ...names, ...row });
        if (source.priced) {
          const { code, day, times } = source.priced;
          const price = this.codes('codes/tariff.json', words, row[day] ?? today()).find((one) => one.value === row[code])?.amount;
          if (price !== undefined) {
            value = price * (Number(row[times]) || 1);
            facts.push({ field: `${under}${source.id}`, text: l('tarif', 'Tarif', 'tariff', 'Tarif') });
          }
        }
        if (source.labelled) value = this.codes('codes/tariff.json', 0).find((one) => one.value === row[source.labelled])?.label.slice(0, source.max_length) ?? null;
        if (value === null) continue;
        row[source.id] = value;
        filled[`${under}${source.id}`] = value;
      }
      for (const source of list) {
        if (!shown(list, source, row)) continue;
        this.judge(source, row[source.id], `${under}${source.id}`, texts?.[source.id]?.label ?? source.id, say, facts, words);
      }
      return row;
    };

    const top = this.fields();
    Object.assign(all, read(top.filter((field) => field.type !== 'lines'), values, '', said, {}));
    for (const field of top) {
      if (field.type !== 'lines') continue;
      const rows = values[field.id] ?? [];
      if (field.required && rows.length === 0) say(field.id, 'error', 'value-required', l('Ajoutez au moins une ligne.', 'Mindestens eine Zeile eingeben.', 'Add at least one line.', 'Mindestens eng Zeil uginn.'));
      all[field.id] = rows.map((row, at) => read(field.columns, row, `${field.id}.${at}.`, said[field.id].columns, all));
    }
    const totals = [];
    for (const { name, value } of this.source.totals ?? []) {
      const cents = evaluate(value, { ...all, ...Object.fromEntries(totals.map((one) => [one.name, one.cents])) });
      if (typeof cents === 'number') totals.push({ name, label: this.texts[words].totals[name], cents });
    }
    if (all.first_day && all.last_day && all.last_day < all.first_day)
      say('last_day', 'error', 'period-inverted', l('Le dernier jour précède le premier. Changez l’un des deux.', 'Der letzte Tag liegt vor dem ersten. Ändern Sie einen der beiden.', 'The last day is before the first day. Change one of them.', 'De leschten Dag läit virum éischten. Ännert ee vun deenen zwee.'));
    if (all.first_day && all.first_day < today(-3))
      say('first_day', 'warning', 'period-backdated', l('Plus de trois jours en arrière : la caisse peut demander pourquoi.', 'Mehr als drei Tage zurück: die Kasse kann nachfragen.', 'More than three days back: the fund may ask why.', 'Méi wéi dräi Deeg zeréck: d’Keess ka froe firwat.'));
    if (all.matricule === null && 'birth_date' in all && all.birth_date === null)
      say('matricule', 'error', 'patient-unidentified', l('Indiquez le matricule ou la date de naissance.', 'Matrikel oder Geburtsdatum angeben.', 'Enter the matricule or the birth date.', 'Gitt d’Matricule oder de Gebuertsdatum un.'));
    return { findings, facts, filled, totals, all };
  }

  judge(source, value, path, label, say, facts, words) {
    const l = (...texts) => texts[words];
    if (value === null) {
      if (source.required && source.priced) say(path, 'error', 'amount-unknown', l('Le tarif ne connaît pas de montant. Indiquez-le.', 'Der Tarif kennt keinen Betrag. Geben Sie ihn ein.', 'The tariff has no amount. Enter it.', 'Den Tarif kennt kee Betrag. Gitt en un.'));
      else if (source.required) say(path, 'error', 'value-required', l(`Indiquez : ${label}.`, `Bitte angeben: ${label}.`, `Enter: ${label}.`, `Gitt un: ${label}.`));
      return;
    }
    const wrong = {
      matricule: !/^\d{13}$/.test(value),
      date: !/^\d{4}-\d\d-\d\d$/.test(value),
      money: !Number.isInteger(value),
      integer: !Number.isInteger(value),
      time: !/^\d\d:\d\d$/.test(value),
      provider_code: !/^\d{8}$/.test(value),
      ehealth_id: !/^\d{10}$/.test(value),
    }[source.type];
    if (wrong) {
      say(path, 'error', 'value-malformed', {
        matricule: l('Le matricule compte 13 chiffres. Complétez-le.', 'Die Matrikel hat 13 Ziffern. Ergänzen Sie sie.', 'A matricule has 13 digits. Complete it.', 'D’Matricule huet 13 Zifferen. Maacht se komplett.'),
        date: l('Ce n’est pas une date. Écrivez par exemple 21.11.', 'Das ist kein Datum. Schreiben Sie zum Beispiel 21.11.', 'This is not a date. Write 21.11 for example.', 'Dat ass keen Datum. Schreift zum Beispill 21.11.'),
      }[source.type] ?? l(`Corrigez : ${label}.`, `Bitte korrigieren: ${label}.`, `Correct: ${label}.`, `Korrigéiert: ${label}.`));
    } else if (source.type === 'matricule') {
      const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)/.exec(value);
      const age = new Date().getFullYear() - Number(year);
      facts.push({ field: path, text: l(`né(e) le ${day}.${month}.${year} · ${age} ans`, `geboren am ${day}.${month}.${year} · ${age} Jahre`, `born ${day}.${month}.${year} · ${age} years`, `gebuer den ${day}.${month}.${year} · ${age} Joer`) });
    } else if (source.type === 'code') {
      const option = this.codes(source.codes, words).find((one) => one.value === value);
      if (option) facts.push({ field: path, text: option.label });
      else say(path, 'warning', 'code-unknown', l('Ce code n’est pas dans la liste. Vérifiez-le.', 'Dieser Code steht nicht in der Liste. Prüfen Sie ihn.', 'This code is not in the list. Check it.', 'Dëse Code steet net an der Lëscht. Kuckt en no.'));
      if (option?.marks?.includes('not_reimbursed')) facts.push({ field: path, text: l('non remboursé', 'nicht erstattet', 'not reimbursed', 'net rembourséiert') });
    }
  }
}

/** Every pack of a folder, in the order of their keys. */
export function packs(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'pack.toml')))
    .map((entry) => new Pack(join(folder, entry.name)))
    .sort((a, b) => (a.source.shortcut < b.source.shortcut ? -1 : 1));
}
