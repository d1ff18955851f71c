import type { LookupFunction } from 'node:net';
import { patientLookup } from '../src/patient-lookup';

const refusal = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

function resolve(lookup: LookupFunction): Promise<string> {
  return new Promise((found, refused) => {
    lookup('session-x.1.task', {}, (error, address) => (error ? refused(error) : found(address as string)));
  });
}

describe('the name of a task', () => {
  it('is asked for again until the gossip of the Swarm has brought it', async () => {
    let asked = 0;
    const lookup: LookupFunction = (_name, _options, callback) => {
      asked += 1;
      if (asked < 4) callback(refusal('ENOTFOUND'), '', 4);
      else callback(null, '10.128.0.9', 4);
    };
    await expect(resolve(patientLookup({ lookup, everyMs: 1 }))).resolves.toBe('10.128.0.9');
    expect(asked).toBe(4);
  });

  it('is given up when time is over', async () => {
    const lookup: LookupFunction = (_name, _options, callback) => callback(refusal('ENOTFOUND'), '', 4);
    await expect(resolve(patientLookup({ lookup, limitMs: 20, everyMs: 1 }))).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it('is asked for once when the answer is another error', async () => {
    let asked = 0;
    const lookup: LookupFunction = (_name, _options, callback) => {
      asked += 1;
      callback(refusal('EMFILE'), '', 4);
    };
    await expect(resolve(patientLookup({ lookup, everyMs: 1 }))).rejects.toMatchObject({ code: 'EMFILE' });
    expect(asked).toBe(1);
  });
});
