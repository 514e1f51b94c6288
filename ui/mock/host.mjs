// A stand-in for the core, for looking at the window without it. Everything in it is invented.
//
// POST /econnector/mock {"fail": "kms" | "login" | "unknown" | "space" | "preview" | "core" | null, "slow": ms, "session": "logged_out" | "logged_in" |
// "secretary", "environment": "training" | …} sets what happens next; GET tells how many documents came whose signed page was never drawn.

import { readFileSync } from 'node:fs';

const LANGUAGES = ['fr', 'de', 'en', 'lb'];
let words = 0;
const l = (...texts) => texts[words] ?? texts[0];

const pack = (path) => JSON.parse(readFileSync(new URL(`../../forms/ecit/${path}`, import.meta.url), 'utf8'));
const texts = () => pack(`texts/${LANGUAGES[words]}.json`);
const codes = () => pack('codes/diagnosis.json').codes.map(({ code, labels }) => ({ value: code, label: labels[LANGUAGES[words]] }));

const world = { session: 'logged_out', fail: null, slow: 500, environment: 'training', documents: new Map(), drawn: new Set(), unseen: 0 };
const anne = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const luc = { ehealth_id: '1900000002', name: 'Dr Luc Muller', provider_codes: ['90000102'] };

const forms = () => {
  const { title, short_title, description } = texts();
  return [{ kind: 'ecit', title, short_title, description, workflow: 'deposit', shortcut: 'F2' }];
};

/** The structure of the eCIT pack, by hand; its words are the pack's. */
function definition() {
  const said = texts();
  const field = (id, type, more = {}) => {
    const { label, hint, options } = said.fields[id];
    const choices = options && { options: Object.entries(options).map(([value, text]) => ({ value, label: text })) };
    return { id, type, label, hint, required: false, ...choices, ...more };
  };
  const section = (id, fields) => ({ id, title: said.sections[id], fields });
  const volet = (name, signed) => ({ name, title: said.volets[name], signed });
  const required = true;
  const accident = { shown_when: { field: 'cause', any_of: ['work_accident', 'commuting_accident', 'other_accident'] } };
  return {
    ...forms()[0],
    version: '1',
    defaults: { cause: 'illness', first_day: day(0), finding_date: day(0) },
    volets: [volet('caisse', true), volet('employeur', false), volet('assure', false)],
    sections: [
      section('patient', [field('matricule', 'matricule', { required }), field('last_name', 'text'), field('first_name', 'text')]),
      section('incapacity', [
        field('cause', 'choice', { required }),
        field('first_day', 'date', { required }),
        field('last_day', 'date', { required }),
        field('diagnosis', 'code', { required, wide: true, free_entry: true, max_length: 10, options: codes() }),
        field('prolongation', 'yes_no'),
        field('previous_last_day', 'date', { shown_when: { field: 'prolongation', any_of: [true] } }),
      ]),
      section('accident', [field('accident_number', 'accident_number', accident), field('accident_date', 'date', accident)]),
      section('control', [
        field('finding_date', 'date', { required }),
        field('outings', 'yes_no'),
        field('outings_from', 'date', { shown_when: { field: 'outings', any_of: [true] } }),
      ]),
      section('physician', [
        field('provider_code', 'provider_code', { required, prefill: 'physician.provider_codes.0' }),
        field('physician_name', 'text', { required, prefill: 'physician.name' }),
        field('physician_ehealth_id', 'ehealth_id', { required, prefill: 'physician.ehealth_id' }),
        field('physician_address', 'text', { wide: true }),
        field('physician_phone', 'text'),
      ]),
    ],
  };
}

const day = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

