// A stand-in for the core, for looking at the window without it. Everything in it is invented.
//
// POST /econnector/mock {"fail": "kms" | "login" | "unknown" | "space" | "preview" | "core" | "cancel" | "declined" | "logout" | null, "slow": ms,
// "session": "logged_out" | "logging_in" | "logged_in" | "luc" | "secretary" | "schmit" | "nobody", "chosen": eHealthID, "ended": code of why nobody is logged in,
// "environment": "training" | …, "logins", "lock", "skew": seconds, "keyring": "locked" | …} sets what happens next; GET tells how many documents came whose
// signed page was never drawn, who was asked for at the login, and what was answered to practice software (mock/link.mjs). MOCK_FORMS names another folder of packs.

import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { Door } from './link.mjs';
import { LANGUAGES, packs } from './packs.mjs';
import { told } from './problems.mjs';

let words = 0;
const l = (...texts) => texts[words] ?? texts[0];

const door = new Door(l);
const known = packs(process.env.MOCK_FORMS ?? fileURLToPath(new URL('../../forms', import.meta.url)));
/** A problem in the core's own words, at their full length. */
const inWords = (code) => ({ code, ...told(code, LANGUAGES[words]) });
const packOf = (kind) => known.find((pack) => pack.kind === kind);

const world = { session: 'logged_out', fail: null, slow: 500, environment: 'training', documents: new Map(), drawn: new Set(), unseen: 0, chosen: undefined, ended: null, logins: 'both', lock: { after_minutes: 10, unlock: 'key' }, skew: 2, keyring: null, other: undefined, before: 'logged_out', logged: 0, signedBy: [] };
const anne = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const schmit = { ehealth_id: '1900000004', name: 'Dr Marc Schmit', provider_codes: ['90000104'] };
const luc = { ehealth_id: '1900000002', name: 'Dr Luc Muller', provider_codes: ['90000102'] };
let profile = {
  title: 'Dr',
  last_name: 'Weber',
  first_name: 'Anne',
  number: '12',
  street: 'rue de la Gare',
  postal_code: '1611',
  locality: 'Luxembourg',
  country: 'LU',
  phone: '26 12 34 56',
  fax: '',
  email: 'anne.weber@example.lu',
  bank_text: 'IBAN LU28 0019 4006 4475 0000\nBIC BCEELULL',
  billing_codes: [{ code: '90000101', label: 'Dr Anne Weber' }, { code: '70000015', label: 'Association médicale de la Gare' }],
  favourites: { diagnosis: ['13', '12'], tariff: ['C1', 'V1'] },
  printer: null,
};
/** Every physician has one of her own; only Anne Weber's can be changed here. */
const profileOf = (physician) =>
  physician === anne
    ? profile
    : { ...profile, last_name: physician.name.split(' ').at(-1), first_name: physician.name.split(' ')[1], street: 'avenue de la Liberté', number: '7', phone: '', billing_codes: [{ code: physician.provider_codes[0], label: physician.name }] };
const printers = [
  { name: 'Cabinet', description: 'Salle de consultation', is_default: true },
  { name: 'PDF', description: null, is_default: false },
];

const escape = (text) => String(text ?? '').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const money = (cents) => `${(cents / 100).toFixed(2).replace('.', ',')} €`;
const ROWS_A_PAGE = 10;

