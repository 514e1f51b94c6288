// Looks at every screen in Chromium against the mock, under the shell's content policy: axe-core (WCAG 2.2 AA) must find nothing, nothing may be cut off at
// the side, nothing may move when reduced motion is asked for, Tab must reach everything, no document may be sent unseen.
// npm run build && npm run screens -- [folder for pictures] [--languages=fr,de] [--dist=folder]
//
// Every screen in every language, light and dark, at 1280×720; in the language of the longest words also at 1920×1080 and at 200 % zoom.
// Closes with `N screens, N findings`; ends with 1 when there is a finding.

import { fork } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { preview } from 'vite';

import { told } from './problems.mjs';

const ALL = ['fr', 'de', 'en', 'lb'];
const LONGEST_WORDS = 'de';
const LAPTOP = { name: 'laptop', width: 1280, height: 720 };
const OTHERS = [
  { name: 'wide', width: 1920, height: 1080 },
  // What is left of 1280×720 at 200 %.
  { name: 'zoomed', width: 640, height: 360 },
];
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] };
/** All that the other theme can change. */
const COLOURS = { runOnly: { type: 'rule', values: ['color-contrast'] }, resultTypes: ['violations'] };

const PATIENT = { matricule: '1988123048083', last_name: 'Schneider-Éloi', first_name: 'Maïté' };
const ILL = { ...PATIENT, last_day: '+3', diagnosis: '13' };
const ACTS = ['C1', 'E10', 'V1'];
/** The longest simulation that still has to be read on a laptop. */
const TWELVE = Array.from({ length: 12 }, (_, at) => ACTS[at % ACTS.length]);

const REMARK = { id: 'A-1', severity: 'warning', code: 'W-310', message: 'Acte déjà facturé ce mois', line: 0 };
const HALF_PRINTED = { type: 'about:blank', status: 502, code: 'print-refused', fault: 'us', title: 'Le second volet n’est pas imprimé', next: 'Imprimez-le encore une fois.' };
const since = (minute) => `2026-11-21T13:${minute}:00Z`;
/** What practice software asks in this walk. The longest name a software may give itself. */
const LONG_NAME = 'Gestion-de-cabinet-medical-et-facturation-Luxembourg-edition-XXL';
const ASKED = {
  consent: { id: 'c-1', kind: 'consent', software: 'Medico', wants: 'sign', since: since('10') },
  long: { id: 'c-2', kind: 'consent', software: LONG_NAME, origin: 'https://dossier.hopital.example.lu:8443', wants: 'journal', since: since('11') },
  sign: { id: 'a-1', kind: 'approval', software: 'Medico', action: 'sign', form: 'ecit', document: '3f1c9ad2-0000-4000-8000-000000000001', since: since('12') },
  pay: { id: 'a-2', kind: 'approval', software: LONG_NAME, action: 'pay', form: 'pid', document: '4f1c9ad2-0000-4000-8000-000000000002', since: since('13'), pages: 2 },
  pdf: { id: 'a-3', kind: 'approval', software: 'Medico', action: 'sign_pdf', document: '5f1c9ad2-0000-4000-8000-000000000003', since: since('14') },
  message: {
    id: 'a-5',
    kind: 'approval',
    software: 'Medico',
    action: 'sign_pdf',
    form: 'mh',
    document: '6f1c9ad2-0000-4000-8000-000000000004',
    message: { provider_codes: ['90000101'], lines: 3, facts: [{ label: 'Matricule', value: '1988 12 30 480 83' }, { label: 'À payer', value: '120,40 €' }] },
    since: since('16'),
  },
  replace: {
    id: 'a-6',
    kind: 'approval',
    software: 'Medico',
    action: 'sign',
    form: 'ecit',
    document: '7f1c9ad2-0000-4000-8000-000000000005',
    replaces: { document: 'b41c0d3e-6a3f-4f0c-9a56-2f6d1f0c7a11', kind: 'ecit', created_at: since('05'), reference: 'S-2026-0004711', cancels: true },
    since: since('17'),
  },
  changed: { id: 'a-8', kind: 'approval', software: 'Medico', action: 'sign', form: 'ecit', document: '9f1c9ad2-0000-4000-8000-000000000007', since: '2026-11-21T13:17:30Z', changed: true },
  contest: {
    id: 'a-7',
    kind: 'approval',
    software: 'Medico',
    action: 'contest',
    form: 'pid',
    document: '8f1c9ad2-0000-4000-8000-000000000006',
    remarks: [{ code: 'P-204', message: 'Acte non éligible au paiement immédiat direct', line: 1 }, { code: 'W-001', message: 'Affiliation en cours de vérification' }],
    since: since('18'),
  },
  cancel: {
    id: 'a-4',
    kind: 'approval',
    software: 'Medico',
    action: 'cancel',
    document: 'b41c0d3e-6a3f-4f0c-9a56-2f6d1f0c7a11',
    reason: 'Dates erronées',
    line: { kind: 'ecit', created_at: since('05'), reference: 'S-2026-0004711' },
    since: since('15'),
  },
};

/** The mock may close a connection it was not asked on for long in the very moment it is asked again. */
const AGAIN = { maxRetries: 3 };
/** As long as the window may take, on a busy machine, to be answered. */
const SETTLES_MS = 10_000;
/** A page lower than this is a thumbnail. */
const READABLE_PX = 480;

const options = process.argv.slice(2);
const option = (name) => options.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
const folder = options.find((one) => !one.startsWith('--'));
const languages = option('languages')?.split(',') ?? ALL;
const worker = options.includes('--worker');

/** The mock holds one world: each language is a process of its own, side by side. */
async function lead() {
  if (folder) mkdirSync(folder, { recursive: true });
  const ends = languages.map(
    (language) =>
      new Promise((resolve) => {
        const told = { screens: 0, findings: 0 };
        const hand = fork(fileURLToPath(import.meta.url), [...(folder ? [folder] : []), `--languages=${language}`, '--worker', ...options.filter((one) => one.startsWith('--dist='))]);
        hand.on('message', (message) => Object.assign(told, message));
        hand.on('exit', (code, signal) => {
          if (code !== 0) console.log(`${language}: the walk's process ended with ${code ?? signal}`);
          resolve(code === 0 ? told : { ...told, findings: Math.max(1, told.findings) });
        });
      }),
  );
  const told = await Promise.all(ends);
  const sum = (what) => told.reduce((all, one) => all + one[what], 0);
  console.log(`${sum('screens')} screens, ${sum('findings')} findings`);
  process.exit(sum('findings') === 0 && sum('screens') > 0 ? 0 : 1);
}

async function work() {
  const server = await preview({ logLevel: 'warn', preview: { port: 0 }, build: { outDir: option('dist') ?? 'dist' } });
  // Connections are kept for as long as a walk takes: none is closed under a request.
  server.httpServer.keepAliveTimeout = 0;
  const origin = new URL(server.resolvedUrls.local[0]).origin;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const walk = new Walk(browser, origin, languages[0]);
  try {
    await walk.all();
  } finally {
    await new Promise((resolve) => process.send({ screens: walk.screens, findings: walk.findings }, resolve));
    await browser.close();
    await server.close();
  }
  process.exit(0);
}

/** One language, from the first window to the last. */
class Walk {
  screens = 0;
  findings = 0;
  told = new Set();
  /** What the window asked of the core, method and path. */
  asked = [];
  /** What of it is not answered yet. */
  underWay = new Set();

  constructor(browser, origin, language) {
    this.browser = browser;
    this.origin = origin;
    this.language = language;
    this.others = language === LONGEST_WORDS ? OTHERS : [];
  }