function check(values) {
  const findings = [];
  const facts = [];
  const say = (field, severity, code, ...texts) => findings.push({ field, severity, code, message: l(...texts) });
  for (const section of definition().sections) {
    for (const field of section.fields) {
      const shown = !field.shown_when || field.shown_when.any_of.includes(values[field.shown_when.field]);
      if (shown && field.required && !values[field.id])
        say(field.id, 'error', 'missing', `Indiquez : ${field.label}.`, `Bitte angeben: ${field.label}.`, `Enter: ${field.label}.`, `Gitt un: ${field.label}.`);
    }
  }
  if (values.matricule && !/^\d{13}$/.test(values.matricule))
    say('matricule', 'error', 'length', 'Le matricule compte 13 chiffres. Complétez-le.', 'Die Matrikel hat 13 Ziffern. Ergänzen Sie sie.', 'A matricule has 13 digits. Complete it.', 'D’Matricule huet 13 Zifferen. Maacht se komplett.');
  else if (values.matricule)
    facts.push({ field: 'matricule', text: l('né(e) le 30.12.1988 · 37 ans', 'geboren am 30.12.1988 · 37 Jahre', 'born 30.12.1988 · 37 years', 'gebuer den 30.12.1988 · 37 Joer') });
  if (values.first_day && values.last_day && values.last_day < values.first_day)
    say('last_day', 'error', 'order', 'Le dernier jour précède le premier. Changez l’un des deux.', 'Der letzte Tag liegt vor dem ersten. Ändern Sie einen der beiden.', 'The last day is before the first day. Change one of them.', 'De leschten Dag läit virum éischten. Ännert ee vun deenen zwee.');
  if (values.first_day && values.first_day < day(-3))
    say('first_day', 'warning', 'backdated', 'Plus de trois jours en arrière : la caisse peut demander pourquoi.', 'Mehr als drei Tage zurück: die Kasse kann nachfragen.', 'More than three days back: the fund may ask why.', 'Méi wéi dräi Deeg zeréck: d’Keess ka froe firwat.');
  return { findings, facts };
}

const escape = (text) => String(text ?? '').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function page(volet, values, draft) {
  const row = (y, label, value, size = 12) =>
    `<text x="48" y="${y}" font-size="8" fill="#555">${escape(label)}</text><text x="48" y="${y + 16}" font-size="${size}" fill="#111">${escape(value)}</text>`;
  const box = (y, height, title) =>
    `<rect x="36" y="${y}" width="523" height="${height}" fill="none" stroke="#333"/><rect x="36" y="${y}" width="523" height="16" fill="#e8ecea"/><text x="44" y="${y + 12}" font-size="9" font-weight="bold" fill="#111">${title}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 595 842" width="595" height="842" font-family="sans-serif"><rect width="595" height="842" fill="#fff"/>
<text x="36" y="60" font-size="18" font-weight="bold" fill="#111">CERTIFICAT D’INCAPACITÉ DE TRAVAIL</text><text x="36" y="80" font-size="11" fill="#333">Volet ${escape(volet)}</text>
${box(104, 92, 'PATIENT')}${row(136, 'Matricule', values.matricule)}${row(168, 'Nom, prénom', `${values.last_name ?? ''} ${values.first_name ?? ''}`)}
${box(212, 92, 'INCAPACITÉ')}${row(244, 'Du / au inclus', `${values.first_day ?? ''}   –   ${values.last_day ?? ''}`, 18)}${volet === 'employeur' ? '' : row(280, 'Code diagnostic', values.diagnosis)}
${box(320, 92, 'MÉDECIN')}${row(352, 'Nom', values.physician_name)}${row(384, 'Code prestataire', values.provider_code)}
${draft ? '<text x="120" y="640" font-size="72" fill="#d8dcda" transform="rotate(-28 297 640)">BROUILLON</text>' : box(428, 60, 'SIGNATURE ÉLECTRONIQUE') + row(460, 'Signé par', values.physician_name)}
<text x="36" y="812" font-size="10" fill="#8a6100">ENTRAÎNEMENT · sans valeur</text></svg>`;
}

const pdf = '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n';

