import { afterEach, expect, it, vi } from 'vitest';

import type { Profile } from './api';
import { profile } from './profile.svelte';

const stored = { last_name: 'Weber', favourites: { tariff: ['C1'] }, billing_codes: [] } as unknown as Profile;
const refused = { title: 'Log in', code: 'session-needed', status: 401, fault: 'you' };

function core(answer: (method: string, body: unknown) => { status?: number; json: unknown }) {
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    const { status = 200, json } = answer(String(init.method), init.body && JSON.parse(String(init.body)));
    return Promise.resolve(new Response(JSON.stringify(json), { status }));
  });
}
afterEach(() => {
  vi.unstubAllGlobals();
  profile.forget();
});

it('keeps favourites by list, and what else is in the profile', async () => {
  const put: unknown[] = [];
  core((method, body) => (method === 'PUT' ? (put.push(body), { json: body }) : { json: stored }));
  await profile.load();
  expect(await profile.toggle('tariff', 'V1')).toBe(true);
  expect(await profile.toggle('diagnosis', '12')).toBe(true);
  expect(await profile.toggle('tariff', 'C1')).toBe(true);
  expect([profile.favourites('tariff'), profile.favourites('diagnosis'), profile.favourites(undefined)]).toEqual([['V1'], ['12'], []]);
  expect(put.at(-1)).toMatchObject({ last_name: 'Weber', favourites: { tariff: ['V1'], diagnosis: ['12'] } });
});

it('takes a favourite back that could not be stored, and says why', async () => {
  core((method) => (method === 'PUT' ? { status: 401, json: refused } : { json: stored }));
  await profile.load();
  expect(await profile.toggle('tariff', 'V1')).toBe(false);
  expect(profile.favourites('tariff')).toEqual(['C1']);
  expect(profile.problem?.code).toBe('session-needed');
});

it('without a profile there is nothing to store in', async () => {
  const put: unknown[] = [];
  core((_, body) => (put.push(body), { json: body }));
  expect(await profile.toggle('tariff', 'V1')).toBe(false);
  expect(put).toEqual([]);
});

it('what is saved is not taken back by an answer that was asked for before', async () => {
  const late: (() => void)[] = [];
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    if (init.method === 'PUT') return Promise.resolve(new Response(String(init.body)));
    return new Promise((resolve) => late.push(() => resolve(new Response(JSON.stringify(stored)))));
  });
  const asked = profile.load();
  expect(await profile.save({ ...stored, last_name: 'Weber-Roth' })).toBe(true);
  late.forEach((answer) => answer());
  await asked;
  expect(profile.current?.last_name).toBe('Weber-Roth');
});