  async all() {
    const context = await this.browser.newContext({ viewport: LAPTOP, reducedMotion: 'reduce', acceptDownloads: true });
    await context.addInitScript((code) => localStorage.setItem('language', code), this.language);
    await context.addInitScript({ content: readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8') });
    // The system's print window would wait for somebody.
    await context.addInitScript(() => (globalThis.print = () => dispatchEvent(new Event('afterprint'))));
    this.page = await context.newPage();
    this.page.setDefaultTimeout(20_000);
    this.page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('Failed to load resource')) this.report(`console: ${message.text()}`);
    });
    this.page.on('request', (request) => {
      const said = `${request.method()} ${new URL(request.url()).pathname.replace('/econnector/v1', '')}`;
      this.asked.push(said);
      // Who asks is told when somebody does: that answer may stay away for long.
      if (said !== 'GET /link') this.underWay.add(request);
    });
    for (const end of ['requestfinished', 'requestfailed']) this.page.on(end, (request) => this.underWay.delete(request));
    this.page.on('domcontentloaded', () => this.underWay.clear());
    this.page.on('pageerror', (error) => this.report(`page error: ${error.message}`));
    try {
      await this.beginning();
      await this.certificate();
      await this.bill();
      await this.payment();
      await this.rest();
      await this.asking();
      await this.practiceSoftware();
      await this.forOthers();
      await this.locking();
      await this.closing();
      await this.elsewhere();
      const { unseen } = await (await fetch(`${this.origin}/econnector/mock`)).json();
      if (unseen > 0) this.report(`${unseen} documents were sent whose page was not drawn`);
    } catch (error) {
      if (folder) await this.page.screenshot({ path: `${folder}/${this.language}-stopped.png` });
      this.report(`the walk stopped after ${this.last}: ${error.message.split('\n').slice(0, 3).join(' ')}`);
    }
    await context.close();
  }

  // --- The screens --------------------------------------------------------------------------------------------------------------------

  async beginning() {
    await this.set({ session: 'logged_out', fail: 'core', slow: 60, environment: 'training' });
    await this.page.goto(this.origin);
    await this.there('#problem');
    await this.look('00-not-started');
    await this.set({ fail: null });
    await this.page.click('#problem-action');
    await this.there('#login');
    await this.look('01-login');
    await this.go('#/profile');
    await this.there('#login');
    await this.look('01-profile-logged-out');
    await this.go('#/');
    await this.page.click('#login');
    await this.there('#login-url');
    await this.look('02-login-wait');
    await this.set({ session: 'logged_in' });
    await this.there('#choice-ecit');
    await this.look('03-choice');
  }

  async certificate() {
    await this.key('F2');
    await this.there('#field-matricule');
    await this.look('10-ecit-empty');
    await this.key('Control+Enter');
    await this.there('#summary');
    await this.look('11-ecit-summary');
    await this.fill(ILL);
    await this.page.locator('#field-diagnosis').fill('gr');
    await this.look('12-code-list');
    await this.key('Escape');
    await this.fill({ diagnosis: '13' });
    await this.page.locator('#field-cause').selectOption('work_accident');
    await this.fill({ first_day: '-9' });
    await this.settled(600);
    await this.look('13-ecit-filled');
    await this.tabs('13-ecit-filled');
    await this.set({ fail: 'preview' });
    await this.page.locator('#field-last_name').press('End');
    await this.page.keyboard.type('-Roth');
    await this.key('Control+Enter');
    await this.refusedWith('page-not-drawn');
    await this.look('14-page-unseen');
    await this.set({ fail: 'kms' });
    await this.key('Control+Enter');
    await this.refusedWith('kms-unreachable');
    await this.look('15-problem');
    await this.set({ fail: 'login' });
    await this.key('Control+Enter');
    await this.refusedWith('session-needed');
    await this.look('16-login-needed');
    await this.page.click('#problem-action');
    await this.there('#login-url');
    await this.look('17-login-beside-form');
    // She is back: what was asked for goes on by itself.
    await this.set({ session: 'logged_in', slow: 1500 });
    await this.there('#stage-checked[data-state=done]');
    await this.look('18-sending', [LAPTOP], true);
    await this.there('#receipt-reference');
    await this.set({ slow: 60 });
    await this.look('19-receipt');
    await this.tabs('19-receipt');
    const saving = this.page.waitForEvent('download');
    await this.page.click('[data-save=employeur]');
    if (!/^ecit-\w{8}-employeur\.pdf$/.test((await saving).suggestedFilename())) this.report('the volet is not saved under its name');
    await this.key('Control+P');
    await this.said(/\p{L}/u);
    await this.look('20-receipt-printed');
    await this.nothing('a key that is held down prints again', /\/print$/, () =>
      this.page.evaluate(() => dispatchEvent(new KeyboardEvent('keydown', { key: 'p', ctrlKey: true, repeat: true, bubbles: true, cancelable: true }))),
    );
    const undo = await this.instead('**/print', async (route) => {
      const response = await route.fetch(AGAIN);
      await route.fulfill({ response, json: { ...(await response.json()), problem: HALF_PRINTED } });
    });
    await this.key('Control+P');
    await this.there('#print-problem');
    await this.look('20-receipt-half-printed');
    await undo();

    await this.key('F8');
    await this.reason();
    await this.look('21-correct');
    await this.set({ fail: 'cancel' });
    await this.key('Enter');
    await this.refusedWith('mysecu-refused');
    await this.look('22-correct-refused');
    await this.set({ fail: null });
    await this.key('Enter');
    await this.there('#field-matricule');
    await this.settled(400);
    await this.look('23-replacement');
    await this.key('Control+Enter');
    await this.there('#receipt-reference');
    await this.look('24-receipt-replaces');
    await this.begunBy('F2');
    await this.key('F8');
    await this.reason();
    await this.set({ fail: 'login', session: 'logged_out' });
    await this.key('Enter');
    await this.refusedWith('session-needed');
    await this.nothing('a button beside the reason sends the cancellation again', /\/cancellation$/, async () => {
      await this.page.click('#problem summary');
      await this.page.click('#problem details button');
      await this.page.click('#problem-action');
      await this.there('#login-url');
      await this.page.click('.wait button:not(#login-cancel)');
    });
    await this.page.locator('#reason').focus();
    await this.page.keyboard.type('!');
    await this.nothing('a reason that was changed during the login goes out by itself', /\/cancellation$/, async () => {
      await this.set({ session: 'logged_in' });
      await this.gone('#login-url');
      await this.page.keyboard.type('!');
      await this.settled(500);
    });
    if (!(await this.page.locator('#reason').inputValue()).includes('!!')) this.report('the focus leaves the reason while it is typed');
    await this.lost();
    await this.key('Enter');
    await this.refusedWith('mysecu-cancellation-unknown');
    await this.there('#receipt[data-state=cancelling]');
    await this.look('25-cancelling');
    await this.page.unrouteAll({ behavior: 'wait' });
    await this.page.click('#confirm-cancel');
    await this.there('#receipt[data-state=cancelled]');
    await this.look('25-cancelled');
    await this.withheld('25-cancelled');
    await this.page.click('#new');
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.key('Control+Enter');
    await this.there('#receipt-reference');
    await this.key('F8');
    await this.reason();
    await this.cutOff(() => this.page.click('#confirm-cancel'));
    await this.set({ session: 'logged_in' });
    await this.there('#receipt[data-state=cancelled]');
    await this.page.click('#new');

    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.set({ fail: 'unknown' });
    // Sent in the same moment as the last letter, while another volet is looked at.
    await this.page.locator('.volets button').nth(1).click();
    await this.page.locator('#field-first_name').focus();
    await this.page.keyboard.type('-Zoé');
    await this.key('Control+Enter');
    await this.there('#receipt[data-state=unknown]');
    await this.look('26-unknown');
    await this.uncertain('mysecu-outcome-unknown');
    await this.begunBy(null);
    await this.page.click('#new');
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.key('Control+Shift+P');
    await this.there('#receipt[data-state=paper]');
    await this.said(/\p{L}/u);
    await this.look('27-paper');
    await this.nothing('the paper form is printed again when it is looked at again', /\/print$/, async () => {
      await this.go('#/journal');
      await this.there('table');
      await this.go('#/new/ecit');
      await this.there('#receipt[data-state=paper]');
      await this.settled(300);
    });
  }

  async bill() {
    await this.key('F3');
    await this.there('#field-lines-0-code');
    await this.look('30-mh-empty');
    await this.fill({ ...PATIENT, insured_street: 'rue du Moulin', insured_postal_code: '9065', insured_locality: 'Ettelbruck' });
    await this.acts();
    await this.page.click('#more-lines-0');
    await this.settled(500);
    await this.look('31-mh-filled');
    await this.tabs('31-mh-filled');
    await this.page.locator('#field-lines-1-date').fill('99');
    await this.key('Control+Enter');
    await this.there('#summary');
    await this.look('32-mh-wrong');
    await this.fill({ 'lines-1-date': '+0' });
    await this.key('Control+Enter');
    await this.there('#receipt-reference');
    await this.look('33-mh-receipt');
    await this.page.click('#new');
  }

  async payment() {
    await this.key('F4');
    await this.there('#field-lines-0-code');
    await this.look('40-pid-empty');
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts();
    await this.set({ fail: 'declined' });
    await this.key('Control+Enter');
    await this.there('#simulation[data-state=declined]');
    await this.settled(300);
    await this.look('41-pid-declined');
    await this.tabs('41-pid-declined');
    await this.page.click('#contest');
    await this.key('Space');
    await this.there('#simulation select');
    await this.look('42-pid-contesting');
    await this.page.locator('#simulation select').first().selectOption({ index: 1 });
    await this.page.click('#contest');
    await this.there('#simulation[data-state=contested]');
    await this.look('43-pid-contested');
    await this.key('F9');
    await this.there('#field-lines-0-amount');
    await this.settled(400);
    if ((await this.page.locator('#field-matricule').inputValue()).replaceAll(' ', '') !== PATIENT.matricule) this.report('the matricule is not carried into the bill');
    if ((await this.page.locator('#field-lines-1-code').inputValue()) !== ACTS[1]) this.report('the acts are not carried into the bill');
    await this.look('44-turned');
    await this.key('F4');
    await this.there('#field-lines-0-code');
    await this.set({ fail: null });
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts();
    await this.key('Control+Enter');
    await this.there('#simulation[data-state=payable]');
    await this.look('45-pid-payable');
    // Long enough to have been read.
    await this.there('footer[data-armed=true]');
    await this.key('Control+Enter');
    await this.there('#payment-paid');
    await this.look('46-pid-paid');
    await this.page.click('#new');
    await this.contesting();
    await this.unclearPayment();
    await this.secondThoughts();
  }

  /** Twelve acts on a laptop, one remark that may be contested although all is paid. */
  async contesting() {
    await this.there('#field-lines-0-code');
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts(TWELVE);
    const undo = await this.instead('**/simulations', async (route) => {
      const response = await route.fetch(AGAIN);
      await route.fulfill({ response, json: { ...(await response.json()), anomalies: [REMARK] } });
    });
    await this.key('Control+Enter');
    await this.there('#simulation[data-state=payable]');
    await undo();
    await this.settled(400);
    await this.look('47-pid-twelve');
    await this.tabs('47-pid-twelve');
    await this.whole('47-pid-twelve', ['#simulation-title', '#contest', '#validate', '#turn-into', '#change', 'tfoot th', 'aside img']);
    await this.page.click(`#contest-${REMARK.id}`);
    await this.look('48-pid-contest-or-pay');
    if (!(await this.page.locator('#validate').isDisabled())) this.report('what is about to be contested can be paid');
    await this.nothing('what is about to be contested is paid by key', /\/validation$/, () => this.key('Control+Enter'));
    await this.page.click(`#contest-${REMARK.id}`);
    if (await this.page.locator('#validate').isDisabled()) this.report('what is no longer contested cannot be paid');
  }

  /** A payment nobody confirmed: no receipt for it to be handed out. */
  async unclearPayment() {
    await this.set({ fail: 'unknown' });
    // Two pages: the second is turned to first.
    await this.key('Control+Enter');
    await this.there('#unseen-page');
    await this.key('Control+Enter');
    await this.there('#receipt[data-state=unknown]');
    await this.look('49-pid-unknown');
    await this.uncertain('payment-outcome-unknown');
    await this.withheld('49-pid-unknown');
    await this.page.click('#new');

    // The line is cut before the core can say so itself.
    await this.there('#field-lines-0-code');
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts();
    await this.key('Control+Enter');
    await this.there('footer[data-armed=true]');
    await this.set({ fail: 'unknown' });
    const undo = await this.instead('**/validation', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await this.key('Control+Enter');
    await this.there('#receipt[data-state=unknown]');
    await undo();
    await this.look('49-pid-cut-off');
    if ((await this.page.locator('#receipt-title').textContent()).includes(told('payment-outcome-unknown', this.language).title)) this.report('the window says what the core did not');
    await this.withheld('49-pid-cut-off');
    await this.page.click('#new');
  }

  /** The session ends under what she does with a simulation: after the login that goes on by itself, and nothing else does. */
  async secondThoughts() {
    await this.there('#field-lines-0-code');
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts();
    const undo = await this.instead('**/simulations', async (route) => {
      const response = await route.fetch(AGAIN);
      await route.fulfill({ response, json: { ...(await response.json()), anomalies: [REMARK] } });
    });
    const simulated = async () => {
      await this.key('Control+Enter');
      await this.there('#simulation[data-state=payable]');
      await this.settled(400);
    };
    const remark = this.page.locator(`#contest-${REMARK.id}`);
    const why = this.page.locator(`#why-${REMARK.id}`);

    await simulated();
    await this.cutOff(() => this.page.click('#validate'));
    await this.nothing('a withdrawn payment goes out', /\/validation$/, async () => {
      await this.page.click('#change');
      await this.back();
    });
    if ((await this.page.locator('#simulation, #problem').count()) > 0 || (await this.page.locator('#send').isDisabled())) this.report('a payment that was withdrawn leaves no form behind');
    await simulated();
    await this.cutOff(() => this.page.click('#validate'));
    await this.nothing('a payment goes out whose remark is to be contested by now', /\/validation$/, async () => {
      await remark.click();
      await this.back();
    });
    await this.there('#logged-in-again');
    await this.look('49-pid-changed-during-login');
    if (!(await this.page.locator('#validate').isDisabled())) this.report('what is about to be contested can be paid after the login');

    await why.selectOption({ index: 1 });
    await this.cutOff(() => this.page.click('#contest'));
    await this.nothing('a contestation goes out for a reason she took back', /\/contestation$/, async () => {
      await why.selectOption({ index: 2 });
      await this.back();
    });
    await this.there('#logged-in-again');
    await this.cutOff(() => this.page.click('#contest'));
    await this.nothing('a contestation she took back goes out', /\/contestation$/, async () => {
      await remark.click();
      await this.back();
    });
    await this.there('#logged-in-again');
    if (await this.page.locator('#validate').isDisabled()) this.report('what is no longer contested cannot be paid after the login');

    await remark.click();
    await why.selectOption({ index: 2 });
    await this.cutOff(() => this.page.click('#contest'));
    await this.back();
    await this.there('#simulation[data-state=contested]');
    await this.page.click('#change');
    await simulated();
    await undo();
    await this.cutOff(() => this.page.click('#validate'));
    await this.back();
    await this.there('#payment-paid');
    await this.page.click('#new');
  }

  async rest() {
    await this.go('#/journal');
    await this.there('table');
    await this.look('50-journal');
    await this.tabs('50-journal');
    await this.page.locator('[id^=cancel-]').first().focus();
    await this.nothing('a key that is held or pressed twice cancels', /\/cancellation$/, async () => {
      await this.page.keyboard.down('Enter');
      await this.focused('reason');
      await this.page.keyboard.down('Enter');
      await this.page.keyboard.up('Enter');
      await this.page.evaluate(() => document.getElementById('reason-form').requestSubmit());
    });
    await this.reason();
    await this.look('51-journal-reason');
    await this.key('Escape');
    await this.gone('#reason');
    await this.anotherLine();
    await this.page.locator('#filter-state').selectOption({ index: 1 });
    await this.look('52-journal-filtered');
    await this.page.locator('#filter-state').selectOption({ index: 0 });
    await this.page.locator('[id^=replace-]').last().click();
    await this.reason();
    await this.key('Enter');
    await this.there('#send');
    await this.settled(300);
    await this.look('53-replacing-older');

    await this.go('#/profile');
    await this.there('#profile-form');
    await this.look('60-profile');
    await this.tabs('60-profile');
    await this.page.click('#add-code');
    await this.page.keyboard.type('123');
    await this.page.locator('#field-email').fill('anne.weber');
    await this.key('Control+Enter');
    await this.there('#field-email[aria-invalid=true]');
    await this.look('61-profile-wrong');
    await this.page.locator('#field-email').fill('anne.weber@example.lu');
    await this.page.locator('#field-billing_codes-2-code').fill('70000123');
    await this.key('Control+Enter');
    await this.gone('[aria-invalid=true]');
    await this.pause(200);
    await this.look('62-profile-saved');
    await this.typedAgain();

    await this.set({ fail: 'kms' });
    await this.go('#/status');
    await this.there('#check-kms');
    await this.look('70-status');
    await this.go('#/settings');
    await this.there('#profile');
    await this.look('71-settings');
    await this.set({ fail: null, session: 'secretary', environment: 'integration' });
    await this.page.reload();
    await this.there('#acts-for');
    await this.still('73-asked-of-a-secretary', () => this.ask('consent', 'long'), ['header', 'nav', 'main h1', '#settings-session', '#lang', '#acts-for']);
    await this.look('73-asked-of-a-secretary');
    await this.page.click('#look');
    await this.page.click('#refuse');
    await this.there(`h1:has-text("${LONG_NAME}")`);
    await this.page.click('#refuse');
    await this.gone('#refuse');
    await this.set({ session: 'logged_in', environment: 'training' });
    await this.go('#/components');
    await this.page.reload();
    await this.there('#field-s-text');
    await this.look('72-components');
  }

  /** Practice software asks while she types: nothing moves, F6 leads there, and she comes back to the same letter. */
  async asking() {
    await this.go('#/new/ecit');
    await this.page.reload();
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.settled(400);
    const name = this.page.locator('#field-last_name');
    await name.focus();
    await name.evaluate((one) => one.setSelectionRange(3, 3));
    await this.still('80-asked', () => this.ask('consent', 'long', 'sign'));
    await this.page.keyboard.type('Q');
    await this.look('80-asked');
    await this.tabs('80-asked');
    if (!/^\(3\) /.test(await this.page.title())) this.report('the title does not count who waits');
    if (!(await this.page.locator('header [role=status]').last().textContent())?.includes('F6')) this.report('who asks is not announced');
    await name.focus();
    await name.evaluate((one) => one.setSelectionRange(4, 4));
    await this.key('F6');
    await this.there('#allow');
    await this.look('81-consent');
    await this.tabs('81-consent');
    await this.nothing('a consent is given by Ctrl+Enter', /link/, () => this.key('Control+Enter'));
    await this.nothing('looking away answers', /link\/(software|approvals)/, () => this.key('Escape'));
    await this.focused('field-last_name');
    await this.page.keyboard.type('R');
    if ((await name.inputValue()) !== 'SchQRneider-Éloi') this.report(`the cursor does not come back to its letter: ${await name.inputValue()}`);
    await this.key('F6');
    await this.there('#allow');
    await this.page.locator('#refuse').focus();
    await this.withdraw('consent');
    await this.focused('question-on');
    await this.look('82-consent-withdrawn');
    await this.page.click('#question-on');
    await this.there(`h1:has-text("${LONG_NAME}")`);
    await this.look('83-consent-long-name');
    await this.page.click('#refuse');

    await this.there('#approve');
    await this.nothing('what was not read is signed', /link\/approvals\/.*/, () => this.key('Control+Enter'), 'POST');
    await this.there('.approval[data-armed=true]');
    await this.look('84-approval');
    await this.uncut('84-approval', '#approval-document');
    if ((await this.page.locator('#trust-waiting').count()) > 0) this.report('trust is said to answer what does not wait');
    await this.tabs('84-approval');
    await this.whole('84-approval', ['h1', '#approve', '#refuse', '#today', 'aside img']);
    await this.key('Control+Enter');
    await this.focused('field-last_name');
    await this.answered('a-1', 'once');

    await this.ask('pay');
    await this.key('F6');
    await this.there('.approval[data-armed=true]');
    await this.nothing('pages nobody saw are signed', /link\/approvals\/.*/, () => this.key('Control+Enter'), 'POST');
    await this.there('#unseen-page');
    await this.look('85-approval-second-page');
    await this.page.click('#today');
    await this.focused('field-last_name');
    await this.answered('a-2', 'today');

    await this.ask('pdf', 'cancel');
    await this.key('F6');
    await this.there('.approval[data-armed=true]');
    await this.look('86-approval-pdf');
    await this.page.locator('#approve').focus();
    await this.withdraw('pdf');
    await this.there('#question-gone');
    await this.focused('question-on');
    await this.look('87-withdrawn');
    await this.page.click('#question-on');
    await this.there('#approval-reason');
    await this.there('.approval[data-armed=true]');
    await this.look('88-approval-cancel');
    await this.page.click('#refuse');
    await this.focused('field-last_name');
    await this.answered('a-4', 'refuse');

    await this.ask('message', 'replace', 'changed', 'contest');
    await this.key('F6');
    await this.there('#approval-message.warning');
    await this.there('.approval[data-armed=true]');
    // The same software waits for more.
    await this.there('#trust-waiting');
    await this.look('88-approval-message');
    await this.page.click('#refuse');
    await this.there('#approval-replaces');
    await this.there('.approval[data-armed=true]');
    await this.look('88-approval-replaces');
    await this.uncut('88-approval-replaces', '#approval-replaces');
    await this.whole('88-approval-replaces', ['h1', '#approval-replaces', '#approve', '#refuse', '#today', 'aside img']);
    // Somebody else works here meanwhile: nothing of what stood there is hers to see.
    await this.set({ session: 'luc', stranger: true });
    await this.refreshed();
    await this.there('#problem');
    if ((await this.page.locator('#approval-replaces, #approval-for, aside img').count()) > 0) this.report('somebody else sees what another is asked');
    await this.set({ session: 'logged_in', stranger: false });
    await this.refreshed();
    await this.there('#approval-replaces');
    await this.there('.approval[data-armed=true]');
    await this.page.click('#refuse');
    await this.there('#problem');
    await this.look('88-approval-changed');
    await this.nothing('what somebody else was asked is signed', /link\/approvals\/.*/, () => this.key('Control+Enter'), 'POST');
    if ((await this.page.locator('#approve, #today').count()) > 0) this.report('what somebody else was asked can be approved');
    await this.page.click('#refuse');
    await this.gone('#problem');
    await this.there('#approval-remarks');
    await this.there('.approval[data-armed=true]');
    await this.look('88-approval-contest');
    await this.key('Control+Enter');
    await this.focused('field-last_name');
    await this.answered('a-7', 'once');
    if ((await this.page.locator('#field-matricule').inputValue()).replaceAll(' ', '') !== PATIENT.matricule) this.report('answering takes away what was typed');
    // Ctrl+Enter means the form again.
    await this.key('Control+Enter');
    await this.there('#receipt-reference');
    const { drawn } = await (await fetch(`${this.origin}/econnector/mock`)).json();
    if (!drawn.includes('a-2 2')) this.report('a second page was approved that was not drawn');
  }

  async practiceSoftware() {
    await this.go('#/settings');
    await this.there('#link');
    await this.look('90-settings-link');
    await this.page.click('#link');
    await this.there('[data-software=Medico]');
    await this.there('#trust-what');
    await this.look('91-link');
    await this.tabs('91-link');
    await this.page.locator('[data-software=Medico] button').first().click();
    await this.there('[data-software=Medico] [aria-pressed=false]');
    await this.page.locator('[data-software=curl] button').first().click();
    await this.there('[data-software=curl][data-decision=allowed]');
    await this.page.locator('[data-software=curl] button').last().click();
    await this.gone('[data-software=curl]');
    await this.page.locator('#origin').fill('praxis.example.lu/login');
    await this.key('Enter');
    await this.there('#origin[aria-invalid=true]');
    await this.focused('origin');
    await this.look('92-origin-wrong');
    if (!(await this.page.locator('#origin-note').textContent()).includes(`${told('link-origin-invalid', this.language).title}. `)) this.report('what is wrong with an origin runs together');
    await this.page.locator('#origin').fill('https://praxis.example.lu');
    await this.key('Enter');
    await this.there('#key');
    await this.focused('new-key');
    await this.look('93-origin-key');
    await this.page.click('#copy-key');
    await this.page.click('#key-done');
    await this.gone('#key');
    await this.page.locator('[data-origin="https://praxis.example.lu"] button').click();
    await this.focused('keep-origin');
    await this.page.locator('#drop-origin').scrollIntoViewIfNeeded();
    await this.look('94-origin-going', [LAPTOP]);
    await this.page.click('#drop-origin');
    await this.gone('[data-origin="https://praxis.example.lu"]');
    await this.page.click('#refused-all');
    await this.gone('#refused-all');
    await this.set({ link: { listening: false, addresses: [], software: [], origins: [] } });
    await this.there('h2 .error');
    await this.look('95-link-deaf');
    await this.set({ absent: true });
    await this.page.reload();
    await this.there('h1');
    await this.nothing('the window asks on where there is no door', /^GET \/link/, () => this.pause(3500));
  }

  /** She works for several: nothing goes out before it is said for whom, and what a pack keeps to the physician says so. */
  async forOthers() {
    await this.set({ session: 'secretary', fail: null, slow: 60, absent: false, link: { waiting: [] } });
    await this.go('#/');
    await this.page.reload();
    await this.focusedOn('1900000001');
    await this.look('96-choose');
    await this.tabs('96-choose');
    await this.go('#/new/ecit');
    await this.there('#choose');
    await this.fill(ILL);
    await this.nothing('a form goes out for nobody', / \/documents$/, () => this.key('Control+Enter'), 'POST');
    await this.focusedOn('1900000001');
    await this.look('97-choose-in-form');
    await this.key('ArrowDown');
    await this.focusedOn('1900000002');
    await this.key('Enter');
    await this.gone('#choose');
    if ((await this.page.locator('#acts-for').inputValue()) !== '1900000002') this.report('who was chosen does not stand in the top line');
    if (!(await this.page.locator('#said-for').textContent())?.includes('Muller')) this.report('the choice is not announced');
    await this.look('98-chosen', [LAPTOP]);
    if (await this.page.locator('header .more').evaluate((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth)) this.report('what stands beside the choice of the physician is cut');
    await this.page.locator('#acts-for').selectOption('1900000001');
    await this.there('#stranger');
    const hint = this.page.locator('#stranger p');
    if (!/Anne Weber.*Luc Muller/.test(await hint.textContent())) this.report('taking over does not say in whose name the document will be');
    await this.look('99-other-physician-chosen');
    await this.nothing('a form goes out for another physician than it was begun for', / \/documents$/, () => this.key('Control+Enter'), 'POST');
    await this.page.click('#stranger-back');
    await this.gone('#stranger');
    // The physician whose form it is comes herself: its name stays.
    await this.set({ session: 'luc' });
    await this.refreshed();
    await this.there('#stranger');
    if ((await hint.textContent()).includes('Muller')) this.report('taking over from another person speaks of another physician');
    await this.set({ session: 'secretary', chosen: '1900000002' });
    await this.refreshed();
    await this.gone('#stranger');
    await this.key('F4');
    await this.there('#field-lines-0-code');
    await this.set({ fail: 'declined' });
    await this.fill({ matricule: PATIENT.matricule });
    await this.acts();
    await this.key('Control+Enter');
    await this.there('#simulation[data-state=declined]');
    if (!(await this.page.locator('#contest').isDisabled())) this.report('what only the physician may do is not disabled');
    await this.settled(300);
    await this.look('100-only-the-physician');
    await this.go('#/profile');
    await this.there('#barred');
    if (!(await this.page.locator('h1').textContent()).includes('Luc Muller')) this.report('the profile of another is called her own');
    if ((await this.page.locator('#profile-form dd.quiet').count()) > 0) this.report('the eHealthID of another is said to come from her own login');
    await this.look('101-profile-of-another', [LAPTOP]);
    await this.set({ fail: null });
  }

  /** A session ends under a form, and the wrong people come back. */
  async strangers() {
    await this.set({ session: 'logged_in' });
    await this.go('#/new/ecit');
    await this.page.reload();
    await this.there('#field-matricule');
    await this.fill(ILL);
    const login = async () => {
      await this.page.click('#problem-action');
      await this.there('#login-url');
    };
    await this.set({ fail: 'login' });
    await this.key('Control+Enter');
    await this.refusedWith('session-needed');
    await login();
    await this.set({ session: 'logged_out', ended: 'login-timeout' });
    await this.there('#login-problem');
    await this.look('102-login-timed-out');
    await this.page.click('#login-problem-action');
    await this.there('#login-url');
    await this.page.click('#login-cancel');
    await this.there('#login-again');
    await this.look('103-login-given-up', [LAPTOP]);
    await this.page.click('#login-again');
    await this.there('#login-url');
    await this.set({ session: 'nobody' });
    await this.there('#login-problem');
    await this.look('104-login-without-physician');
    await this.page.click('#login-problem-action');
    await this.there('#login-url');
    if (!(await this.mock()).other) this.report('another account is not asked for');
    await this.nothing('somebody else sends what she did not write', / \/documents$/, async () => {
      await this.set({ session: 'luc' });
      await this.there('#stranger');
      await this.key('Control+Enter');
    }, 'POST');
    await this.look('105-stranger');
    await this.tabs('105-stranger');
    await this.page.click('#stranger-back');
    await this.there('#login-url');
    await this.set({ session: 'logged_in' });
    await this.there('#receipt-reference');
    await this.page.click('#new');
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.set({ fail: 'login' });
    await this.key('Control+Enter');
    await this.refusedWith('session-needed');
    await login();
    await this.set({ session: 'luc' });
    await this.there('#stranger');
    await this.page.click('#stranger-take');
    await this.gone('#stranger');
    await this.settled(500);
    if ((await this.page.locator('#field-matricule').inputValue()).replaceAll(' ', '') !== PATIENT.matricule) this.report('taking over loses the patient');
    await this.key('Control+Enter');
    await this.there('#receipt-reference');
    const { signedBy } = await this.mock();
    if (!signedBy.includes('90000102')) this.report(`a form that was taken over bears ${signedBy}`);
    await this.page.click('#new');
    await this.set({ session: 'logged_in' });
    await this.refreshed();
  }

  /** Nothing of the window is left in sight, and all of it is there afterwards. */
  async locking() {
    await this.strangers();
    await this.go('#/new/ecit');
    await this.there('#field-matricule');
    await this.fill(ILL);
    const name = this.page.locator('#field-last_name');
    await name.focus();
    await name.evaluate((one) => one.setSelectionRange(3, 3));
    await this.page.click('#lock-now');
    await this.there('#unlock');
    await this.hidden();
    await this.look('110-locked');
    await this.tabs('110-locked');
    await this.nothing('a locked window sends', / \/documents$/, () => this.key('Control+Enter'), 'POST');
    await this.key('F3');
    await this.page.locator('#unlock').focus();
    await this.key('Enter');
    await this.focused('lock-now');
    await name.focus();
    await name.evaluate((one) => one.setSelectionRange(3, 3));
    await this.key('Control+l');
    await this.focused('unlock');
    await this.key('Enter');
    await this.focused('field-last_name');
    await this.page.keyboard.type('Q');
    if ((await name.inputValue()) !== 'SchQneider-Éloi') this.report(`after the lock the cursor is elsewhere: ${await name.inputValue()}`);

    await this.set({ lock: { after_minutes: 15, unlock: 'login' } });
    await this.refreshed();
    await this.key('Control+l');
    await this.focused('unlock');
    await this.look('111-locked-by-login', [LAPTOP]);
    await this.set({ fail: 'aes' });
    await this.key('Enter');
    await this.there('#problem-action');
    await this.hidden();
    await this.look('112-locked-without-aes', [LAPTOP]);
    await this.set({ fail: null });
    await this.page.click('#problem-action');
    await this.there('#login-url');
    await this.look('113-locked-login');
    await this.page.click('#login-cancel');
    await this.there('#unlock');
    await this.hidden();
    await this.page.click('#unlock');
    await this.there('#login-url');
    await this.set({ session: 'luc' });
    await this.there('#lock-discard');
    await this.focused('lock-back');
    await this.hidden();
    await this.look('114-locked-other-person');
    await this.key('Enter');
    await this.there('#login-url');
    await this.set({ session: 'logged_in' });
    await this.gone('#lock');
    if ((await name.inputValue()) !== 'SchQneider-Éloi') this.report('the login that unlocks loses what was typed');
    await this.lockedDuringLogin();
    await this.key('Control+l');
    await this.focused('unlock');
    await this.key('Enter');
    await this.there('#login-url');
    await this.set({ session: 'luc' });
    await this.there('#lock-discard');
    // Two keys in a hurry discard nothing.
    await this.key('Tab');
    await this.focused('lock-discard');
    await this.key('Enter');
    await this.focused('lock-discard-no');
    await this.look('114-locked-discard');
    await this.key('Enter');
    await this.focused('lock-discard');
    await this.key('Enter');
    await this.page.click('#lock-discard-yes');
    await this.there('#choice-ecit');
    await this.key('F2');
    await this.there('#field-matricule');
    if ((await this.page.locator('#field-matricule').inputValue()) !== '') this.report('somebody else finds what was typed before');
    await this.set({ lock: { after_minutes: null, unlock: 'key' } });
    await this.go('#/settings');
    await this.refreshed();
    await this.page.locator('#lock-minutes').selectOption('30');
    await this.look('115-settings-lock', [LAPTOP]);
    // Read again where a login unlocks: whose session it is was not seen here.
    await this.set({ lock: { after_minutes: 15, unlock: 'login' }, session: 'logged_in' });
    await this.page.reload();
    await this.focused('unlock');
    await this.hidden();
    await this.key('Enter');
    await this.there('#login-url');
    await this.set({ session: 'logged_in' });
    await this.gone('#lock');
    await this.there('#lock-minutes');
    await this.set({ lock: { after_minutes: null, unlock: 'key' } });
  }

  /** Somebody closes the window over what is typed; the program around it, which the mock has not, says so by this event. */
  async closing() {
    const close = () => this.page.evaluate(() => void dispatchEvent(new CustomEvent('econnector:closing', { detail: 'ask' })));
    // Any key unlocks.
    await this.refreshed();
    await this.go('#/new/ecit');
    await this.there('#field-matricule');
    await this.fill(ILL);
    const name = this.page.locator('#field-last_name');
    await name.focus();
    await close();
    await this.focused('closing-keep');
    await this.look('116-closing');
    await this.nothing('a form goes out behind the question', / \/documents$/, () => this.key('Control+Enter'), 'POST');
    await this.key('F3');
    await this.key('Escape');
    await this.gone('#closing[open]');
    await this.focused('field-last_name');
    // Locked, it asks nothing.
    await close();
    await this.focused('closing-keep');
    await this.key('Control+l');
    await this.focused('unlock');
    await this.gone('#closing[open]');
    await this.hidden();
    await close();
    await this.focused('unlock');
    await this.key('Enter');
    await this.gone('#lock');
    await this.gone('#closing[open]');
    if ((await name.inputValue()) !== ILL.last_name) this.report(`the question loses what was typed: ${await name.inputValue()}`);
  }

  /** The window locks by itself while a login is under way that a form waits for. */
  async lockedDuringLogin() {
    await this.cutOff(() => this.key('Control+Enter'));
    await this.nothing('a form goes out behind a locked window', / \/documents$/, async () => {
      await this.set({ lock: { after_minutes: 0.02, unlock: 'login' } });
      await this.there('#lock #login-url');
      await this.set({ lock: { after_minutes: 15, unlock: 'login' } });
      await this.hidden();
    }, 'POST');
    await this.set({ session: 'logged_in' });
    await this.gone('#lock');
    await this.there('#receipt-reference');
    await this.page.click('#new');
    await this.there('#field-matricule');
    await this.fill(ILL);
    // Where any key unlocks, whoever passes by might: then it is hers to send.
    await this.set({ lock: { after_minutes: 15, unlock: 'key' } });
    await this.refreshed();
    await this.cutOff(() => this.key('Control+Enter'));
    await this.key('Control+l');
    await this.focused('unlock');
    await this.nothing('a form goes out by itself once a key has unlocked', / \/documents$/, async () => {
      await this.set({ session: 'logged_in' });
      await this.settled(600);
      await this.key('Enter');
      await this.gone('#lock');
      await this.there('#problem-action');
      await this.settled(300);
    }, 'POST');
    await this.page.click('#problem-action');
    await this.there('#receipt-reference');
    await this.page.click('#new');
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.set({ lock: { after_minutes: 15, unlock: 'login' } });
    await this.refreshed();
  }

  /** Logins are brought by software, the clock is wrong, the keyring is locked: each is said where it matters. */
  async elsewhere() {
    await this.set({ session: 'logged_out', logins: 'delegated', skew: -754, keyring: 'locked' });
    await this.go('#/');
    await this.page.reload();
    await this.there('#delegated');
    await this.there('#clock-wrong');
    if ((await this.page.locator('[data-notice] p').count()) !== 3) this.report('a notice does not say what to do');
    await this.look('120-delegated');
    await this.key('F2');
    await this.there('#field-matricule');
    await this.fill(ILL);
    await this.nothing('a form goes out where practice software logs in', / \/documents$/, async () => {
      await this.key('Control+Enter');
      await this.focused('delegated');
    }, 'POST');
    if (!(await this.page.locator('#send.second').isDisabled()) || (await this.page.locator('#paper:enabled:not(.second)').count()) === 0) this.report('paper is not the one way on where practice software logs in');
    await this.look('121-delegated-form', [LAPTOP]);
    await this.go('#/status');
    await this.there('#check-aes');
    await this.there('#clock-wrong');
    await this.look('122-status-clock', [LAPTOP]);
    await this.set({ logins: 'both', skew: 2, keyring: null });
    await this.go('#/');
    await this.page.reload();
    await this.there('#login');
    await this.notForgotten();
  }

  /** A logout that may come undone: it is said on whatever screen she is, until she has read it. */
  async notForgotten() {
    await this.set({ session: 'logged_in' });
    await this.there('#choice-ecit');
    await this.key('F2');
    await this.there('#field-matricule');
    await this.set({ fail: 'logout' });
    await this.page.click('#logout');
    await this.there('#logout-problem');
    // Longer than until the window asks again who is logged in.
    await this.pause(3500);
    if ((await this.page.locator('#logout-problem').count()) === 0) this.report('what a logout could not do vanishes unread');
    await this.look('123-logout-not-forgotten');
    await this.go('#/status');
    await this.there('#check-aes');
    await this.page.click('#logout-problem-action');
    await this.gone('#logout-problem');
  }

  /** A cancellation waits for a login that is given up; then another line is begun on. */
  async anotherLine() {
    const lines = this.page.locator('[id^=cancel-]');
    const undo = await this.instead('**/journal', async (route) => {
      const response = await route.fetch(AGAIN);
      const { entries } = await response.json();
      await route.fulfill({ response, json: { entries: entries.map((entry) => ({ ...entry, cancellable: true })) } });
    });
    await this.page.locator('.title button').click();
    await lines.nth(1).waitFor();
    await lines.first().click();
    await this.reason();
    await this.set({ fail: 'login' });
    await this.key('Enter');
    await this.refusedWith('session-needed');
    await this.page.click('#problem-action');
    await this.there('#login-url');
    await this.page.click('#login-cancel');
    await this.there('#login-again');
    await this.nothing('a cancellation waits on that was left for another line', /\/cancellation$/, async () => {
      await lines.last().click();
      await this.gone('#login-again');
      await this.set({ session: 'logged_in' });
      await this.refreshed();
    });
    await this.page.locator('#reason').focus();
    await this.key('Escape');
    await this.gone('#reason');
    await undo();
    await this.page.locator('.title button').click();
    await this.settled(300);
  }

  /** A session ends while the profile is typed into, and another window makes a favourite: the typing stays, and so does the favourite. */
  async typedAgain() {
    const phone = this.page.locator('#field-phone');
    await phone.fill('26 99 99 99');
    await this.page.click('#logout');
    await this.gone('#logout');
    if ((await phone.inputValue()) !== '26 99 99 99') this.report('the end of a session takes away what was typed into the profile');
    await this.key('Control+Enter');
    await this.there('#problem-action');
    await this.look('63-profile-session-ended');
    await this.page.click('#problem-action');
    await this.there('#login-url');
    await this.set({ session: 'logged_in' });
    await this.gone('#login-url');
    await this.settled(400);
    if ((await phone.inputValue()) !== '26 99 99 99') this.report('the login takes away what was typed into the profile');
    await this.go('#/new/mh');
    await this.there('#field-lines-0-code');
    await this.page.locator('#field-lines-0-code').fill('E1');
    await this.key('Control+D');
    await this.settled(400);
    const before = await this.profile();
    await this.go('#/profile');
    await this.there('#profile-form');
    await this.settled(300);
    await this.key('Control+Enter');
    await this.settled(500);
    const after = await this.profile();
    if (after.phone !== '26 99 99 99') this.report('what was typed into the profile is not saved');
    if (JSON.stringify(after.favourites) !== JSON.stringify(before.favourites)) this.report('saving the profile takes back a favourite');
  }
  async profile() {
    return (await fetch(`${this.origin}/econnector/v1/profile`)).json();
  }

  // --- The hands ----------------------------------------------------------------------------------------------------------------------

  set(what) {
    return fetch(`${this.origin}/econnector/mock`, { method: 'POST', body: JSON.stringify(what) });
  }
  /** The session ends under what she does, and she is in the browser to log in and go on with it. */
  async cutOff(act) {
    await this.set({ fail: 'login' });
    await act();
    await this.refusedWith('session-needed');
    await this.page.click('#problem-action');
    await this.there('#login-url');
  }
  /** The same person is back. */
  async back() {
    await this.set({ session: 'logged_in' });
    await this.gone('#login-url');
    await this.settled(500);
  }
  /** Practice software waits for an answer. */
  async ask(...names) {
    await this.set({ ask: names.map((name) => ASKED[name]) });
    await this.there('#look');
    await this.settled(100);
  }
  withdraw(name) {
    return this.set({ withdraw: ASKED[name].id });
  }
  async mock() {
    return (await fetch(`${this.origin}/econnector/mock`)).json();
  }
  /** The window asks again who is logged in. */
  async refreshed() {
    await this.page.locator('#lang').dispatchEvent('change');
    await this.settled(300);
  }
  focusedOn(ehealthId) {
    return this.page.waitForFunction((wanted) => document.activeElement?.dataset.ehealth === wanted, ehealthId);
  }
  /** Nothing of the window can be seen, reached, read aloud or printed. */
  async hidden() {
    const seen = await this.page.evaluate(() => {
      const behind = document.querySelector('.window');
      const shown = [...behind.querySelectorAll('*')].filter((one) => one.checkVisibility());
      return { shown: shown.length, inert: behind.inert, text: document.body.innerText, title: document.title, sheets: document.querySelectorAll('#sheets *').length };
    });
    if (seen.shown > 0 || !seen.inert || seen.sheets > 0) this.report('a locked window shows what is behind');
    if (/Schneider|Maïté|1988/.test(seen.text) || seen.title !== 'eConnector') this.report('a locked window says what is behind');
  }
  async answered(id, answer) {
    const { answers } = await this.mock();
    if (!answers.some((one) => one.id === id && one.answer === answer)) this.report(`${id} was not answered with ${answer}`);
  }
  go(place) {
    return this.page.evaluate((hash) => void (location.hash = hash), place);
  }
  key(keys) {
    return this.page.keyboard.press(keys);
  }
  there(selector) {
    return this.page.locator(selector).first().waitFor();
  }
  /** This very problem stands there, and what led to it is over: the one before it may still be in sight, and keys mean nothing meanwhile. */
  refusedWith(code) {
    return this.page.waitForFunction(
      (wanted) => document.querySelector('#problem pre')?.textContent.includes(wanted) && !document.querySelector('#send:disabled, #confirm-correct:disabled'),
      code,
    );
  }
  gone(selector) {
    return this.page.locator(selector).first().waitFor({ state: 'detached' });
  }
  focused(id) {
    return this.page.waitForFunction((wanted) => document.activeElement?.id === wanted, id);
  }
  /** The box that asks why stands there, long enough to have been read. */
  async reason() {
    await this.focused('reason');
    await this.there('.reason[data-armed=true]');
  }
  said(pattern) {
    return this.page.waitForFunction((source) => new RegExp(source, 'u').test(document.querySelector('footer [role=status]')?.textContent ?? ''), pattern.source);
  }
  /** Answers in the place of the mock; answers what ends it. */
  async instead(where, answer) {
    await this.page.route(where, answer);
    return () => this.page.unroute(where, answer);
  }
  /** The cancellation goes out, its answer is lost, and the core does not know how it ended. */
  async lost() {
    const problem = { type: 'about:blank', status: 504, code: 'mysecu-cancellation-unknown', fault: 'network', title: 'Sans réponse', next: 'Annulez encore une fois.' };
    await this.instead('**/cancellation', (route) => route.fulfill({ status: 504, contentType: 'application/problem+json', json: problem }));
    await this.instead(/\/v1\/documents\/[0-9a-f-]{36}$/, async (route) => {
      if (route.request().method() !== 'GET') return route.fallback();
      const response = await route.fetch(AGAIN);
      return route.fulfill({ response, json: { ...(await response.json()), state: 'cancelling', problem } });
    });
  }
  /** So long by the window's own clock, and until what it asked for is answered and painted: a slow machine is no finding. */
  async settled(ms) {
    await this.page.evaluate((ms) => new Promise((over) => setTimeout(over, ms)), ms);
    for (const begun = Date.now(); this.underWay.size > 0 && Date.now() - begun < SETTLES_MS; ) await this.pause(20);
    await this.page.evaluate(() => new Promise((over) => requestAnimationFrame(() => requestAnimationFrame(over))));
  }
  pause(ms) {
    return this.page.waitForTimeout(ms);
  }

  async fill(values) {
    for (const [field, value] of Object.entries(values)) {
      await this.page.locator(`#field-${field}`).focus();
      await this.key('Control+A');
      await this.page.keyboard.type(value);
    }
    await this.key('Tab');
    await this.settled(400);
  }

  /** Lines by keyboard: Enter in a line begins the next. */
  async acts(codes = ACTS) {
    await this.page.locator('#field-lines-0-code').focus();
    for (const [at, code] of codes.entries()) {
      await this.focused(`field-lines-${at}-code`);
      await this.page.keyboard.type(code);
      await this.key('Tab');
      if (at + 1 < codes.length) await this.key('Enter');
    }
    await this.settled(400);
  }

  // --- The eyes -----------------------------------------------------------------------------------------------------------------------

  /** Counts every finding; what is the same thing on another screen is told once. */
  report(what, same = what, more = '') {
    this.findings++;
    if (this.told.has(same)) return;
    this.told.add(same);
    console.log(`${this.language}: ${what}${more}`);
  }

  /** Does it, and looks whether the window asked the core for what it must not ask for. */
  async nothing(what, path, act, method = '') {
    const these = () => this.asked.filter((one) => path.test(one) && one.startsWith(method)).length;
    const before = these();
    await act();
    await this.settled(200);
    if (these() > before) this.report(what);
  }

  /** Whatever happens, what is under the hands stays where it is, in every size, and so does the cursor. */
  async still(name, act, selectors = ['header', 'nav', 'main', 'main h1', '#field-matricule', '#field-last_name', 'aside img', 'footer', '#send', '#lang']) {
    const before = [];
    const sizes = [...OTHERS, LAPTOP];
    for (const size of sizes) before.push(await this.places(size, selectors));
    await act();
    for (const [at, size] of sizes.entries()) {
      const after = await this.places(size, selectors);
      for (const [what, where] of Object.entries(before[at])) {
        if (JSON.stringify(after[what]) !== JSON.stringify(where)) this.report(`${name}: ${what} moves in ${size.name}: ${JSON.stringify(where)} ${JSON.stringify(after[what])}`);
      }
    }
  }
  async places(size, selectors) {
    await this.page.setViewportSize(size);
    await this.settled(150);
    return this.page.evaluate((selectors) => {
      const places = Object.fromEntries(
        selectors.map((selector) => {
          const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
          return [selector, [x, y, width, height].map(Math.round)];
        }),
      );
      const at = document.activeElement;
      return { ...places, focus: at?.id, cursor: at?.selectionStart, scrolled: scrollY };
    }, selectors);
  }

  /** Nothing of it can be looked at, printed or saved, and it is said why. */
  async withheld(name) {
    await this.there('#withheld');
    if ((await this.page.locator('#print-handed-out, .volets, aside img').count()) > 0) this.report(`${name}: pages that must not be handed out`);
  }

  /** An end nobody knows is told in the core's own words, all of them. */
  async uncertain(code) {
    const shown = await this.page.locator('#receipt').textContent();
    for (const words of Object.values(told(code, this.language))) if (!shown.includes(words)) this.report(`an uncertain outcome does not say: ${words}`);
  }

  /** The button for the next form shows its key where that key works, and only there. */
  async begunBy(key) {
    const next = this.page.locator('#new');
    const shown = { key: await next.getAttribute('aria-keyshortcuts'), kbd: await next.locator('kbd').count() };
    if (shown.key !== key || shown.kbd !== (key ? 1 : 0)) this.report(`the key for the next form is shown as ${JSON.stringify(shown)}`);
  }

  /** No line ends inside the first word. */
  async uncut(name, selector) {
    const lines = await this.page.locator(selector).evaluate((one) => {
      const text = one.firstChild;
      const from = text.data.search(/\S/);
      const range = document.createRange();
      range.setStart(text, from);
      range.setEnd(text, from + /^\S+/.exec(text.data.slice(from))[0].length);
      return range.getClientRects().length;
    });
    if (lines !== 1) this.report(`${name}: a word of ${selector} is cut`);
  }

  /** All of it stands in the window, without scrolling, and nothing lies over it. */
  async whole(name, selectors) {
    for (const selector of selectors) {
      const seen = await this.page.locator(selector).first().evaluate((one) => {
        const { left, top, width, height } = one.getBoundingClientRect();
        const inset = 2;
        const corners = [[left + inset, top + inset], [left + width - inset, Math.min(top + height, innerHeight) - inset]];
        const over = corners.every(([x, y]) => one.contains(document.elementFromPoint(x, y)) || document.elementFromPoint(x, y)?.contains(one));
        return { inside: top >= 0 && top + (one.tagName === 'IMG' ? 0 : height) <= innerHeight, over, height };
      });
      if (!seen.inside || !seen.over) this.report(`${name}: ${selector} is not wholly in the window`);
      if (selector.endsWith('img') && seen.height < READABLE_PX) this.report(`${name}: the page is ${Math.round(seen.height)} px high`);
    }
  }

  /** With `underWay`, what it shows is over once the core has answered. */
  async look(screen, sizes = [...this.others, LAPTOP], underWay = false) {
    await (underWay ? this.pause(200) : this.settled(200));
    for (const size of sizes) {
      await this.page.setViewportSize(size);
      for (const theme of size === LAPTOP ? ['dark', 'light'] : ['light']) {
        await this.page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        await this.pause(60);
        await this.judge(`${screen}-${theme}-${size.name}`, theme === 'dark' ? COLOURS : RULES);
      }
    }
  }

  async judge(name, rules) {
    this.screens++;
    this.last = name;
    if (folder) await this.page.screenshot({ path: `${folder}/${this.language}-${name}.png` });
    const { violations, overflow, moving } = await this.page.evaluate(async (rules) => {
      const found = await globalThis.axe.run(document, rules);
      const seconds = (list) => list.split(',').some((one) => parseFloat(one) > 0);
      const style = (one) => getComputedStyle(one);
      return {
        violations: found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) })),
        overflow: document.documentElement.scrollWidth - innerWidth,
        moving: [...document.querySelectorAll('#app *')].filter((one) => seconds(style(one).transitionDuration) || seconds(style(one).animationDuration)).length,
      };
    }, rules);
    for (const { id, help, nodes } of violations) {
      // A field half under the bar at the bottom is a matter of scrolling, not of its size.
      const real = nodes.filter((node) => !node.failureSummary?.includes('partially obscured'));
      if (real.length === 0) continue;
      const more = real.slice(0, 3).map((node) => `\n    ${node.html.slice(0, 160)}\n    ${node.failureSummary?.split('\n').slice(1, 3).join(' ')}`);
      this.report(`${name}: ${id} – ${help}`, `${id} ${real[0].html}`, more.join(''));
    }
    if (overflow > 0) this.report(`${name}: ${overflow} px wider than the window`);
    if (moving > 0) this.report(`${name}: ${moving} elements move although reduced motion is asked for`);
  }

  /** Tab reaches everything that can be used, and where it is can be seen. */
  async tabs(name) {
    await this.settled(100);
    const usable = await this.page.evaluate(() => {
      document.activeElement?.blur();
      const all = [...document.querySelectorAll('a[href], button, input, select, summary, textarea')].filter(
        (one) => !one.matches(':disabled') && one.tabIndex >= 0 && one.checkVisibility(),
      );
      all.forEach((one, at) => (one.dataset.walk = String(at)));
      return all.length;
    });
    const reached = new Set();
    for (let step = 0; step < usable + 12 && reached.size < usable; step++) {
      await this.key('Tab');
      const { at, seen, html } = await this.page.evaluate(() => {
        const one = document.activeElement;
        return { at: one?.dataset.walk, seen: one === document.body || getComputedStyle(one).outlineStyle !== 'none', html: one?.outerHTML.slice(0, 120) };
      });
      if (at !== undefined) reached.add(at);
      if (!seen) this.report(`${name}: focus cannot be seen on ${html}`);
    }
    if (reached.size < usable) this.report(`${name}: Tab reaches ${reached.size} of ${usable}`);
  }
}

if (worker) await work();
else await lead();
