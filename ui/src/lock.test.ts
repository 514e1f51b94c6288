import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Session } from './api';
import { forms } from './forms.svelte';
import { who } from './session.svelte';

const person = (id: string, since: string, more: Partial<Session> = {}): Session =>
  ({ state: 'logged_in', environment: 'training', remembered: true, notices: [], acts_for: [], actor: { id, name: id }, since, ...more }) as Session;
/** The core says who stands there also while a login is under way. */
const loggingIn = (standing: Partial<Session> = { since: null, actor: null }): Session => ({ ...person('', ''), state: 'logging_in', ...byLogin, ...standing }) as Session;
const byLogin = { lock: { after_minutes: 10, unlock: 'login' as const } };
const nobody: Session = { ...person('', ''), ...byLogin, state: 'logged_out', actor: null, since: null };
const browser = loggingIn();
const MINUTE = 60_000;

let lock: typeof import('./lock.svelte').lock;
let listeners: Record<string, (event: unknown) => void>;
let stored: Record<string, string>;
let steady = 0;
let wasLocked: boolean;
let noted: boolean[];
let answer: () => { status: number; json: unknown };

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  vi.resetModules();
  listeners = {};
  stored = {};
  steady = 1;
  answer = () => ({ status: 202, json: browser });
  wasLocked = false;
  noted = [];
  vi.stubGlobal('addEventListener', (name: string, listener: (event: unknown) => void) => (listeners[name] = listener));
  vi.stubGlobal('performance', { now: () => steady });
  vi.stubGlobal('localStorage', { getItem: (key: string) => stored[key] ?? null, setItem: (key: string, value: string) => (stored[key] = value) });
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('HTMLElement', class {});
  vi.stubGlobal('document', { activeElement: null, querySelectorAll: () => [], getElementById: () => null });
  vi.stubGlobal('fetch', () => {
    const { status, json } = answer();
    return Promise.resolve(new Response(JSON.stringify(json), { status }));
  });
  // The very objects of this file, so that what is said here is heard there.
  vi.doMock('./session.svelte', () => ({ who }));
  vi.doMock('./forms.svelte', () => ({ forms }));
  vi.doMock('./host', async (real) => ({
    ...(await real<typeof import('./host')>()),
    shell: { wasLocked: () => Promise.resolve(wasLocked), noteLocked: (locked: boolean) => noted.push(locked) },
  }));
  who.problem = undefined;
  who.last = undefined;
  who.session = person('anne', '1', { lock: { after_minutes: 10, unlock: 'key' } });
  ({ lock } = await import('./lock.svelte'));
});
afterEach(() => {
  who.session = undefined;
  vi.unstubAllGlobals();
  vi.clearAllTimers();
  vi.useRealTimers();
});

async function pass(ms: number) {
  steady += ms;
  await vi.advanceTimersByTimeAsync(ms);
}
const press = (key: string, more: object = {}) => {
  const event = { key, ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, preventDefault: vi.fn(), stopImmediatePropagation: vi.fn(), ...more };
  listeners['keydown']!(event);
  return event;
};

it('locks when nobody moves, and a key or the pointer puts it off', async () => {
  lock.watch();
  await pass(9 * MINUTE);
  press('a');
  await pass(9 * MINUTE);
  listeners['pointermove']!({});
  await pass(9 * MINUTE);
  expect(lock.locked).toBe(false);
  await pass(2 * MINUTE);
  expect(lock.locked).toBe(true);
});

it('a clock that is set back does not keep it open, and a sleep has it locked before the first move counts', async () => {
  lock.watch();
  vi.setSystemTime(Date.now() - 3600_000);
  await pass(11 * MINUTE);
  expect(lock.locked).toBe(true);
  lock.unlock();
  vi.setSystemTime(Date.now() + 3600_000);
  listeners['pointermove']!({});
  expect(lock.locked).toBe(true);
});

it('a window with nothing in it stays as it is', async () => {
  who.session = { ...person('', ''), state: 'logged_out', actor: null };
  lock.watch();
  await pass(60 * MINUTE);
  expect(lock.locked).toBe(false);
});

it('nobody waits longer than the installation says, and what is chosen is kept', () => {
  expect(lock.choices).toEqual([5, 10]);
  expect(lock.minutes).toBe(10);
  lock.choose(5);
  expect([lock.minutes, stored]).toEqual([5, { lock: '5' }]);
  lock.choose('never');
  expect(lock.minutes).toBe(10);
  who.session = person('anne', '1', { lock: { after_minutes: null, unlock: 'key' } });
  expect([lock.choices, lock.minutes]).toEqual([[5, 10, 15, 30, 'never'], 'never']);
  who.session = person('anne', '1', { lock: { after_minutes: 7, unlock: 'key' } });
  expect([lock.choices, lock.minutes]).toEqual([[5, 7], 7]);
  stored['lock'] = '5';
  lock.recall();
  expect(lock.minutes).toBe(5);
});

