import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { armFailpoints, armedFailpoints, failpoint } from './failpoint';

describe('a failpoint', () => {
  afterEach(() => armFailpoints(''));

  it('does nothing unless it is armed', async () => {
    await failpoint('a.step');
    armFailpoints('other.step=throw');
    await failpoint('a.step');
    expect(armedFailpoints()).toEqual(['other.step']);
  });

  it('throws when told to', async () => {
    armFailpoints('a.step=throw, b.step=hang');
    await expect(failpoint('a.step')).rejects.toThrow('failpoint a.step');
  });

  it('never comes back when told to hang', async () => {
    armFailpoints('a.step=hang');
    const later = new Promise((resolve) => setImmediate(() => resolve('later')));
    expect(await Promise.race([failpoint('a.step'), later])).toBe('later');
  });

  it('kills the process like kill -9, with no time for anything', async () => {
    const script = `const { armFailpoints, failpoint } = require('./failpoint.ts');
      process.on('exit', () => console.log('exit handlers ran'));
      armFailpoints('a.step=kill');
      failpoint('a.step').then(() => console.log('went on'));`;
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', script], { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
    expect(printed).toBe('');
  });

  it.each(['a', 'a=b', 'A=kill', '=kill', 'a.step=kill=2'])('is refused when it reads %s', (text) => {
    expect(() => armFailpoints(text)).toThrow('VIBE_FAILPOINTS');
  });
});
