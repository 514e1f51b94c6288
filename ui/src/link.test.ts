import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { LinkView, Question } from './api';
import { place } from './place.svelte';
import { speech } from './texts.svelte';

const question = (id: string, more: Partial<Question> = {}): Question => ({ id, kind: 'approval', software: 'Medico', action: 'sign', since: `2026-11-21T13:0${id}:00Z`, ...more });
const view = (revision: number, waiting: Question[] = []): LinkView => ({
  revision,
  enabled: true,
  listening: true,
  addresses: [],
  connection_file: '',
  environment: 'training',
  software: [],
  origins: [],
  refused: [],
  waiting,
});

interface Call {
  method: string;
  path: string;
  body: unknown;
  language: string;
  answer: (status: number, json?: unknown) => void;
  aborted: () => boolean;
}
let calls: Call[];
let link: typeof import('./link.svelte').link;
let QUESTION: string;

/** Every call waits until the test answers it. */
beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  calls = [];
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const call = {
      method: String(init.method),
      path: url.replace('/econnector', ''),
      body: init.body ? (JSON.parse(String(init.body)) as unknown) : undefined,
      language: (init.headers as Record<string, string>)['Accept-Language'] ?? '',
      aborted: () => init.signal?.aborted ?? false,
    };
    return new Promise<Response>((resolve, reject) => {
      calls.push({ ...call, answer: (status, json) => resolve(new Response(status === 204 ? null : JSON.stringify(json ?? { title: 'No', code: 'no', status, fault: 'you' }), { status })) });
      init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    });
  });
  vi.doMock('./place.svelte', () => ({ place }));
  vi.doMock('./texts.svelte', async (real) => ({ ...(await real<typeof import('./texts.svelte')>()), speech }));
  place.path = '';
  speech.language = 'fr';
  ({ link, QUESTION } = await import('./link.svelte'));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const last = () => calls.at(-1)!;

/** The window as it stands when these wait. */
async function waiting(...questions: Question[]) {
  void link.watch();
  last().answer(200, view(1, questions));
  await settle();
}
async function news(revision: number, ...questions: Question[]) {
  calls.findLast((call) => call.path.startsWith('/v1/link?'))!.answer(200, view(revision, questions));
  await settle();
}

it('asks at once, then waits for what is newer', async () => {
  await waiting(question('1'));
  expect(calls.map((call) => call.path)).toEqual(['/v1/link', '/v1/link?since=1']);
  await news(2);
  expect([last().path, link.waiting]).toEqual(['/v1/link?since=2', []]);
});

it('stops quietly where there is no such door', async () => {
  void link.watch();
  last().answer(404);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([calls.length, link.view]).toEqual([1, undefined]);
});

it('a host that does not answer is asked again after a while, and keeps what is known', async () => {
  await waiting(question('1'));
  last().answer(503);
  await settle();
  expect(calls).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(3000);
  expect([calls.length, last().path, link.waiting.length]).toEqual([3, '/v1/link?since=1', 1]);
});

it('a host that answers nothing new at once is not asked in a circle', async () => {
  await waiting();
  for (let step = 0; step < 3; step++) {
    await news(1);
    expect(calls).toHaveLength(2 + step);
    await vi.advanceTimersByTimeAsync(3000);
    expect(calls).toHaveLength(3 + step);
  }
});

it('patience that ran out is asked for again at once', async () => {
  await waiting();
  await vi.advanceTimersByTimeAsync(25_000);
  await news(1);
  expect(calls).toHaveLength(3);
});

it('another language gives up the old question and asks for all of it', async () => {
  await waiting();
  const before = last();
  speech.language = 'de';
  link.again();
  await settle();
  expect([before.aborted(), last().path, last().language]).toEqual([true, '/v1/link', 'de']);
});

it('shows who waits longest first, and comes back to where she was', async () => {
  place.path = 'new/ecit';
  await waiting(question('2'), question('1'));
  expect(link.look()).toBe(true);
  expect([place.path, link.question?.id, link.others.map((one) => one.id)]).toEqual([QUESTION, '1', ['2']]);
  link.leave();
  expect([place.path, link.question, link.waiting.length]).toEqual(['new/ecit', undefined, 2]);
});

it('nothing waits: nothing is shown', async () => {
  place.path = 'journal';
  await waiting();
  expect([link.look(), place.path]).toEqual([false, 'journal']);
});