/** The pages of a volet: what is typed, and the rows by tens. Nothing like the real page, but of its size. */
function pagesOf(pack, volet, values, { draft, paper = false, simulation }) {
  const said = pack.texts[0];
  const { all, totals } = pack.check(values, 0);
  const lines = all.lines ?? [];
  const count = Math.max(1, Math.ceil(lines.length / ROWS_A_PAGE));
  const hidden = volet === 'employeur' ? ['diagnosis', 'cause', 'child_matricule'] : [];
  const told = pack.fields().filter((field) => field.type !== 'lines' && all[field.id] !== null && all[field.id] !== false && !hidden.includes(field.id));
  return Array.from({ length: count }, (_, page) => {
    let y = 112;
    const body = [];
    for (const field of page === 0 ? told.slice(0, lines.length > 0 ? 12 : 24) : []) {
      const value = field.type === 'money' ? money(all[field.id]) : all[field.id] === true ? 'oui' : (said.fields[field.id].options?.[all[field.id]] ?? all[field.id]);
      body.push(`<text x="44" y="${y}" font-size="9" fill="#555">${escape(said.fields[field.id].label)}</text><text x="220" y="${y}" font-size="10" fill="#111">${escape(String(value).slice(0, 60))}</text>`);
      y += 16;
    }
    for (const [at, row] of lines.slice(page * ROWS_A_PAGE, (page + 1) * ROWS_A_PAGE).entries()) {
      const nth = page * ROWS_A_PAGE + at;
      const amount = row.amount ?? simulation?.lines[nth]?.total;
      body.push(
        `<rect x="36" y="${y}" width="523" height="26" fill="none" stroke="#333"/><text x="42" y="${y + 17}" font-size="10" fill="#111">${nth + 1}   ${escape(row.date)}   ${escape(row.code)}  ${escape(row.label ?? '')}</text><text x="550" y="${y + 17}" font-size="10" fill="#111" text-anchor="end">${row.quantity ?? ''} ×   ${amount == null ? '' : money(amount)}</text>`,
      );
      y += 26;
    }
    for (const total of page === count - 1 ? totals : []) {
      y += 18;
      body.push(`<text x="550" y="${y}" font-size="11" fill="#111" text-anchor="end">${escape(total.label)}   ${money(total.cents)}</text>`);
    }
    const seal = paper ? 'Signature et cachet du médecin : ________________' : draft ? '' : 'Signé électroniquement';
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 595 842" width="595" height="842" font-family="sans-serif"><rect width="595" height="842" fill="#fff"/>
<text x="36" y="60" font-size="18" font-weight="bold" fill="#111">${escape(said.title.toUpperCase())}</text><text x="36" y="80" font-size="11" fill="#333">${escape(said.volets[volet])} · ${page + 1}/${count}</text>
<rect x="36" y="92" width="523" height="1" fill="#333"/>${body.join('')}
${draft ? '<text x="120" y="640" font-size="72" fill="#d8dcda" transform="rotate(-28 297 640)">BROUILLON</text>' : ''}<text x="36" y="780" font-size="10" fill="#111">${seal}</text>
<text x="36" y="812" font-size="10" fill="#8a6100">ENTRAÎNEMENT · sans valeur</text></svg>`;
  });
}

const pdf = '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n';

const people = {
  logged_in: { actor: { id: 'w', name: anne.name }, physician: anne, acts_for: [] },
  luc: { actor: { id: 'm', name: luc.name }, physician: luc, acts_for: [] },
  schmit: { actor: { id: 's', name: schmit.name }, physician: schmit, acts_for: [schmit, anne] },
  secretary: { actor: { id: 'k', name: 'Claire Klein' }, acts_for: [anne, luc] },
  nobody: { actor: { id: 'n', name: 'Paul Wagner' }, acts_for: [] },
};

/** As the core would say it: whom this person works for, by her own right or by her choice. */
function acting() {
  // The session of before goes on while somebody logs in.
  const person = people[world.session === 'logging_in' ? world.before : world.session];
  const physician = person?.acts_for.find((one) => one.ehealth_id === world.chosen) ?? person?.physician;
  return { person, physician };
}

function session() {
  const base = {
    environment: world.environment,
    remembered: !world.keyring,
    notices: world.keyring ? [inWords(`keyring-${world.keyring}`)] : [],
    acts_for: [],
    mandate: false,
    logins: world.logins,
    clock_skew_seconds: world.skew,
    lock: world.lock,
    ...(world.ended ? { problem: problems.ended(world.ended) } : {}),
  };
  const { person, physician } = acting();
  const login_url = 'http://127.0.0.1:1420/econnector/mock/login?client_id=econnector&code_challenge_method=S256&state=9f2b6c0e';
  const begun = world.session === 'logging_in' ? { state: 'logging_in', login_url } : undefined;
  if (!person) return { ...base, state: 'logged_out', ...begun };
  const { actor, acts_for } = person;
  const until = new Date(Date.now() + 24.5 * 60_000).toISOString();
  const since = new Date(Date.UTC(2026, 10, 21, 8, 0, world.logged)).toISOString();
  const mandate = physician !== undefined && physician !== person.physician;
  return { ...base, state: 'logged_in', actor, acts_for, ...(physician ? { physician } : {}), mandate, until, since, ...begun };
}

const status = () => ({
  usable: world.fail !== 'kms',
  version: '0.1.0',
  environment: world.environment,
  checks: [
    { name: 'aes', label: l('Identité (eSanté)', 'Identität (eSanté)', 'Identity (eSanté)', 'Identitéit (eSanté)'), ok: true, detail: l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 12, clock_skew_ms: world.skew * 1000 },
    { name: 'kms', label: l('Signature', 'Signatur', 'Signature', 'Ënnerschrëft'), ok: world.fail !== 'kms', detail: world.fail === 'kms' ? l('Pas de réponse depuis deux minutes', 'Seit zwei Minuten keine Antwort', 'No answer for two minutes', 'Zanter zwou Minutte keng Äntwert') : l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 31 },
    { name: 'mysecu', label: 'mySecu', ok: true, detail: l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 48, expires: '2027-06-30T10:00:00Z' },
    { name: 'trust_store', label: l('Certificats de confiance', 'Vertrauensanker', 'Trust store', 'Vertrauensanker'), ok: true, detail: l('3 certificats', '3 Zertifikate', '3 certificates', '3 Certificaten'), expires: '2031-01-01T00:00:00Z' },
    { name: 'keyring', label: l('Trousseau', 'Schlüsselbund', 'Keyring', 'Schlësselbond'), ok: true, detail: 'Secret Service' },
    { name: 'journal', label: l('Journal', 'Journal', 'Journal', 'Journal'), ok: true, detail: l('3 entrées', '3 Einträge', '3 entries', '3 Androck') },
  ],
});

const OLDER = [
  { id: 'c3d4e5f6-1a2b-4c3d-9e8f-7a6b5c4d3e2f', kind: 'pdf', state: 'signed', created_at: '2026-11-21T12:02:00Z', finished_at: '2026-11-21T12:02:01Z', actor: anne.name, physician: anne.name, correlation_id: 'Id-40be9ad2b0e14c77a1', cancellable: false, has_pages: false },
  { id: 'b41c0d3e-6a3f-4f0c-9a56-2f6d1f0c7a11', kind: 'ecit', state: 'deposited', created_at: '2026-11-21T13:05:00Z', finished_at: '2026-11-21T13:05:02Z', actor: 'Claire Klein', physician: anne.name, reference: 'S-2026-0004711', correlation_id: 'Id-5f1c9ad2b0e14c77a1', cancellable: true, has_pages: false },
  { id: 'd0f3a1b2-7c4d-4e5f-8a6b-9c0d1e2f3a4b', kind: 'mh', state: 'cancelled', created_at: '2026-11-21T11:20:00Z', finished_at: '2026-11-21T11:20:03Z', cancelled_at: '2026-11-21T11:31:00Z', replaced_by: 'e1a4b2c3-8d5e-4f60-9b7c-0d1e2f3a4b5c', actor: anne.name, physician: anne.name, reference: 'S-2026-0004698', correlation_id: 'Id-61bb9ad2b0e14c77a1', cancellable: false, has_pages: false },
  { id: 'a7d2f6f0-11c4-4dd8-8f0e-0e2f3c4b5a66', kind: 'ecit', state: 'unknown', created_at: '2026-11-21T10:41:00Z', actor: anne.name, physician: anne.name, correlation_id: 'Id-77aa01c2b0e14c77a1', problem_code: 'mysecu-outcome-unknown', cancellable: false, has_pages: false },
  { id: '5e8d7c6b-4433-42bb-a1c1-0a9b8c7d6e5f', kind: 'ecit', state: 'paper', created_at: '2026-11-21T09:12:00Z', actor: anne.name, physician: anne.name, cancellable: false, has_pages: false },
  { id: '0c9e8d7b-3322-41aa-b0b0-9f8e7d6c5b4a', kind: 'ecit', state: 'failed', created_at: '2026-11-20T16:20:00Z', actor: anne.name, physician: anne.name, problem_code: 'kms-unreachable', cancellable: false, has_pages: false },
];

const entryOf = ({ id, kind, state, settled, at, replaces, replaced_by, cancelled_at }) => ({
  id,
  kind,
  state,
  created_at: at,
  finished_at: at,
  actor: anne.name,
  physician: anne.name,
  reference: settled?.receipt?.reference,
  correlation_id: settled?.receipt?.correlation_id,
  replaces,
  replaced_by,
  cancelled_at,
  cancellable: state === 'deposited' && packOf(kind).definition(words).cancellable,
  has_pages: true,
});
const journal = () => ({ entries: [...[...world.documents.values()].filter((one) => one.state !== 'simulated').map(entryOf).reverse(), ...OLDER] });

const problems = {
  core: () => ({ status: 503, code: 'host-not-started', fault: 'you', title: l('Les réglages ne peuvent pas être lus', 'Die Einstellungen können nicht gelesen werden', 'The settings cannot be read', 'D’Astellunge kënnen net gelies ginn'), detail: l('Le fichier settings.toml contient une erreur.', 'Die Datei settings.toml enthält einen Fehler.', 'The file settings.toml holds an error.', 'De Fichier settings.toml huet e Feeler.'), next: l('Corrigez le fichier, puis rouvrez eConnector.', 'Korrigieren Sie die Datei und öffnen Sie eConnector neu.', 'Correct the file, then reopen eConnector.', 'Korrigéiert de Fichier a maacht eConnector nei op.'), technical: 'settings.toml: TOML parse error at line 4, column 1' }),
  preview: () => ({ status: 500, code: 'page-not-drawn', fault: 'us', title: l('La page n’a pas pu être composée', 'Die Seite konnte nicht gesetzt werden', 'The page could not be set', 'D’Säit konnt net gesat ginn'), next: l('Réessayez.', 'Versuchen Sie es noch einmal.', 'Try again.', 'Probéiert nach eng Kéier.') }),
  kms: () => ({ status: 502, code: 'kms-unreachable', fault: 'authority', title: l('Le service de signature ne répond pas', 'Der Signaturdienst antwortet nicht', 'The signature service does not answer', 'De Signaturservice äntwert net'), detail: l('Le document n’a pas été signé et rien n’a été envoyé.', 'Das Dokument wurde nicht signiert und nichts wurde gesendet.', 'The document was not signed and nothing was sent.', 'D’Dokument gouf net ënnerschriwwen an näischt gouf geschéckt.'), next: l('Réessayez dans une minute. La saisie reste telle quelle.', 'Versuchen Sie es in einer Minute noch einmal. Die Eingabe bleibt.', 'Try again in a minute. What you typed stays.', 'Probéiert an enger Minutt nach eng Kéier. D’Donnéeë bleiwen.'), correlation_id: 'Id-5f1c9ad2b0e14c77a1', authority: { code: 'KMS-503', message: 'Service temporairement indisponible' } }),
  login: () => ({ status: 401, code: 'session-needed', fault: 'you', title: l('Votre session est terminée', 'Ihre Sitzung ist beendet', 'Your session has ended', 'Är Sëtzung ass eriwwer'), next: l('Connectez-vous, puis envoyez à nouveau.', 'Melden Sie sich an und senden Sie dann noch einmal.', 'Log in, then send again.', 'Mellt Iech un, duerno schéckt nach eng Kéier.') }),
  cancel: () => ({ status: 422, code: 'mysecu-refused', fault: 'authority', title: l('La caisse refuse l’annulation', 'Die Kasse lehnt die Stornierung ab', 'The fund refuses the cancellation', 'D’Keess refuséiert d’Annulatioun'), detail: l('Le document est resté tel quel.', 'Das Dokument blieb unverändert.', 'The document is as it was.', 'D’Dokument ass bliwwe wéi et war.'), next: l('Réessayez dans une minute.', 'Versuchen Sie es in einer Minute noch einmal.', 'Try again in a minute.', 'Probéiert an enger Minutt nach eng Kéier.'), authority: { code: 'A-17', message: 'Traitement en cours' } }),
  ended: (code) => ({ status: code === 'login-timeout' ? 401 : 502, code, fault: code === 'login-timeout' ? 'you' : 'network', ...(code === 'login-timeout' ? { title: l('La connexion n’a pas abouti à temps', 'Die Anmeldung wurde nicht rechtzeitig fertig', 'The login did not succeed in time', 'D’Umeldung gouf net zäiteg fäerdeg'), next: l('Connectez-vous de nouveau.', 'Melden Sie sich noch einmal an.', 'Log in again.', 'Mellt Iech nach eng Kéier un.') } : { title: l('eSanté ne répond pas', 'eSanté antwortet nicht', 'eSanté does not answer', 'eSanté äntwert net'), next: l('Réessayez dans une minute.', 'Versuchen Sie es in einer Minute noch einmal.', 'Try again in a minute.', 'Probéiert an enger Minutt nach eng Kéier.') }) }),
  logout: () => ({ status: 502, fault: 'network', ...inWords('logout-not-forgotten') }),
  space: () => ({ status: 403, code: 'mysecu-space-refused', fault: 'you', title: l('mySecu refuse cet espace', 'mySecu lehnt diesen Bereich ab', 'mySecu refuses this space', 'mySecu refuséiert dësen Espace'), next: l('Activez les services web de votre espace dans mySecu.', 'Aktivieren Sie die Webdienste Ihres Bereichs in mySecu.', 'Activate the web services of your space at mySecu.', 'Aktivéiert d’Webservicer vun Ärem Espace am mySecu.'), authority: { code: 'wsse:FailedAuthentication', message: 'Services web non activés pour cet espace' } }),
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const refused = (findings) => [422, { status: 422, code: 'values-refused', fault: 'you', title: 'Refusé', findings }];
const wrong = (findings) => findings.some((finding) => finding.severity === 'error');

/** Signs and sends, in stages; what a fault leaves behind is the world's. */
async function deposit(record, receipt) {
  const pack = packOf(record.kind);
  const { volets } = pack.definition(words);
  for (const state of ['signing', 'depositing']) {
    await pause(world.slow);
    if (world.fail !== 'cancel' && world.fail !== 'core' && problems[world.fail]) {
      if (record.simulation) record.state = 'simulated';
      else world.documents.delete(record.id);
      if (world.fail === 'login') Object.assign(world, { session: 'logged_out', chosen: undefined });
      const problem = problems[world.fail]();
      world.fail = null;
      return [problem.status, problem];
    }
    record.state = state;
  }
  await pause(world.slow);
  const paged = volets.map((volet) => ({ ...volet, media_type: 'application/pdf', pages: pagesOf(pack, volet.name, record.values, {}).length }));
  if (world.fail === 'unknown') {
    world.fail = null;
    Object.assign(record, { state: 'unknown', volets: paged });
    return [504, { status: 504, fault: 'network', ...inWords(record.simulation ? 'payment-outcome-unknown' : 'mysecu-outcome-unknown'), correlation_id: 'Id-77aa01c2b0e14c77a1' }];
  }
  record.state = 'deposited';
  record.settled = {
    id: record.id,
    kind: record.kind,
    state: 'deposited',
    volets: paged.map((volet) => ({ ...volet, content: Buffer.from(pdf).toString('base64') })),
    receipt: {
      reference: randomUUID(),
      deposited_at: new Date().toISOString(),
      correlation_id: 'Id-c40e9ad2b0e14c77a1',
      signed_by: anne.name,
      signed_at: new Date().toISOString(),
      own_ms: 184,
      remote_ms: 1120,
      ...receipt,
    },
  };
  return [201, record.settled];
}

async function issue({ id, kind, values, replaces }) {
  const before = world.documents.get(id);
  if (before?.settled) return [200, before.settled];
  const { findings } = packOf(kind).check(values, words);
  if (wrong(findings)) return refused(findings);
  if (!acting().physician) return [401, problems.login()];
  if (!wasDrawn(packOf(kind), values)) world.unseen++;
  world.signedBy.push(values.physician_code ?? values.provider_code ?? '');
  const record = { id, kind, state: 'checking', values, replaces, at: new Date().toISOString() };
  world.documents.set(id, record);
  const replaced = world.documents.get(replaces);
  if (replaced) Object.assign(replaced, { state: 'cancelled', replaced_by: id, cancelled_at: record.at });
  const anomalies = values.lines
    ? [{ severity: 'warning', code: 'W-301', message: 'Ligne 2 : code soumis à autorisation préalable', line: 1 }]
    : [{ severity: 'warning', code: 'W-101', message: 'Date de constatation postérieure au premier jour' }];
  return deposit(record, { anomalies });
}

async function onPaper({ id, kind, values }) {
  const { findings } = packOf(kind).check(values, words);
  if (wrong(findings)) return refused(findings);
  await pause(world.slow);
  const record = { id, kind, state: 'paper', values, at: new Date().toISOString() };
  world.documents.set(id, record);
  const volets = packOf(kind).definition(words).volets.map((volet) => ({ ...volet, signed: false, media_type: 'application/pdf', pages: pagesOf(packOf(kind), volet.name, values, {}).length, content: Buffer.from(pdf).toString('base64') }));
  record.settled = { id, kind, state: 'paper', volets };
  return [201, record.settled];
}

async function cancel(id, { replaced_by }) {
  await pause(world.slow);
  if (problems[world.fail]) {
    const problem = problems[world.fail]();
    world.fail = null;
    return [problem.status, problem];
  }
  const done = { state: 'cancelled', cancelled_at: new Date().toISOString(), ...(replaced_by ? { replaced_by } : {}) };
  const older = OLDER.find((one) => one.id === id);
  if (older) return [200, Object.assign(older, done, { cancellable: false })];
  const record = world.documents.get(id);
  if (!record) return [404, { status: 404, code: 'document-unknown', fault: 'you', title: 'Unknown' }];
  return [200, entryOf(Object.assign(record, done))];
}

async function simulate(kind, { id, values }) {
  const pack = packOf(kind);
  const { findings, all } = pack.check(values, words);
  if (wrong(findings)) return refused(findings);
  if (!acting().physician) return [401, problems.login()];
  await pause(world.slow);
  const lines = all.lines.map((row, line) => {
    const price = pack.codes('codes/tariff.json', words, row.date).find((one) => one.value === row.code)?.amount;
    const accepted = price !== undefined && !row.code.startsWith('CP') && !(world.fail === 'declined' && line === all.lines.length - 1);
    const total = accepted ? price * row.quantity : 0;
    const statutory = Math.round(total * 0.88);
    return { line, accepted, statutory, personal: total - statutory, total };
  });
  const sum = (what) => lines.reduce((sums, one) => sums + one[what], 0);
  const simulation = {
    id,
    kind,
    state: 'simulated',
    payable: lines.every((line) => line.accepted),
    reference: randomUUID(),
    currency: 'EUR',
    lines,
    totals: { statutory: sum('statutory'), personal: sum('personal'), total: sum('total') },
    anomalies: lines.filter((line) => !line.accepted).map(({ line }) => ({ id: `A-${line + 1}`, severity: 'error', code: 'P-204', message: 'Acte non éligible au paiement immédiat direct', line })),
    correlation_id: 'Id-31d09ad2b0e14c77a1',
    turns_into: pack.source.turns_into,
  };
  world.documents.set(id, { id, kind, state: 'simulated', values, simulation, at: new Date().toISOString() });
  return [201, simulation];
}

async function validate(id) {
  const record = world.documents.get(id);
  if (!record?.simulation) return [404, { status: 404, code: 'simulation-unknown', fault: 'you', title: 'Unknown' }];
  if (record.settled) return [200, record.settled];
  if (!wasDrawn(packOf(record.kind), record.values, id)) world.unseen++;
  record.state = 'checking';
  const { statutory } = record.simulation.totals;
  return deposit(record, { anomalies: [], payment: { statutory, offset: 500, paid: statutory - 500, currency: 'EUR', reason: 'Compensation d’un trop-perçu' } });
}

async function contest(id) {
  await pause(world.slow);
  if (world.fail === 'login') {
    Object.assign(world, { fail: null, session: 'logged_out', chosen: undefined });
    return [401, problems.login()];
  }
  const record = world.documents.get(id);
  record.state = 'contested';
  return [200, { id, state: 'contested', reference: randomUUID(), correlation_id: 'Id-9be09ad2b0e14c77a1' }];
}

function keep(next) {
  const findings = [];
  const say = (field, message) => findings.push({ field, severity: 'error', code: 'value-malformed', message });
  if (next.email && !/^\S+@\S+\.\S+$/.test(next.email)) say('email', l('Ce n’est pas une adresse électronique. Corrigez-la.', 'Das ist keine E-Mail-Adresse. Korrigieren Sie sie.', 'This is not an e-mail address. Correct it.', 'Dat ass keng E-Mail-Adress. Korrigéiert se.'));
  for (const [at, { code }] of next.billing_codes.entries())
    if (!/^\d{8}$/.test(code)) say(`billing_codes.${at}.code`, l('Un code facturier compte 8 chiffres.', 'Ein Rechnungscode hat 8 Ziffern.', 'A billing code has 8 digits.', 'E Rechnungscode huet 8 Zifferen.'));
  if (findings.length > 0) return [422, { status: 422, code: 'profile-wrong', fault: 'you', title: l('Le profil n’est pas enregistré', 'Das Profil wurde nicht gespeichert', 'The profile is not saved', 'De Profil ass net gespäichert'), next: l('Corrigez les champs marqués.', 'Korrigieren Sie die markierten Felder.', 'Correct the marked fields.', 'Korrigéiert déi markéiert Felder.'), findings }];
  profile = next;
  return [200, profile];
}

const seen = (kind, values, page, simulation) => JSON.stringify([kind, values, page, simulation ?? null]);

/** Every page of the volet that is signed was drawn, made of these values. */
function wasDrawn(pack, values, simulation) {
  const signed = pack.source.volets.find((one) => one.signed);
  return pagesOf(pack, signed.name, values, {}).every((_, at) => world.drawn.has(seen(pack.kind, values, at + 1, simulation)));
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : {};
}

export async function answer(request, response, next) {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (!url.pathname.startsWith('/econnector/')) return next();
  const path = url.pathname.slice('/econnector'.length);
  const asked = await body(request);
  words = Math.max(0, LANGUAGES.indexOf((request.headers['accept-language'] ?? 'fr').slice(0, 2)));
  const json = (code, value) => {
    response.writeHead(code, { 'Content-Type': code < 400 ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(value));
  };
  const drawn = (pages) => {
    const page = pages[Number(url.searchParams.get('page') ?? 1) - 1] ?? pages[0];
    response.writeHead(200, { 'Content-Type': 'image/svg+xml', 'X-Page-Count': String(pages.length) });
    response.end(page);
  };
  const match = (method, pattern) => request.method === method && pattern.exec(path)?.slice(1);
  let found;

  if (match('POST', /^\/mock$/)) {
    door.command(asked);
    if (people[asked.session]) Object.assign(world, { logged: world.logged + 1, chosen: undefined, ended: null });
    Object.assign(world, asked);
    return json(200, {});
  }
  if (match('GET', /^\/mock$/)) return json(200, { unseen: world.unseen, other: world.other, signedBy: world.signedBy, answers: door.answers, drawn: [...door.drawn] });
  if (world.fail === 'core') return json(503, problems.core());
  if (
    await door.answer({
      method: request.method,
      path,
      url,
      asked,
      json,
      inWords,
      empty: () => response.writeHead(204).end(),
      problem: (code, name, title = 'x', next = undefined) => json(code, { status: code, code: name, fault: 'you', title, next }),
      page: ({ form, pages = 1 }, number) => {
        const pack = packOf(form) ?? known[0];
        const row = { date: '2026-11-21', code: 'C1', quantity: 1, amount: 5240 };
        const values = { matricule: '1988123048083', last_name: 'Schneider', first_name: 'Maïté', lines: Array.from({ length: (pages - 1) * ROWS_A_PAGE + 2 }, () => row) };
        url.searchParams.set('page', number);
        drawn(pagesOf(pack, pack.source.volets.find((one) => one.signed).name, values, { draft: true }));
      },
    })
  )
    return;
  if (match('GET', /^\/v1\/status$/)) return json(200, status());
  if (match('GET', /^\/v1\/session$/)) return json(200, session());
  if (match('POST', /^\/v1\/session\/login$/)) {
    if (world.fail === 'aes') return json(502, problems.ended('aes-unreachable'));
    if (world.session !== 'logging_in') world.before = world.session;
    Object.assign(world, { session: 'logging_in', ended: null, other: asked.other_account ?? false });
    return json(202, session());
  }
  if (match('PUT', /^\/v1\/session\/physician$/)) {
    if (!people[world.session]?.acts_for.some((one) => one.ehealth_id === asked.ehealth_id)) return json(403, problems.space());
    world.chosen = asked.ehealth_id;
    return json(200, session());
  }
  if (match('DELETE', /^\/v1\/session$/)) {
    // A login that is given up leaves the session of before as it is.
    Object.assign(world, { session: world.session === 'logging_in' ? world.before : 'logged_out', ended: null });
    if (world.fail === 'logout') {
      world.fail = null;
      return json(502, problems.logout());
    }
    return response.writeHead(204).end();
  }
  if (match('GET', /^\/mock\/login$/)) {
    Object.assign(world, { session: 'logged_in', logged: world.logged + 1 });
    return response.end('ok');
  }
  if (match('GET', /^\/v1\/forms$/)) return json(200, { forms: known.map((pack) => pack.summary(words)) });
  if ((found = match('GET', /^\/v1\/forms\/(\w+)$/)) && packOf(found[0])) return json(200, packOf(found[0]).definition(words));
  if ((found = match('POST', /^\/v1\/forms\/(\w+)\/check$/)) && packOf(found[0])) {
    const { all: _, ...checked } = packOf(found[0]).check(asked.values, words);
    return json(200, checked);
  }
  if ((found = match('POST', /^\/v1\/forms\/(\w+)\/preview$/)) && packOf(found[0])) {
    if (world.fail === 'preview') return json(500, problems.preview());
    const pack = packOf(found[0]);
    const volet = url.searchParams.get('volet');
    const simulation = url.searchParams.get('simulation');
    if (pack.source.volets.find((one) => one.name === volet)?.signed) world.drawn.add(seen(pack.kind, asked.values, Number(url.searchParams.get('page') ?? 1), simulation));
    return drawn(pagesOf(pack, volet, asked.values, { draft: true, simulation: world.documents.get(simulation)?.simulation }));
  }
  if (match('POST', /^\/v1\/documents$/)) return json(...(await issue(asked)));
  if (match('POST', /^\/v1\/paper$/)) return json(...(await onPaper(asked)));
  if ((found = match('POST', /^\/v1\/(\w+)\/simulations$/)) && packOf(found[0])) return json(...(await simulate(found[0], asked)));
  if ((found = match('POST', /^\/v1\/\w+\/simulations\/([^/]+)\/validation$/))) return json(...(await validate(found[0])));
  if ((found = match('POST', /^\/v1\/\w+\/simulations\/([^/]+)\/contestation$/))) return json(...(await contest(found[0])));
  if ((found = match('POST', /^\/v1\/documents\/([^/]+)\/cancellation$/))) return json(...(await cancel(found[0], asked)));
  if (match('POST', /^\/v1\/documents\/[^/]+\/print$/)) return json(202, { printer: asked.printer ?? printers[0].name, job: 'Cabinet-17', jobs: ['Cabinet-17'] });
  if (match('GET', /^\/v1\/printers$/)) return json(200, { printers });
  if (/^\/v1\/profile$/.test(path)) {
    if (!acting().physician) return json(401, problems.login());
    return request.method === 'PUT' ? json(...keep(asked)) : json(200, profileOf(acting().physician));
  }
  if (match('GET', /^\/v1\/journal$/)) return json(200, journal());
  if ((found = match('GET', /^\/v1\/documents\/([^/]+)$/)) && world.documents.has(found[0])) {
    const { id, kind, state, volets, settled } = world.documents.get(found[0]);
    return json(200, settled ?? { id, kind, state, volets: volets ?? [] });
  }
  if ((found = match('DELETE', /^\/v1\/documents\/([^/]+)$/))) {
    world.documents.delete(found[0]);
    return response.writeHead(204).end();
  }
  if ((found = match('GET', /^\/v1\/documents\/([^/]+)\/volets\/(\w+)$/)) && world.documents.has(found[0])) {
    const { kind, values, state, simulation } = world.documents.get(found[0]);
    return drawn(pagesOf(packOf(kind), found[1], values, { draft: false, paper: state === 'paper', simulation }));
  }
  json(404, { status: 404, code: 'not-found', fault: 'you', title: 'Not found' });
}
