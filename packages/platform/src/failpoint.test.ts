import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { armFailpoints, armedFailpoints, failpoint, hitFailpoints } from './failpoint';

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

  it('acts once: what comes after it is the retry', async () => {
    armFailpoints('a.step=throw');
    await expect(failpoint('a.step')).rejects.toThrow('failpoint a.step');
    await failpoint('a.step');
    expect([...hitFailpoints()]).toEqual(['a.step']);
    armFailpoints('a.step=throw');
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

  it('says its name and stands still, timers and all, until it is continued', async () => {
    const script = `const { armFailpoints, failpoint } = require('./failpoint.ts');
      armFailpoints('a.step=stop');
      setTimeout(() => console.log('a timer'), 1);
      console.log('before');
      failpoint('a.step').then(() => console.log('went on'));`;
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', script], { cwd: __dirname, stdio: 'pipe' });
    let printed = '';
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const isStopped = () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
    try {
      // What it printed may still be on its way when it stands.
      while (!isStopped() || printed === '' || said === '') await new Promise((resolve) => setImmediate(resolve));
      expect([printed.trim(), said.trim()]).toEqual(['before', 'failpoint a.step']);
      child.kill('SIGCONT');
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(printed).toContain('went on');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it.each(['a', 'a=b', 'A=kill', '=kill', 'a.step=kill=2'])('is refused when it reads %s', (text) => {
    expect(() => armFailpoints(text)).toThrow('VIBE_FAILPOINTS');
  });
});