it('the key goes round all that wait, and never forgets where it began', async () => {
  place.path = 'new/mh';
  await waiting(question('1'), question('2'), question('3'));
  const seen: (string | undefined)[] = [];
  for (let step = 0; step < 4; step++) {
    link.look();
    seen.push(link.question?.id);
  }
  expect(seen).toEqual(['1', '2', '3', '1']);
  link.leave();
  expect(place.path).toBe('new/mh');
});

it('an answer leads to the next question, the last one back', async () => {
  place.path = 'new/ecit';
  await waiting(question('1'), question('2'));
  link.look();
  const first = link.answer('once');
  expect([last().method, last().path, last().body]).toEqual(['POST', '/v1/link/approvals/1', { answer: 'once' }]);
  last().answer(204);
  expect(await first).toBe(true);
  link.goOn();
  expect([place.path, link.question?.id, link.waiting.map((one) => one.id)]).toEqual([QUESTION, '2', ['2']]);
  const second = link.answer('refuse');
  last().answer(204);
  await second;
  link.goOn();
  expect([place.path, link.waiting]).toEqual(['new/ecit', []]);
});

it('what was answered does not come back with news that are older than the answer', async () => {
  await waiting(question('1'));
  link.look();
  const done = link.answer('today');
  last().answer(204);
  await done;
  await news(2, question('1'));
  expect(link.waiting).toEqual([]);
  await news(3);
  await news(4, question('1'));
  expect(link.waiting).toHaveLength(1);
});

it('knows what trust would answer along, unseen', async () => {
  await waiting(question('1'), question('3', { software: 'Agenda' }));
  link.look();
  expect(link.along).toEqual([]);
  await news(2, question('1'), question('2'), question('3', { software: 'Agenda' }));
  expect(link.along.map((one) => one.id)).toEqual(['2']);
  link.leave();
  expect(link.along).toEqual([]);
});

it('trust answers whatever else the same software waits for, and nobody else', async () => {
  const others = [question('2'), question('3', { software: 'Agenda' }), question('4', { origin: 'https://medico.example.lu' }), question('5', { kind: 'consent' })];
  await waiting(question('1'), ...others);
  link.look();
  const done = link.answer('today');
  last().answer(204);
  await done;
  expect(link.waiting.map((one) => one.id)).toEqual(['3', '4', '5']);
});

it('trust that came too late ends only its own question', async () => {
  await waiting(question('1'), question('2'));
  link.look();
  link.look();
  const done = link.answer('today');
  last().answer(404);
  await done;
  expect(link.waiting.map((one) => one.id)).toEqual(['1']);
});

it('a question that is withdrawn stays before the eyes, and nobody waits for it', async () => {
  await waiting(question('1'));
  link.look();
  expect(link.open).toBe(true);
  await news(2);
  expect([link.open, link.question?.id, place.path]).toEqual([false, '1', QUESTION]);
});

it('an answer that comes too late is not taken for given', async () => {
  await waiting(question('1'));
  link.look();
  const done = link.answer('once');
  last().answer(404);
  expect([await done, link.open, link.problem]).toEqual([false, false, undefined]);
});

it('an answer that could not be given can be given again', async () => {
  await waiting(question('1'));
  link.look();
  const done = link.answer('once');
  last().answer(503);
  expect([await done, link.open, link.problem?.status, link.busy]).toEqual([false, true, 503, false]);
});

it('answers once, however often it is pressed', async () => {
  await waiting(question('1'));
  link.look();
  const before = calls.length;
  void link.answer('once');
  expect(await link.answer('once')).toBe(false);
  expect(calls.length - before).toBe(1);
});

it('a consent goes to the software by its name, and is the same question when it asks again', async () => {
  const software = 'Cabinet (LU) 4 & Co';
  await waiting(question('1', { kind: 'consent', software }));
  link.look();
  await news(2);
  expect(link.open).toBe(false);
  await news(3, question('5', { kind: 'consent', software }));
  expect([link.open, link.question?.id, link.others]).toEqual([true, '5', []]);
  const done = link.decide(true);
  expect([last().method, last().path, last().body]).toEqual(['PUT', '/v1/link/software/Cabinet%20(LU)%204%20%26%20Co', { decision: 'allowed' }]);
  last().answer(204);
  expect([await done, link.waiting]).toEqual([true, []]);
});

it('on any other screen everything that waits is told, also what was looked at before', async () => {
  await waiting(question('1'), question('2'));
  link.look();
  place.path = 'journal';
  expect(link.others.map((one) => one.id)).toEqual(['1', '2']);
});