it('Ctrl+L locks, then no key reaches what is behind, and one unlocks', () => {
  lock.watch();
  expect(press('l', { ctrlKey: true }).preventDefault).toHaveBeenCalled();
  expect(lock.locked).toBe(true);
  const send = press('Enter', { ctrlKey: true });
  expect([send.stopImmediatePropagation.mock.calls.length, send.preventDefault.mock.calls.length]).toEqual([1, 1]);
  expect(press('F5').preventDefault).toHaveBeenCalled();
  const enter = press('Enter');
  expect([enter.stopImmediatePropagation.mock.calls.length, enter.preventDefault.mock.calls.length]).toEqual([1, 0]);
  lock.unlock();
  expect(lock.locked).toBe(false);
  expect(press('Enter', { ctrlKey: true }).stopImmediatePropagation).not.toHaveBeenCalled();
});

it('where a login unlocks, only a new login of the same person does', async () => {
  who.session = person('anne', '1', byLogin);
  lock.lock();
  lock.unlock();
  expect(lock.locked).toBe(true);
  await lock.login();
  expect(lock.unlocking).toBe('browser');
  // The login timed out; the session of before goes on, whatever a renewal makes of the problem.
  who.session = person('anne', '1', byLogin);
  expect(lock.unlocking).toBe('ended');
  lock.unlock();
  expect(lock.locked).toBe(true);
  await lock.login();
  who.session = person('anne', '2', byLogin);
  expect(lock.unlocking).toBe('back');
  lock.unlock();
  expect([lock.locked, noted]).toEqual([false, [true, false]]);
});

it('a login that was under way when it was locked, and is given up, unlocks nothing', async () => {
  who.session = loggingIn({ since: '5', actor: { id: 'anne', name: 'anne' } });
  lock.lock();
  expect(lock.owner?.id).toBe('anne');
  answer = () => ({ status: 202, json: who.session });
  await lock.login();
  expect(lock.unlocking).toBe('browser');
  who.session = person('anne', '5', byLogin);
  expect(lock.unlocking).toBe('ended');
  // Nor does one that somebody's software began.
  who.session = loggingIn({ since: '5', actor: { id: 'anne', name: 'anne' } });
  who.session = person('anne', '6', byLogin);
  expect(lock.unlocking).toBe('ended');
});

/** Something waits for a login of hers, in the browser, until nobody has moved here for long enough. */
async function lockedDuringLogin(rule: Partial<Session> = byLogin) {
  who.session = person('anne', '1', { ...rule, physician });
  who.last = { actor: { id: 'anne', name: 'anne' }, physician };
  forms.drafts = { any: { touched: true, forget: () => Promise.resolve() } as never };
  lock.watch();
  const { Pending } = await import('./pending.svelte');
  const pending = new Pending();
  const run = vi.fn();
  answer = () => ({ status: 202, json: loggingIn({ ...rule, since: '1', actor: { id: 'anne', name: 'anne' } }) });
  await pending.login({ by: who.last, unchanged: () => true, run });
  await pass(11 * MINUTE);
  expect([lock.locked, pending.isBehindLock()]).toEqual([true, true]);
  /** Somebody comes back from the browser. */
  const comes = async (id: string, since: string) => {
    answer = () => ({ status: 200, json: person(id, since, { ...rule, physician: id === 'anne' ? physician : { ...physician, ehealth_id: '2' } }) });
    await pass(1000);
  };
  return { pending, run, comes };
}
const physician = { ehealth_id: '1', name: 'anne', provider_codes: [] };

it('a login that was under way when the window locked by itself unlocks it, and what waits for it goes on', async () => {
  const { pending, run, comes } = await lockedDuringLogin();
  expect([lock.unlocking, lock.keeps, pending.standing]).toEqual(['browser', true, 'browser']);
  await comes('anne', '2');
  expect([lock.unlocking, pending.isBehindLock(), pending.standing]).toEqual(['back', true, 'back']);
  lock.unlock();
  expect([lock.locked, pending.isBehindLock(), pending.goOn(), run.mock.calls.length]).toEqual([false, false, true, 1]);
});

it('somebody else who comes back from it unlocks nothing, and nothing of it waits for her login', async () => {
  const { pending, run, comes } = await lockedDuringLogin();
  await comes('luc', '2');
  lock.unlock();
  expect([lock.unlocking, lock.locked, pending.standing]).toEqual(['other', true, 'other']);
  answer = () => ({ status: 202, json: loggingIn({ since: '2', actor: { id: 'luc', name: 'luc' } }) });
  await lock.login();
  expect([lock.keeps, pending.isBehindLock(), pending.standing]).toEqual([false, true, undefined]);
  await comes('anne', '3');
  lock.unlock();
  expect([lock.locked, pending.goOn(), run.mock.calls.length]).toEqual([false, false, 0]);
});

