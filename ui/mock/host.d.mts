import type { Connect } from 'vite';

export const answer: Connect.NextHandleFunction;
