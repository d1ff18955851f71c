import { ApiClient } from '../src/api-client';
import { eventually } from '../src/eventually';
import { Lab } from '../src/lab';
import { resetClock } from '../src/lab-clock';

/** Ends the run with one sentence when there is no lab; puts its clock right; waits until its API answers. */
export default async function globalSetup(): Promise<void> {
  const lab = new Lab();
  const installation = await lab.installation();
  await resetClock(lab);
  const api = new ApiClient(installation, await installation.tokenOf('global-setup'));
  await eventually('the API answers', async () => (await api.send('GET', '/api/sessions')).status === 200, { withinMs: 120_000 });
  await api.close();
}
