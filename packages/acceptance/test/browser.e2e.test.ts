import { randomBytes } from 'node:crypto';
import type { Locator } from 'playwright-core';
import { PersonsBrowser } from '../src/browser';
import { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

const LONG = { timeout: 90_000 };

describe('in a real browser', () => {
  const fixture = useLab();

  it('somebody signs in, types, lets the session sleep, wakes it by a key, and finds the file', async () => {
    const userId = `browser-${randomBytes(4).toString('hex')}`;
    const browser = await PersonsBrowser.start(fixture.installation, process.env.CHROMIUM);
    const { page } = browser;
    const card = (name: string): Locator => page.locator(`[data-card="${name}"]`);
    const rows = page.locator('#screen .xterm-rows');
    const typeLine = async (line: string): Promise<void> => {
      await page.keyboard.type(line, { delay: 5 });
      await page.keyboard.press('Enter');
    };
    /** Nothing lies over the terminal, and the shell has said its prompt. */
    const untilTerminal = async (): Promise<void> => {
      await page.locator('[data-card]').waitFor({ state: 'detached', ...LONG });
      await rows.getByText('$').first().waitFor(LONG);
    };
    try {
      await page.goto('/');
      await page.getByLabel('Pick a name').fill(userId);
      await browser.takePictures('1-sign-in');
      await page.getByRole('button', { name: 'Sign in' }).click();

      await page.getByRole('heading', { name: 'My sessions' }).waitFor();
      await page.getByText('There is no backup').waitFor();
      await browser.takePictures('2-first-use');
      await page.getByRole('button', { name: 'I understand' }).click();
      await page.getByLabel('Name of the new session').fill('from a browser');
      await page.getByRole('button', { name: 'New session' }).click();

      await page.waitForURL(/\/terminal\/[a-z0-9]{26}$/);
      await untilTerminal();
      await typeLine('echo "typed in a browser" > note.txt; cat note.txt | tr a-z A-Z');
      await rows.getByText(/TYPED IN A BROWSER/).waitFor();
      await browser.takePictures('3-terminal');

      await page.getByRole('button', { name: 'Sleep' }).click();
      await card('sleeping').waitFor();
      await browser.takePictures('4-falling-asleep');
      await card('asleep').waitFor(LONG);
      await browser.takePictures('5-asleep');

      const wokenAt = Date.now();
      await page.keyboard.press('Enter');
      await card('waking').waitFor();
      await browser.takePictures('6-waking');
      await untilTerminal();
      report(`a key press woke it in ${((Date.now() - wokenAt) / 1_000).toFixed(1)} s`);
      await typeLine('clear; cat note.txt | rev');
      await rows.getByText(/resworb a ni depyt/).waitFor();
      await browser.takePictures('7-awake-again');

      await page.getByRole('link', { name: 'My sessions' }).click();
      const mine = page.locator('[data-session]');
      await mine.getByText('Running').waitFor();
      await browser.takePictures('8-my-sessions');
      await mine.getByRole('button', { name: 'Delete' }).click();
      await page.getByText('Everything in it is erased').waitFor();
      await browser.takePictures('9-delete');
      await page.getByRole('button', { name: 'Delete for good' }).click();
      await mine.waitFor({ state: 'detached', ...LONG });
      expect(browser.complaints).toEqual([]);
    } finally {
      report(`pictures are in ${browser.pictures}`);
      await browser.close();
      const person = await Person.signIn(fixture.installation, userId);
      await person.leave();
    }
  });

  it('a page that is loaded in the background, or whose socket comes back, wakes nothing', async () => {
    const person = await fixture.signIn('asleep');
    const { id } = await person.create();
    await person.sleep(id);
    // What a prefetch, a restored tab or a link preview asks for.
    for (const path of [`/terminal/${id}`, `/ttyd/${id}/`, `/ttyd/${id}/g1/ws`]) await person.api.send('GET', path, { headers: { 'sec-purpose': 'prefetch' } });
    await person.api.get(id);
    await person.listenAgain();
    expect(await person.api.get(id)).toMatchObject({ state: 'hibernated', generation: 1 });
  });
});
