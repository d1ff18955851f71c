import { defineConfig } from 'vite';

/** Two pages, served by the gateway under /terminal/. Nothing is inlined: the pages run under a strict content policy. */
export default defineConfig({
  base: '/terminal/',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    rolldownOptions: { input: ['index.html', 'terminal.html'] },
  },
});
