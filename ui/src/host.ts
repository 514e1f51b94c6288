import type {
  Answer,
  Approval,
  Checked,
  Contest,
  Contested,
  Definition,
  FormSummary,
  Issued,
  JournalEntry,
  LinkView,
  NewOrigin,
  Printer,
  PrintJob,
  Problem,
  Profile,
  Session,
  Simulation,
  Status,
  Values,
} from './api';
import { speech, t } from './texts.svelte';

/** The core said no, or could not be reached. */
export class Refusal extends Error {
  constructor(readonly problem: Problem) {
    super(problem.code);
  }
}

/** The codes of the problems the window itself makes: no answer from the host; the page to be signed cannot be shown. */
const UNREACHABLE = 'window-host-unreachable';
const UNSEEN = 'window-page-unseen';

export interface PageImage {
  image: Blob;
  pages: number;
}

// Inside the desktop the router is reached in process by a custom scheme; in a browser it is the same origin.
const inDesktop = '__TAURI_INTERNALS__' in globalThis;
const scheme = !inDesktop ? '' : navigator.userAgent.includes('Windows') ? 'http://econnector.localhost' : 'econnector://localhost';
const base = `${scheme}/econnector`;

interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  accept?: string;
  signal?: AbortSignal | undefined;
  root?: string;
}

async function call(path: string, { method = 'GET', body, accept = 'application/json', signal, root = base }: Call = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: accept, 'Accept-Language': speech.language };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(root + path, {
      method,
      headers,
      cache: 'no-store',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(unreachable(0));
  }
  if (!response.ok) throw new Refusal(await problem(response));
  return response;
}

async function problem(response: Response): Promise<Problem> {
  try {
    const told = (await response.json()) as Problem;
    if (typeof told.code === 'string' && typeof told.title === 'string') return told;
  } catch {
    // Not a problem document: said below in our own words.
  }
  return unreachable(response.status);
}

function unreachable(status: number): Problem {
  return { type: 'about:blank', title: t('unreachable.title'), detail: t('unreachable.detail'), next: t('unreachable.next'), status, code: UNREACHABLE, fault: 'us' };
}

/** Nothing is sent that was not seen. What the core said of the page keeps its code and its fault. */
export function unseen(cause: unknown): Refusal {
  if (cause instanceof Refusal) {
    const detail = [`${cause.problem.title}.`, cause.problem.detail, t('unseen.detail')].filter(Boolean).join(' ');
    return new Refusal({ ...cause.problem, title: t('unseen.title'), detail });
  }
  const technical = cause instanceof Error ? cause.message : String(cause);
  return new Refusal({ type: 'about:blank', title: t('unseen.title'), detail: t('unseen.detail'), next: t('unreachable.next'), status: 0, code: UNSEEN, fault: 'us', technical });
}

async function json<T>(path: string, how?: Call): Promise<T> {
  return (await (await call(path, how)).json()) as T;
}

async function page(path: string, how: Call): Promise<PageImage> {
  const response = await call(path, { ...how, accept: 'image/svg+xml' });
  // A blob of exactly this type, so that an image element draws it whatever charset the answer carried.
  const image = new Blob([await response.arrayBuffer()], { type: 'image/svg+xml' });
  return { image, pages: Number(response.headers.get('X-Page-Count')) || 1 };
}

const q = encodeURIComponent;