function session() {
  const base = { environment: world.environment, remembered: true, notices: [] };
  if (world.session === 'logging_in') return { ...base, state: 'logging_in', login_url: 'http://127.0.0.1:1420/econnector/mock/login?client_id=econnector&code_challenge_method=S256&state=9f2b6c0e' };
  if (world.session === 'logged_out') return { ...base, state: 'logged_out' };
  const until = new Date(Date.now() + 24.5 * 60_000).toISOString();
  return world.session === 'secretary'
    ? { ...base, state: 'logged_in', actor: { id: 'k', name: 'Claire Klein' }, acts_for: [anne, luc], until }
    : { ...base, state: 'logged_in', actor: { id: 'w', name: anne.name }, physician: anne, until };
}

const status = () => ({
  usable: world.fail !== 'kms',
  version: '0.1.0',
  environment: world.environment,
  checks: [
    { name: 'aes', label: l('Identité (eSanté)', 'Identität (eSanté)', 'Identity (eSanté)', 'Identitéit (eSanté)'), ok: true, detail: l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 12, clock_skew_ms: 3 },
    { name: 'kms', label: l('Signature', 'Signatur', 'Signature', 'Ënnerschrëft'), ok: world.fail !== 'kms', detail: world.fail === 'kms' ? l('Pas de réponse depuis deux minutes', 'Seit zwei Minuten keine Antwort', 'No answer for two minutes', 'Zanter zwou Minutte keng Äntwert') : l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 31 },
    { name: 'mysecu', label: 'mySecu', ok: true, detail: l('Répond', 'Antwortet', 'Answers', 'Äntwert'), latency_ms: 48, expires: '2027-06-30T10:00:00Z' },
    { name: 'trust_store', label: l('Certificats de confiance', 'Vertrauensanker', 'Trust store', 'Vertrauensanker'), ok: true, detail: l('3 certificats', '3 Zertifikate', '3 certificates', '3 Certificaten'), expires: '2031-01-01T00:00:00Z' },
    { name: 'keyring', label: l('Trousseau', 'Schlüsselbund', 'Keyring', 'Schlësselbond'), ok: true, detail: 'Secret Service' },
    { name: 'journal', label: l('Journal', 'Journal', 'Journal', 'Journal'), ok: true, detail: l('3 entrées', '3 Einträge', '3 entries', '3 Androck') },
  ],
});

const journal = () => ({
  entries: [
    { id: 'b41c0d3e-6a3f-4f0c-9a56-2f6d1f0c7a11', kind: 'ecit', state: 'deposited', created_at: '2026-11-21T13:05:00Z', finished_at: '2026-11-21T13:05:02Z', actor: 'Claire Klein', physician: anne.name, reference: 'S-2026-0004711', correlation_id: 'Id-5f1c9ad2b0e14c77a1' },
    { id: 'a7d2f6f0-11c4-4dd8-8f0e-0e2f3c4b5a66', kind: 'ecit', state: 'unknown', created_at: '2026-11-21T10:41:00Z', actor: anne.name, physician: anne.name, correlation_id: 'Id-77aa01c2b0e14c77a1', problem_code: 'mysecu-outcome-unknown' },
    { id: '0c9e8d7b-3322-41aa-b0b0-9f8e7d6c5b4a', kind: 'ecit', state: 'failed', created_at: '2026-11-20T16:20:00Z', actor: anne.name, physician: anne.name, problem_code: 'kms-unreachable' },
  ],
});

