import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Installation } from './installation';

/** Without a sandbox (tests run as root in containers), without a graphics card, and without calls to anybody's servers. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Viewport {
  readonly width: number;
  readonly height: number;
}

export const WIDE: Viewport = { width: 1280, height: 800 };
export const NARROW: Viewport = { width: 390, height: 844 };

/** The machine's own Chromium, as one person uses it: one profile, what goes wrong in pages is kept. */
export class PersonsBrowser {
  /** Errors that pages threw or printed. */
  readonly complaints: string[] = [];

  private constructor(
    private readonly browser: Browser,
    private readonly context: BrowserContext,
    readonly page: Page,
    /** Where pictures are kept. */
    readonly pictures: string,
  ) {
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      // Chromium ends requests when a network interface of the machine comes or goes, as a lab's do: no fault of a page.
      if (message.type() === 'error' && !message.text().includes('ERR_NETWORK_CHANGED')) this.complaints.push(`${message.text()} ${message.location().url}`);
    });
  }

  /** Starts the Chromium that is installed at a path. */
  static async start(installation: Installation, executablePath = '/usr/bin/chromium'): Promise<PersonsBrowser> {
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    const context = await browser.newContext({ baseURL: installation.url.origin, viewport: WIDE, ignoreHTTPSErrors: !installation.tls.rejectUnauthorized });
    return new PersonsBrowser(browser, context, await context.newPage(), await mkdtemp(join(tmpdir(), 'vibe-pictures-')));
  }

  /** Keeps a picture of what is seen, wide and narrow, as NAME-wide.png and NAME-narrow.png. */
  async takePictures(name: string): Promise<void> {
    for (const [size, viewport] of [['narrow', NARROW], ['wide', WIDE]] as const) {
      await this.page.setViewportSize(viewport);
      await this.page.screenshot({ path: join(this.pictures, `${name}-${size}.png`) });
    }
  }

  async close(): Promise<void> {
    await this.context.close();
    await this.browser.close();
  }
}