export const host = {
  status: () => json<Status>('/v1/status'),
  session: () => json<Session>('/v1/session'),
  /** With another account: AeS asks who it is, even where somebody is still logged in there. */
  login: (otherAccount = false) => json<Session>('/v1/session/login', { method: 'POST', body: { other_account: otherAccount } }),
  /** For whom the logged-in person works from now on. */
  choose: (ehealthId: string) => json<Session>('/v1/session/physician', { method: 'PUT', body: { ehealth_id: ehealthId } }),
  logout: async () => void (await call('/v1/session', { method: 'DELETE' })),

  forms: async () => (await json<{ forms: FormSummary[] }>('/v1/forms')).forms,
  form: (kind: string) => json<Definition>(`/v1/forms/${q(kind)}`),
  check: (kind: string, values: Values, signal?: AbortSignal) =>
    json<Checked>(`/v1/forms/${q(kind)}/check`, { method: 'POST', body: { values }, signal }),
  /** With the id of a simulation: the page with the amounts of its answer. */
  preview: (kind: string, volet: string, number: number, values: Values, signal?: AbortSignal, simulation?: string) =>
    page(`/v1/forms/${q(kind)}/preview?volet=${q(volet)}&page=${number}${simulation ? `&simulation=${q(simulation)}` : ''}`, {
      method: 'POST',
      body: { values },
      signal,
    }),

  /** `replaces`: the document this one stands in for; the core cancels it first unless that is done. */
  issue: (id: string, kind: string, values: Values, replacing: { replaces?: string | undefined; reason?: string | undefined } = {}) =>
    json<Issued>('/v1/documents', { method: 'POST', body: { id, kind, values, ...replacing } }),
  /** The same page for a signature by hand. */
  paper: (id: string, kind: string, values: Values) => json<Issued>('/v1/paper', { method: 'POST', body: { id, kind, values } }),
  /** `replacedBy`: the id the replacing document will have. */
  cancel: (id: string, reason: string, replacedBy?: string) =>
    json<JournalEntry>(`/v1/documents/${q(id)}/cancellation`, { method: 'POST', body: { reason, replaced_by: replacedBy } }),

  simulate: (kind: string, id: string, values: Values) => json<Simulation>(`/v1/${q(kind)}/simulations`, { method: 'POST', body: { id, values } }),
  /** Signs, then gives the payment order. The same id again answers what became of the first. */
  validate: (kind: string, id: string) => json<Issued>(`/v1/${q(kind)}/simulations/${q(id)}/validation`, { method: 'POST', body: {} }),
  contest: (kind: string, id: string, anomalies: Contest[]) =>
    json<Contested>(`/v1/${q(kind)}/simulations/${q(id)}/contestation`, { method: 'POST', body: { anomalies } }),
  /** Nothing when the core does not know the id. */
  document: async (id: string): Promise<Issued | undefined> => {
    try {
      return await json<Issued>(`/v1/documents/${q(id)}`);
    } catch (error) {
      if (error instanceof Refusal && error.problem.status === 404) return undefined;
      throw error;
    }
  },
  /** The core drops the document's values and pages; its journal line stays. */
  forget: async (id: string) => void (await call(`/v1/documents/${q(id)}`, { method: 'DELETE' })),
  voletPage: (id: string, volet: string, number: number, signal?: AbortSignal) =>
    page(`/v1/documents/${q(id)}/volets/${q(volet)}?page=${number}`, { signal }),
  voletPdf: async (id: string, volet: string) =>
    new Blob([await (await call(`/v1/documents/${q(id)}/volets/${q(volet)}`, { accept: 'application/pdf' })).arrayBuffer()], {
      type: 'application/pdf',
    }),

  profile: () => json<Profile>('/v1/profile'),
  saveProfile: (profile: Profile) => json<Profile>('/v1/profile', { method: 'PUT', body: profile }),
  printers: async () => (await json<{ printers: Printer[] }>('/v1/printers')).printers,
  /** Goes straight into a printer's queue; no file is written. */
  print: (id: string, volets: string[], printer?: string) =>
    json<PrintJob>(`/v1/documents/${q(id)}/print`, { method: 'POST', body: { volets, printer } }),

  /** The door for practice software. With a revision: answers when there is a newer one, or after a while all the same. */
  link: (since?: number, signal?: AbortSignal) => json<LinkView>(`/v1/link${since === undefined ? '' : `?since=${since}`}`, { signal }),
  decide: async (software: string, allowed: boolean) =>
    void (await call(`/v1/link/software/${q(software)}`, { method: 'PUT', body: { decision: allowed ? 'allowed' : 'refused' } })),
  /** Until midnight it is not asked about each signature. */
  trust: async (software: string, trusted: boolean) =>
    void (await call(`/v1/link/software/${q(software)}`, { method: 'PUT', body: { decision: 'allowed', trusted_today: trusted } })),
  forgetSoftware: async (software: string) => void (await call(`/v1/link/software/${q(software)}`, { method: 'DELETE' })),
  /** Its key is told once. */
  allowOrigin: (origin: string) => json<NewOrigin>('/v1/link/origins', { method: 'POST', body: { origin } }),
  forgetOrigin: async (origin: string) => void (await call(`/v1/link/origins?origin=${q(origin)}`, { method: 'DELETE' })),
  approval: (id: string) => json<Approval>(`/v1/link/approvals/${q(id)}`),
  approvalPage: (id: string, number: number, signal?: AbortSignal) => page(`/v1/link/approvals/${q(id)}/pages/${number}`, { signal }),
  answer: async (id: string, answer: Answer) => void (await call(`/v1/link/approvals/${q(id)}`, { method: 'POST', body: { answer } })),

  journal: async () => (await json<{ entries: JournalEntry[] }>('/v1/journal')).entries,
};

/** What becomes of a window that is to be closed: the question stands, it is locked, it stays, what was typed may go. */
export type OfClosing = 'asked' | 'locked' | 'kept' | 'discarded';

let told: Promise<unknown> = Promise.resolve();
/** One after the other: the last one counts. */
function tell(path: string, what: unknown): void {
  if (inDesktop) told = told.then(() => call(path, { method: 'PUT', body: what, root: scheme })).catch(() => undefined);
}

/** What the program around the page keeps of it as long as it runs; in a browser there is none. */
export const shell = {
  /** Whether the window was locked when it was closed, or its page read again. */
  wasLocked: async (): Promise<boolean> => inDesktop && (await json<boolean>('/window/lock', { root: scheme })),
  /** Whether the practice software, or a link, wants a login here; said once. */
  isLoginWanted: async (): Promise<boolean> => inDesktop && (await json<boolean>('/window/login', { root: scheme })),
  /** Where it cannot be told, the page is locked all the same. */
  noteLocked: (locked: boolean): void => tell('/window/lock', locked),
  /** Whether closing the window now would lose something: then the page is told first. */
  noteUnsent: (unsent: boolean): void => tell('/window/unsent', unsent),
  sayOfClosing: (what: OfClosing): void => tell('/window/closing', what),
};
