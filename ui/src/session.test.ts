import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Physician, Session } from './api';
import { Pending } from './pending.svelte';
import { who } from './session.svelte';

const anne: Physician = { ehealth_id: '1900000001', name: 'Dr Anne Weber', provider_codes: ['90000101'] };
const luc: Physician = { ehealth_id: '1900000002', name: 'Dr Luc Muller', provider_codes: ['90000102'] };
const base = { environment: 'training', remembered: true, notices: [], acts_for: [] } as unknown as Session;
const claire = (physician?: Physician, since = 'k'): Session => ({ ...base, state: 'logged_in', since, actor: { id: 'k', name: 'Claire Klein' }, acts_for: [anne, luc], mandate: physician !== undefined, ...(physician ? { physician } : {}) });
const self = (id: string, physician: Physician, since = '1'): Session => ({ ...base, state: 'logged_in', since, actor: { id, name: physician.name }, physician });
const nobody: Session = { ...base, state: 'logged_out' };
const browser: Session = { ...base, state: 'logging_in', login_url: 'http://127.0.0.1/' };
const late = { title: 'Late', code: 'login-timeout', status: 401, fault: 'you', type: 'about:blank', detail: '', next: '' } as const;

interface Call {
  method: string;
  path: string;
  body: unknown;
  answer: (status: number, json: unknown) => void;
}
let calls: Call[];
beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    return new Promise<Response>((resolve) => {
      calls.push({
        method: String(init.method),
        path: url.replace('/econnector', ''),
        body: init.body ? (JSON.parse(String(init.body)) as unknown) : undefined,
        answer: (status, json) => resolve(new Response(JSON.stringify(json), { status })),
      });
    });
  });
  who.session = undefined;
  who.problem = undefined;
  who.logoutProblem = undefined;
  who.refused = undefined;
  who.last = undefined;
});
afterEach(() => {
  vi.clearAllTimers();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const settle = () => vi.advanceTimersByTimeAsync(0);
const last = () => calls.at(-1)!;
/** The core answers like this from now on. */
async function tells(session: Session) {
  void who.refresh();
  last().answer(200, session);
  await settle();
}

it('a secretary works for nobody until she chooses', async () => {
  await tells(claire());
  expect([who.mustChoose, who.physician, who.acting, who.choices.length]).toEqual([true, undefined, undefined, 2]);
  const choosing = who.choose(luc.ehealth_id);
  expect([last().method, last().path, last().body]).toEqual(['PUT', '/v1/session/physician', { ehealth_id: luc.ehealth_id }]);
  last().answer(200, claire(luc));
  await choosing;
  expect([who.mustChoose, who.physician?.name, who.mandate, who.acting?.actor?.name]).toEqual([false, 'Dr Luc Muller', true, 'Claire Klein']);
});

it('of several choices in a hurry the last one counts', async () => {
  await tells(claire());
  const choosing = who.choose(anne.ehealth_id);
  await who.choose(luc.ehealth_id);
  expect(calls.filter(({ method }) => method === 'PUT')).toHaveLength(1);
  last().answer(200, claire(anne));
  await settle();
  expect(who.physician).toBeUndefined();
  expect(last().body).toEqual({ ehealth_id: luc.ehealth_id });
  last().answer(200, claire(luc));
  await choosing;
  expect(who.physician?.name).toBe('Dr Luc Muller');
});

it('a choice that is refused changes nothing, and says why', async () => {
  await tells(claire(anne));
  const choosing = who.choose('1900000009');
  last().answer(403, { ...late, code: 'physician-not-represented', status: 403 });
  await settle();
  last().answer(200, claire(anne));
  await choosing;
  expect([who.refused?.problem.code, who.refused?.physician, who.physician?.name]).toEqual(['physician-not-represented', '1900000009', 'Dr Anne Weber']);
});

it('a physician who lists a colleague can go back to herself', async () => {
  await tells({ ...self('w', anne), acts_for: [luc] });
  expect(who.choices.map((one) => one.name)).toEqual(['Dr Anne Weber', 'Dr Luc Muller']);
});

it('what only a physician may do is barred for a mandate, and for nobody else', async () => {
  await tells(claire(anne));
  expect([who.isBarred('contest', { physician_only: ['contest'] }), who.isBarred('pay', { physician_only: ['contest'] }), who.isBarred('pay', undefined)]).toEqual([true, false, false]);
  await tells(self('w', anne));
  expect(who.isBarred('contest', { physician_only: ['contest'] })).toBe(false);
});

it('a login mends a 401, unless logins are brought by software', async () => {
  await tells({ ...nobody, logins: 'both' });
  expect([who.mends(late), who.mends({ ...late, status: 403 }), who.mends(undefined)]).toEqual([true, false, false]);
  await tells({ ...nobody, logins: 'delegated' });
  expect(who.mends(late)).toBe(false);
});

// --- What waits for a login -------------------------------------------------------------------------------------------------

async function interrupted(unchanged?: () => boolean) {
  await tells(self('w', anne));
  const by = who.acting;
  await tells(nobody);
  const pending = new Pending();
  const run = vi.fn();
  const asked = pending.login({ by, run, ...(unchanged ? { unchanged } : {}) });
  last().answer(202, browser);
  await asked;
  return { pending, run };
}

it('waits while the browser has the word, and goes on once when the same person is back', async () => {
  const { pending, run } = await interrupted();
  expect(pending.standing).toBe('browser');
  await tells(self('w', anne, '2'));
  expect(pending.standing).toBe('back');
  expect([pending.goOn(), pending.goOn(), run.mock.calls.length, pending.standing]).toEqual([true, false, 1, undefined]);
});

it('does not go on for somebody else, for another physician, or with other values', async () => {
  const { pending } = await interrupted();
  await tells(self('m', luc, '2'));
  expect(pending.standing).toBe('other');
  await tells(claire(anne));
  expect(pending.standing).toBe('other');
  await tells(claire());
  expect(pending.standing).toBe('choose');
  await tells({ ...base, state: 'logged_in', actor: { id: 'n', name: 'Paul' } });
  expect(pending.standing).toBe('nobody');
  const changed = await interrupted(() => false);
  await tells(self('w', anne, '2'));
  expect([changed.pending.goOn(), changed.run.mock.calls.length]).toEqual([false, 0]);
});

it('says whether what waits still goes on by itself', async () => {
  let means = 'pay';
  const { pending } = await interrupted(() => means === 'pay');
  expect(pending.goesOn).toBe(true);
  means = 'contest';
  await tells(self('w', anne, '2'));
  expect([pending.standing, pending.goOn()]).toEqual(['back', false]);
  // Where nothing is to be repeated.
  expect((await interrupted()).pending.goesOn).toBe(false);
});

it('what is given up while its login is being asked for does not wait for it', async () => {
  await tells(self('w', anne));
  const pending = new Pending();
  const run = vi.fn();
  const asked = pending.login({ by: who.acting, run });
  pending.drop();
  last().answer(202, browser);
  await asked;
  await tells(self('w', anne, '2'));
  expect([pending.standing, pending.goOn(), run.mock.calls.length]).toEqual([undefined, false, 0]);
});

it('a login that ends without anybody keeps what waits, and asks with another account when told to', async () => {
  const { pending, run } = await interrupted();
  await tells({ ...nobody, problem: late });
  expect([pending.standing, who.problem?.code]).toEqual(['ended', 'login-timeout']);
  const asked = pending.again(true);
  expect(last().body).toEqual({ other_account: true });
  last().answer(202, browser);
  await asked;
  await tells(self('w', anne, '2'));
  expect(pending.goOn()).toBe(true);
  expect(run).toHaveBeenCalledOnce();
});

it('a login that is given up while a session goes on leads nowhere', async () => {
  await tells(self('w', anne));
  const pending = new Pending();
  const asked = pending.login({ by: who.acting, run: vi.fn() });
  last().answer(202, browser);
  await asked;
  expect(who.present?.physician.name).toBe(anne.name);
  await tells(self('w', anne));
  expect(pending.standing).toBe('ended');
  const again = pending.again();
  last().answer(202, browser);
  await again;
  await tells(self('w', anne, '2'));
  expect(pending.standing).toBe('back');
});

it('a refusal for want of a login asks for one, until somebody has logged in', async () => {
  await tells(self('w', anne));
  const refused = { ...late };
  expect([who.mends(refused), who.hasMended(refused)]).toEqual([true, false]);
  await tells(nobody);
  expect(who.mends(refused)).toBe(true);
  await tells(self('w', anne, '2'));
  expect([who.mends(refused), who.hasMended(refused)]).toEqual([false, true]);
});

it('what a logout could not do stands until somebody logs in, however often the session is asked for', async () => {
  await tells(self('w', anne));
  const leaving = who.logout();
  expect([last().method, last().path]).toEqual(['DELETE', '/v1/session']);
  last().answer(502, { ...late, code: 'logout-not-forgotten', status: 502 });
  await settle();
  last().answer(200, nobody);
  await leaving;
  await vi.advanceTimersByTimeAsync(3000);
  last().answer(200, nobody);
  await settle();
  expect([who.loggedIn, who.problem, who.logoutProblem?.code]).toEqual([false, undefined, 'logout-not-forgotten']);
  // A login that is only begun, and given up, changes nothing of it.
  await tells(browser);
  const givingUp = who.logout();
  last().answer(200, null);
  await settle();
  last().answer(200, nobody);
  await givingUp;
  expect(who.logoutProblem?.code).toBe('logout-not-forgotten');
  await tells(self('m', luc, '2'));
  expect(who.logoutProblem).toBeUndefined();
});

it('a logout that fails and is done again says nothing more', async () => {
  await tells(self('w', anne));
  const failing = who.logout();
  last().answer(503, { ...late, code: 'host-not-started', status: 503 });
  await settle();
  last().answer(200, self('w', anne));
  await failing;
  expect([who.loggedIn, who.logoutProblem?.code]).toEqual([true, 'host-not-started']);
  const leaving = who.logout();
  last().answer(200, null);
  await settle();
  last().answer(200, nobody);
  await leaving;
  expect([who.loggedIn, who.logoutProblem]).toEqual([false, undefined]);
});

it('an answer that is cut does not end the watch', async () => {
  const asked = who.refresh();
  const cut = calls.at(-1)!;
  cut.answer(200, undefined);
  await expect(asked).rejects.toThrow();
  const before = calls.length;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(calls.length).toBeGreaterThan(before);
});

it('a session that was refused is not taken for the new one', async () => {
  await tells(self('w', anne));
  const pending = new Pending();
  const asked = pending.login({ by: who.acting, run: vi.fn() });
  expect(pending.standing).toBeUndefined();
  last().answer(502, { ...late, code: 'aes-unreachable', status: 502 });
  await asked;
  expect([pending.standing, who.problem?.code]).toEqual(['ended', 'aes-unreachable']);
});
