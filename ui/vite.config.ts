import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** `npm run dev` and `npm run preview` answer the API with fictitious data; the built window never contains any of it. */
function mockHost(): Plugin {
  const answer = async () => (await import('./mock/host.mjs')).answer;
  return {
    name: 'mock-host',
    configureServer: async (server) => void server.middlewares.use(await answer()),
    configurePreviewServer: async (server) => void server.middlewares.use(await answer()),
  };
}

/** What the shell allows the window; kept here too, so that a breach shows in a browser already. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

export default defineConfig({
  base: './',
  plugins: [svelte(), mockHost()],
  server: { host: '127.0.0.1', port: 1420, strictPort: true },
  preview: { host: '127.0.0.1', port: 1421, strictPort: true, headers: { 'Content-Security-Policy': POLICY } },
  build: { target: ['chrome105', 'safari15'], assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
