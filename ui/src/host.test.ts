import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { shell as browser } from './host';

let calls: { what: string; answer: (status: number, body?: string) => void }[];
beforeEach(() => {
  vi.resetModules();
  calls = [];
  vi.stubGlobal('navigator', { userAgent: 'Linux' });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    return new Promise<Response>((resolve) => {
      calls.push({ what: `${init.method} ${url} ${init.body ? String(init.body) : ''}`.trim(), answer: (status, body) => resolve(new Response(body ?? null, { status })) });
    });
  });
});
afterEach(() => vi.unstubAllGlobals());
const settle = () => new Promise((resolve) => setTimeout(resolve));

it('the program around the page is told of the lock in order, whether or not it answers', async () => {
  vi.stubGlobal('__TAURI_INTERNALS__', {});
  const { shell } = await import('./host');
  shell.noteLocked(true);
  shell.noteLocked(false);
  await settle();
  expect(calls.map((call) => call.what)).toEqual(['PUT econnector://localhost/window/lock true']);
  calls[0]!.answer(503);
  await settle();
  expect(calls[1]!.what).toBe('PUT econnector://localhost/window/lock false');
  const asked = shell.wasLocked();
  expect(calls[2]!.what).toBe('GET econnector://localhost/window/lock');
  calls[2]!.answer(200, 'true');
  expect(await asked).toBe(true);
});

it('what it is told before a closing comes before it', async () => {
  vi.stubGlobal('__TAURI_INTERNALS__', {});
  const { shell } = await import('./host');
  shell.noteUnsent(true);
  shell.noteLocked(true);
  shell.sayOfClosing('locked');
  for (let n = 0; n < 3; n++) {
    await settle();
    calls[n]!.answer(204);
  }
  const root = 'PUT econnector://localhost/window';
  expect(calls.map((call) => call.what)).toEqual([`${root}/unsent true`, `${root}/lock true`, `${root}/closing "locked"`]);
});

it('a page in a browser has no program around it', async () => {
  browser.noteLocked(true);
  browser.noteUnsent(true);
  browser.sayOfClosing('asked');
  await settle();
  expect([await browser.wasLocked(), await browser.isLoginWanted(), calls.length]).toEqual([false, false, 0]);
});