const problems = {
  core: () => ({ status: 503, code: 'host-not-started', fault: 'you', title: l('Les réglages ne peuvent pas être lus', 'Die Einstellungen können nicht gelesen werden', 'The settings cannot be read', 'D’Astellunge kënnen net gelies ginn'), detail: l('Le fichier settings.toml contient une erreur.', 'Die Datei settings.toml enthält einen Fehler.', 'The file settings.toml holds an error.', 'De Fichier settings.toml huet e Feeler.'), next: l('Corrigez le fichier, puis rouvrez eConnector.', 'Korrigieren Sie die Datei und öffnen Sie eConnector neu.', 'Correct the file, then reopen eConnector.', 'Korrigéiert de Fichier a maacht eConnector nei op.'), technical: 'settings.toml: TOML parse error at line 4, column 1' }),
  preview: () => ({ status: 500, code: 'page-not-drawn', fault: 'us', title: l('La page n’a pas pu être composée', 'Die Seite konnte nicht gesetzt werden', 'The page could not be set', 'D’Säit konnt net gesat ginn'), next: l('Réessayez.', 'Versuchen Sie es noch einmal.', 'Try again.', 'Probéiert nach eng Kéier.') }),
  kms: () => ({ status: 502, code: 'kms-unreachable', fault: 'authority', title: l('Le service de signature ne répond pas', 'Der Signaturdienst antwortet nicht', 'The signature service does not answer', 'De Signaturservice äntwert net'), detail: l('Le document n’a pas été signé et rien n’a été envoyé.', 'Das Dokument wurde nicht signiert und nichts wurde gesendet.', 'The document was not signed and nothing was sent.', 'D’Dokument gouf net ënnerschriwwen an näischt gouf geschéckt.'), next: l('Réessayez dans une minute. La saisie reste telle quelle.', 'Versuchen Sie es in einer Minute noch einmal. Die Eingabe bleibt.', 'Try again in a minute. What you typed stays.', 'Probéiert an enger Minutt nach eng Kéier. D’Donnéeë bleiwen.'), correlation_id: 'Id-5f1c9ad2b0e14c77a1', authority: { code: 'KMS-503', message: 'Service temporairement indisponible' } }),
  login: () => ({ status: 401, code: 'session-needed', fault: 'you', title: l('Votre session est terminée', 'Ihre Sitzung ist beendet', 'Your session has ended', 'Är Sëtzung ass eriwwer'), next: l('Connectez-vous, puis envoyez à nouveau.', 'Melden Sie sich an und senden Sie dann noch einmal.', 'Log in, then send again.', 'Mellt Iech un, duerno schéckt nach eng Kéier.') }),
  space: () => ({ status: 403, code: 'mysecu-space-refused', fault: 'you', title: l('mySecu refuse cet espace', 'mySecu lehnt diesen Bereich ab', 'mySecu refuses this space', 'mySecu refuséiert dësen Espace'), next: l('Activez les services web de votre espace dans mySecu.', 'Aktivieren Sie die Webdienste Ihres Bereichs in mySecu.', 'Activate the web services of your space at mySecu.', 'Aktivéiert d’Webservicer vun Ärem Espace am mySecu.'), authority: { code: 'wsse:FailedAuthentication', message: 'Services web non activés pour cet espace' } }),
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function issue({ id, kind, values }) {
  const known = world.documents.get(id);
  if (known?.settled) return [200, known.settled];
  const { findings } = check(values);
  if (findings.some((finding) => finding.severity === 'error')) return [422, { status: 422, code: 'values-refused', fault: 'you', title: 'Refusé', findings }];
  if (!world.drawn.has(JSON.stringify(values))) world.unseen++;
  const record = { id, kind, state: 'checking', values };
  world.documents.set(id, record);
  for (const state of ['signing', 'depositing']) {
    await pause(world.slow);
    if (problems[world.fail]) {
      world.documents.delete(id);
      if (world.fail === 'login') world.session = 'logged_out';
      const problem = problems[world.fail]();
      world.fail = null;
      return [problem.status, problem];
    }
    record.state = state;
  }
  await pause(world.slow);
  record.state = world.fail === 'unknown' ? 'unknown' : 'deposited';
  if (record.state === 'unknown') {
    record.volets = definition().volets.map((volet) => ({ ...volet, media_type: 'application/pdf', pages: 1 }));
    world.fail = null;
    return [504, { status: 504, code: 'mysecu-outcome-unknown', fault: 'network', title: 'x', correlation_id: 'Id-77aa01c2b0e14c77a1' }];
  }
  const volets = definition().volets.map((volet) => ({ ...volet, media_type: 'application/pdf', pages: 1, content: Buffer.from(pdf).toString('base64') }));
  record.settled = {
    id,
    kind,
    state: 'deposited',
    volets,
    receipt: {
      reference: '3f0c9a56-2f6d-4f0c-9a56-1f0c7a11b41c',
      deposited_at: new Date().toISOString(),
      correlation_id: 'Id-c40e9ad2b0e14c77a1',
      anomalies: [{ severity: 'warning', code: 'W-101', message: 'Date de constatation postérieure au premier jour' }],
      signed_by: anne.name,
      signed_at: new Date().toISOString(),
      own_ms: 184,
      remote_ms: 1120,
    },
  };
  world.fail = null;
  return [201, record.settled];
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
  words = Math.max(0, LANGUAGES.indexOf((request.headers['accept-language'] ?? 'fr').slice(0, 2)));
  const asked = await body(request);
  words = Math.max(0, LANGUAGES.indexOf((request.headers['accept-language'] ?? 'fr').slice(0, 2)));
  const json = (code, value) => {
    response.writeHead(code, { 'Content-Type': code < 400 ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(value));
  };
  const drawn = (svg) => {
    response.writeHead(200, { 'Content-Type': 'image/svg+xml', 'X-Page-Count': '1' });
    response.end(svg);
  };
  const match = (method, pattern) => request.method === method && pattern.exec(path)?.slice(1);
  let found;

  if (match('POST', /^\/mock$/)) return Object.assign(world, asked), json(200, {});
  if (match('GET', /^\/mock$/)) return json(200, { unseen: world.unseen });
  if (world.fail === 'core') return json(503, problems.core());
  if (match('GET', /^\/v1\/status$/)) return json(200, status());
  if (match('GET', /^\/v1\/session$/)) return json(200, session());
  if (match('POST', /^\/v1\/session\/login$/)) {
    world.session = 'logging_in';
    return json(202, session());
  }
  if (match('DELETE', /^\/v1\/session$/)) {
    world.session = 'logged_out';
    return response.writeHead(204).end();
  }
  if (match('GET', /^\/mock\/login$/)) {
    world.session = 'logged_in';
    return response.end('ok');
  }
  if (match('GET', /^\/v1\/forms$/)) return json(200, { forms: forms() });
  if (match('GET', /^\/v1\/forms\/ecit$/)) return json(200, definition());
  if (match('POST', /^\/v1\/forms\/ecit\/check$/)) return json(200, check(asked.values));
  if (match('POST', /^\/v1\/forms\/ecit\/preview$/)) {
    if (world.fail === 'preview') return json(500, problems.preview());
    const volet = url.searchParams.get('volet');
    if (volet === 'caisse') world.drawn.add(JSON.stringify(asked.values));
    return drawn(page(volet, asked.values, true));
  }
  if (match('POST', /^\/v1\/documents$/)) return json(...(await issue(asked)));
  if (match('GET', /^\/v1\/journal$/)) return json(200, journal());
  if ((found = match('GET', /^\/v1\/documents\/([^/]+)$/)) && world.documents.has(found[0])) {
    const { id, kind, state, volets } = world.documents.get(found[0]);
    return json(200, { id, kind, state, volets });
  }
  if ((found = match('DELETE', /^\/v1\/documents\/([^/]+)$/))) {
    world.documents.delete(found[0]);
    return response.writeHead(204).end();
  }
  if ((found = match('GET', /^\/v1\/documents\/([^/]+)\/volets\/(\w+)$/)) && world.documents.has(found[0]))
    return drawn(page(found[1], world.documents.get(found[0]).values, false));
  json(404, { status: 404, code: 'not-found', fault: 'you', title: 'Not found' });
}
