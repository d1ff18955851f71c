import { Lab } from '../src/lab';
import { resetClock } from '../src/lab-clock';

export default async function globalTeardown(): Promise<void> {
  await resetClock(new Lab());
}
