// The door for practice software, as much of it as a window needs. POST /econnector/mock {"ask": [question, …]} lets software wait for an answer,
// {"withdraw": id} lets it give up, {"link": {…}} changes anything of the view, {"absent": true} takes the door away; GET tells what was answered.

import { randomBytes } from 'node:crypto';

const PATIENCE_MS = 25_000;
const DAY = '2026-11-21';

export class Door {
  absent = false;
  answers = [];
  drawn = new Set();
  #wakers = new Set();
  #view = {
    revision: 1,
    enabled: true,
    listening: true,
    addresses: ['http://127.0.0.1:17943', 'http://[::1]:17943'],
    connection_file: '/home/anne/.local/share/lu.econnector.desktop/connection.json',
    environment: 'training',
    software: [
      { name: 'Medico', decision: 'allowed', first_seen: `${DAY}T07:58:00Z`, last_seen: `${DAY}T13:05:00Z`, trusted_until: `${DAY}T23:00:00Z` },
      { name: 'Cabinet+ Luxembourg', decision: 'preset', origins: ['https://dossier.hopital.example.lu:8443'], last_seen: `${DAY}T12:31:00Z` },
      { name: 'curl', decision: 'refused', first_seen: `${DAY}T09:15:00Z`, last_seen: `${DAY}T09:15:00Z` },
    ],
    origins: [
      { origin: 'https://agenda.example.lu', preset: false, added_at: `${DAY}T08:10:00Z` },
      { origin: 'https://dossier.hopital.example.lu:8443', preset: true },
    ],
    refused: [],
    waiting: [],
  };

  constructor(words) {
    this.words = words;
  }

  view() {
    const l = this.words;
    const why = {
      'link-key-wrong': [l('La clé n’est pas celle du moment', 'Der Schlüssel ist nicht der aktuelle', 'The key is not the current one', 'De Schlëssel ass net deen aktuellen'), l('Relisez le fichier de connexion : la clé change à chaque démarrage.', 'Lesen Sie die Verbindungsdatei neu: Der Schlüssel wechselt bei jedem Start.', 'Read the connection file again: the key changes at each start.', 'Liest de Verbindungsfichier nei: de Schlëssel wiesselt bei all Start.')],
      'link-origin-refused': [l('Cette application web n’est pas autorisée', 'Diese Web-Anwendung ist nicht zugelassen', 'This web application is not allowed', 'Dës Web-Applikatioun ass net erlaabt'), l('Ajoutez son adresse exacte ci-dessus si vous la connaissez.', 'Fügen Sie oben ihre genaue Adresse hinzu, wenn Sie sie kennen.', 'Add its exact address above if you know it.', 'Setzt hir genee Adress hei uewen derbäi, wann Dir se kennt.')],
      'software-refused': [l('Vous avez refusé ce logiciel', 'Sie haben diese Software abgelehnt', 'You refused this software', 'Dir hutt dës Software refuséiert'), l('Autorisez-le ci-dessus si c’était une erreur.', 'Lassen Sie sie oben zu, wenn das ein Irrtum war.', 'Allow it above if that was a mistake.', 'Erlaabt se hei uewen, wann dat e Feeler war.')],
    };
    const samples = [
      { reason: 'link-key-wrong', method: 'POST', path: '/econnector/v1/documents', software: 'Medico' },
      { reason: 'link-origin-refused', method: 'GET', path: '/econnector/v1/session', origin: 'https://www.publicite-et-mesure-d-audience.example', host: '127.0.0.1:17943' },
      { reason: 'software-refused', method: 'GET', path: '/econnector/v1/journal', software: 'curl' },
    ];
    const refused = Array.from({ length: 13 }, (_, at) => {
      const { reason, ...rest } = samples[at % samples.length];
      return { at: `${DAY}T${String(13 - Math.floor(at / 4)).padStart(2, '0')}:${String(59 - at * 4).padStart(2, '0')}:00Z`, times: at === 1 ? 14 : 1, reason, title: why[reason][0], next: why[reason][1], ...rest };
    });
    return { ...this.#view, refused };
  }

  /** What the one who looks at the window wants to happen. */
  command({ ask, withdraw, link, absent, stranger }) {
    if (absent !== undefined) this.absent = absent;
    if (stranger !== undefined) this.stranger = stranger;
    if (ask) this.#view.waiting = [...this.#view.waiting, ...ask];
    if (withdraw) this.#drop(withdraw);
    if (link) Object.assign(this.#view, link);
    if (ask || withdraw || link || absent !== undefined) this.#tell();
  }

  /** Answers whether the path was one of these. */
  async answer({ method, path, url, asked, json, inWords, empty, problem, page }) {
    if (!path.startsWith('/v1/link')) return false;
    if (this.absent) return (problem(404, 'no-session-here'), true);
    const l = this.words;
    const [, , , what, key, part, number] = path.split('/').map(decodeURIComponent);
    const question = this.#view.waiting.find((one) => one.id === key);
    if (what === undefined && method === 'GET') {
      await this.#newer(url.searchParams.get('since'));
      json(200, this.view());
    } else if (what === 'software') {
      this.#decide(key, method === 'DELETE' ? undefined : asked);
      empty();
    } else if (what === 'origins' && method === 'POST') {
      if (!/^https?:\/\/[a-z0-9.-]+(:\d+)?$/.test(asked.origin)) {
        json(422, { status: 422, fault: 'you', ...inWords('link-origin-invalid') });
      } else {
        this.#view.origins = [...this.#view.origins, { origin: asked.origin, preset: false, added_at: new Date().toISOString() }];
        this.#tell();
        json(201, { origin: asked.origin, key: randomBytes(32).toString('base64url') });
      }
    } else if (what === 'origins') {
      this.#view.origins = this.#view.origins.filter((one) => one.origin !== url.searchParams.get('origin'));
      this.#tell();
      empty();
    } else if (!question) {
      problem(404, 'link-unknown');
    } else if ((question.changed || this.stranger) && asked?.answer !== 'refuse') {
      problem(409, 'session-changed', l('La session a changé', 'Die Sitzung hat gewechselt', 'The session has changed', 'D’Sëtzung huet gewiesselt'), l('Vérifiez pour qui vous travaillez.', 'Prüfen Sie, für wen Sie arbeiten.', 'Check for whom you work.', 'Kuckt no, fir wien Dir schafft.'));
    } else if (part === 'pages') {
      this.drawn.add(`${key} ${number}`);
      page(question, Number(number));
    } else if (method === 'POST') {
      this.answers.push({ id: key, answer: asked.answer });
      if (asked.answer === 'today') this.#decide(question.software, { decision: 'allowed', trusted_today: true });
      this.#drop(key);
      this.#tell();
      empty();
    } else {
      const { id, software, action, form, document, reason, since, line, replaces, replaced_by, remarks, message } = question;
      const physician_name = 'Dr Anne Weber';
      json(200, { id, software, action, form, document, reason, since, line, replaces, replaced_by, remarks, message, physician_name });
    }
    return true;
  }

  #decide(name, asked) {
    const known = this.#view.software.find((one) => one.name === name);
    const others = this.#view.software.filter((one) => one.name !== name);
    if (!asked) this.#view.software = others;
    else {
      const now = new Date().toISOString();
      const trusted = asked.trusted_today ?? (asked.decision === 'allowed' && Boolean(known?.trusted_until));
      const next = { first_seen: now, last_seen: now, ...known, name, decision: asked.decision, trusted_until: trusted ? `${DAY}T23:00:00Z` : undefined };
      this.#view.software = known ? this.#view.software.map((one) => (one === known ? next : one)) : [...others, next];
      if (asked.trusted_today === undefined) this.answers.push({ id: name, answer: asked.decision });
    }
    this.#view.waiting = this.#view.waiting.filter((one) => one.kind !== 'consent' || one.software !== name);
    this.#tell();
  }

  #drop(id) {
    this.#view.waiting = this.#view.waiting.filter((one) => one.id !== id);
  }

  #tell() {
    this.#view.revision++;
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }

  async #newer(since) {
    if (since === null || Number(since) < this.#view.revision) return;
    let timer;
    await new Promise((resolve) => {
      this.#wakers.add(resolve);
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    clearTimeout(timer);
  }
}
