// Looks at every screen in Chromium against the mock: axe-core must find nothing; pictures go to the folder given.
// npm run build && npm run screens -- [folder] [--all]      (--all: four languages, both themes, both sizes; else fr and de)

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { preview } from 'vite';

const folder = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const all = process.argv.includes('--all');
if (folder) mkdirSync(folder, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const server = await preview({ logLevel: 'warn', preview: { port: 1422 } });
const origin = 'http://127.0.0.1:1422';
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const set = (what) => fetch(`${origin}/econnector/mock`, { method: 'POST', body: JSON.stringify(what) });
let violations = 0;

const typed = { matricule: '1988123048083', last_name: 'Schneider-Éloi', first_name: 'Maïté', last_day: '+3', diagnosis: '13' };

async function fill(page) {
  for (const [field, value] of Object.entries(typed)) {
    await page.locator(`#field-${field}`).focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type(value);
  }
  await page.keyboard.press('Tab');
  await page.waitForTimeout(700);
}

function report(what) {
  violations++;
  console.log(what);
}

/** Tab reaches everything that can be used, and where it is can be seen. */
async function walk(page, name) {
  const usable = await page.evaluate(() => {
    document.activeElement?.blur();
    const all = [...document.querySelectorAll('a[href], button, input, select, summary')].filter((one) => !one.disabled && one.checkVisibility());
    all.forEach((one, at) => (one.dataset.walk = String(at)));
    return all.length;
  });
  const reached = new Set();
  for (let step = 0; step < usable + 8; step++) {
    await page.keyboard.press('Tab');
    const { at, seen } = await page.evaluate(() => {
      const one = document.activeElement;
      return { at: one?.dataset.walk, seen: one === document.body || getComputedStyle(one).outlineStyle !== 'none' };
    });
    if (at !== undefined) reached.add(at);
    if (!seen) report(`${name}: focus cannot be seen on ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120))}`);
  }
  if (reached.size < usable) report(`${name}: Tab reaches ${reached.size} of ${usable}`);
}

async function visit(page, name) {
  const look = async (screen) => {
    await page.waitForTimeout(300);
    if (folder) await page.screenshot({ path: `${folder}/${name}-${screen}.png` });
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    for (const violation of found.violations) {
      // A field half under the bar at the bottom is a matter of scrolling, not of its size.
      violation.nodes = violation.nodes.filter((node) => !node.failureSummary?.includes('partially obscured'));
      if (violation.nodes.length === 0) continue;
      violations++;
      console.log(`${name}-${screen}: ${violation.id} – ${violation.help}`);
      for (const node of violation.nodes.slice(0, 3)) console.log(`    ${node.html.slice(0, 160)}\n    ${node.failureSummary?.split('\n')[1] ?? ''}`);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) {
      violations++;
      console.log(`${name}-${screen}: ${overflow} px wider than the window`);
    }
  };
  const go = (place) => page.evaluate((hash) => void (location.hash = hash), place);

  await set({ session: 'logged_out', fail: 'core', slow: 500, environment: 'training' });
  await page.goto(origin);
  await page.locator('#problem').waitFor();
  await look('00-not-started');
  await set({ fail: null });
  await page.click('#problem-action');
  await page.locator('#login').waitFor();
  await look('01-login');
  await page.click('#login');
  await page.locator('#login-url').waitFor();
  await look('02-login-wait');
  await set({ session: 'logged_in' });
  await page.locator('#nav-new-ecit').waitFor();
  await look('03-choice');
  await page.keyboard.press('F2');
  await page.locator('#field-matricule').waitFor();
  await look('04-form-empty');
  await page.keyboard.press('Control+Enter');
  await page.locator('#summary').waitFor();
  await look('05-summary');
  await fill(page);
  await page.locator('#field-diagnosis').fill('gr');
  await look('06-code-list');
  await page.keyboard.press('Escape');
  await page.locator('#field-diagnosis').fill('13');
  await page.locator('#field-cause').selectOption('work_accident');
  await page.locator('#field-first_day').fill('-9');
  await page.locator('#field-accident_date').fill('-9');
  await page.keyboard.press('Tab');
  await page.waitForTimeout(600);
  await look('07-form-filled');
  await walk(page, `${name}-07-form-filled`);
  await set({ fail: 'preview' });
  await page.locator('#field-last_name').press('End');
  await page.keyboard.type('-Roth');
  await page.keyboard.press('Control+Enter');
  await page.locator('#problem').waitFor();
  await look('07b-page-unseen');
  await set({ fail: 'kms', slow: 100 });
  await page.keyboard.press('Control+Enter');
  await page.locator('#problem').waitFor();
  await look('08-problem');
  await set({ fail: 'login' });
  await page.keyboard.press('Control+Enter');
  await page.locator('#problem').waitFor({ state: 'detached' });
  await page.locator('#problem').waitFor();
  await look('09-login-needed');
  await page.click('#problem-action');
  await page.locator('#login-url').waitFor();
  await look('10-login-beside-form');
  await set({ session: 'logged_in', slow: 900 });
  await page.locator('#login-url').waitFor({ state: 'detached' });
  await page.keyboard.press('Control+Enter');
  await page.locator('#stage-checked[data-state=done]').waitFor();
  await look('11-sending');
  await page.locator('#receipt-reference').waitFor();
  await page.waitForTimeout(300);
  await look('12-receipt');
  await walk(page, `${name}-12-receipt`);
  const saving = page.waitForEvent('download');
  await page.click('[data-save=employeur]');
  if (!/^ecit-\w{8}-employeur\.pdf$/.test((await saving).suggestedFilename())) report(`${name}: the volet is not saved under its name`);
  await page.click('#new');
  await page.locator('#field-matricule').waitFor();
  await fill(page);
  await set({ fail: 'unknown', slow: 100 });
  // Sent in the same moment as the last letter, while another volet is looked at.
  await page.locator('.volets button').nth(1).click();
  await page.locator('#field-first_name').focus();
  await page.keyboard.type('-Zoé');
  await page.keyboard.press('Control+Enter');
  await page.locator('#receipt[data-state=unknown]').waitFor();
  await look('13-unknown');
  await go('#/journal');
  await page.locator('table').waitFor();
  await look('14-journal');
  await set({ fail: 'kms' });
  await go('#/status');
  await page.locator('#check-kms').waitFor();
  await look('15-status');
  await go('#/settings');
  await look('16-settings');
  await set({ fail: null, session: 'secretary', environment: 'integration' });
  await go('#/components');
  await page.reload();
  await page.locator('#field-s-text').waitFor();
  await look('17-components');
}

const sizes = { laptop: [1280, 720], wide: [1920, 1080], zoomed: [640, 360] };
for (const language of all ? ['fr', 'de', 'en', 'lb'] : ['fr', 'de']) {
  for (const theme of ['light', 'dark']) {
    for (const [size, [width, height]] of Object.entries(sizes)) {
      if (!all && ((theme === 'dark') !== (language === 'de') || (size === 'zoomed' && language === 'fr'))) continue;
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce' });
      await context.addInitScript((code) => localStorage.setItem('language', code), language);
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() !== 'error' || message.text().includes('Failed to load resource')) return;
        violations++;
        console.log(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => {
        violations++;
        console.log(`page error: ${error.message}`);
      });
      await visit(page, `${language}-${theme}-${size}`);
      await context.close();
    }
  }
}

const { unseen } = await (await fetch(`${origin}/econnector/mock`)).json();
if (unseen > 0) report(`${unseen} documents were sent whose page was not drawn`);

await browser.close();
await server.close();
console.log(`${violations} findings`);
process.exit(violations === 0 ? 0 : 1);