it('where any key unlocks, or she locked it herself, nothing waits behind the lock', async () => {
  const { pending } = await lockedDuringLogin({ lock: { after_minutes: 10, unlock: 'key' } });
  expect([lock.unlocking, lock.keeps, pending.standing]).toEqual(['locked', false, undefined]);
  lock.unlock();
  answer = () => ({ status: 202, json: browser });
  expect(await who.login()).toBeDefined();
  press('l', { ctrlKey: true });
  expect([lock.byLogin, lock.locked, lock.unlocking, lock.keeps]).toEqual([true, true, 'locked', false]);
});

it('a remembered session that is taken up later unlocks nothing', async () => {
  who.session = nobody;
  lock.lock();
  answer = () => ({ status: 502, json: { title: 'Down', code: 'aes-unreachable', status: 502, fault: 'network' } });
  await lock.login();
  who.problem = undefined;
  who.session = person('anne', '7', byLogin);
  expect([lock.unlocking, lock.unseen]).toEqual(['ended', true]);
  lock.unlock();
  expect(lock.locked).toBe(true);
});

it('a session that was there before the window is not shown where a login unlocks', async () => {
  who.session = person('anne', '8', byLogin);
  expect(lock.unseen).toBe(true);
  await lock.begin();
  expect([lock.locked, lock.opened, lock.owner?.id, noted]).toEqual([true, false, 'anne', [true]]);
  await lock.login();
  who.session = person('anne', '9', byLogin);
  expect([lock.unseen, lock.unlocking]).toEqual([false, 'back']);
  lock.unlock();
  expect([lock.locked, lock.opened, noted]).toEqual([false, true, [true, false]]);
  // One that the window saw done is her own.
  who.session = nobody;
  who.session = browser;
  who.session = person('luc', '10', byLogin);
  expect(lock.unseen).toBe(false);
  // Taken up without a login: not.
  who.session = nobody;
  who.session = person('luc', '11', byLogin);
  expect(lock.unseen).toBe(true);
});

it('a window that was locked begins locked, unless nobody is left to be seen', async () => {
  wasLocked = true;
  await lock.begin();
  expect([lock.locked, lock.opened]).toEqual([true, false]);
  lock.unlock();
  expect([lock.locked, lock.opened]).toEqual([false, true]);
  who.session = nobody;
  await lock.begin();
  expect([lock.locked, lock.opened, noted.at(-1)]).toEqual([false, true, false]);
  who.session = browser;
  await lock.begin();
  expect(lock.locked).toBe(true);
});

it('what was locked before it was known whose it is stays locked', async () => {
  lock.lock();
  await lock.begin();
  expect([lock.locked, lock.opened]).toEqual([true, false]);
});

it('where nobody logs in at this window, a key unlocks', () => {
  who.session = { ...nobody, logins: 'delegated' };
  expect(lock.byLogin).toBe(false);
  who.session = { ...nobody, problem: { code: 'session-elsewhere' } as Session['problem'] & object };
  expect(lock.byLogin).toBe(false);
  who.session = nobody;
  expect(lock.byLogin).toBe(true);
});

it('whoever comes back from the browser has moved', async () => {
  lock.watch();
  await pass(8 * MINUTE);
  await who.login();
  answer = () => ({ status: 200, json: person('anne', '12', { lock: { after_minutes: 10, unlock: 'key' } }) });
  await pass(8 * MINUTE);
  expect(lock.locked).toBe(false);
  await pass(3 * MINUTE);
  expect(lock.locked).toBe(true);
});

it('an AeS that is down keeps it locked and says so', async () => {
  who.session = person('anne', '1', byLogin);
  lock.lock();
  answer = () => ({ status: 502, json: { title: 'Down', code: 'aes-unreachable', status: 502, fault: 'network' } });
  await lock.login();
  expect([lock.unlocking, who.problem?.code, lock.locked]).toEqual(['ended', 'aes-unreachable', true]);
});

it('somebody else gets an empty window, and only after saying so', async () => {
  who.session = person('anne', '1', byLogin);
  forms.drafts = { any: { forget: () => Promise.resolve() } as never };
  lock.lock();
  lock.discard();
  expect([lock.locked, Object.keys(forms.drafts)]).toEqual([true, ['any']]);
  await lock.login();
  who.session = person('luc', '2', byLogin);
  expect(lock.unlocking).toBe('other');
  lock.unlock();
  expect(lock.locked).toBe(true);
  lock.discard();
  expect([lock.locked, forms.drafts, lock.emptied]).toEqual([false, {}, 1]);
});
