import { setTimeout as sleep } from 'node:timers/promises';
import { SWARM_QUEUE, newCollectionRun, swarmJobs } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import type { Collection, EndedCollection, JobQueues, RegistryCollection } from '@vibe/session-store';

const LOOK_EVERY_MS = 500;
/** How long nobody may take the job before that is said, in ms. */
const NOBODY_AFTER_MS = 30_000;

const stepTexts: Readonly<Record<Collection['step'], string>> = {
  draining: 'waiting for what is falling asleep',
  closing: 'making the registry read-only',
  collecting: 'collecting',
  opening: 'making the registry writable again',
};

const secondsOf = (ms: number | undefined): string => `${((ms ?? 0) / 1_000).toFixed(1)} s`;

function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return 'nobody knows how much was freed';
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes >= 1024 ? `${(mebibytes / 1024).toFixed(1)} GiB freed` : `${mebibytes.toFixed(1)} MiB freed`;
}

/** One line on how a collection went. Pure. */
export function endText(ended: EndedCollection): string {
  const times = `draining ${secondsOf(ended.ms_draining)}, closing ${secondsOf(ended.ms_closing)}, collecting ${secondsOf(ended.ms_collecting)}, opening ${secondsOf(ended.ms_opening)}`;
  const how = ended.outcome === 'collected' ? bytesText(ended.freed_bytes) : `${ended.outcome.replace('_', ' ')}: ${ended.reason ?? 'only what an earlier one left was put right'}`;
  return `${how} (${times})`;
}

/**
 * Asks an agent to collect the registry's garbage; where one is under way already, that one counts. With `isWaiting` it says
 * each step as it begins and ends with the collection. Returns whether it was collected.
 * @throws nobody_collects when no agent takes the job
 */
export async function askForCollection(
  { collection, queues, say }: { collection: RegistryCollection; queues: Pick<JobQueues, 'add'>; say: (line: string) => void },
  { isWaiting, nobodyAfterMs = NOBODY_AFTER_MS }: { isWaiting: boolean; nobodyAfterMs?: number },
): Promise<boolean> {
  const before = await collection.last();
  const underWay = await collection.current();
  const run = underWay?.run ?? newCollectionRun();
  await queues.add(SWARM_QUEUE, swarmJobs.collect, { run });
  say(underWay ? `a collection is under way: ${stepTexts[underWay.step]}` : 'asked for a collection');
  if (!isWaiting) return true;

  const until = Date.now() + nobodyAfterMs;
  let said = underWay?.step ?? null;
  let isSeen = underWay !== null;
  for (;;) {
    const at = await collection.current();
    const last = await collection.last();
    if (at && at.step !== said) say(stepTexts[at.step]);
    if (at) [said, isSeen] = [at.step, true];
    // Another job may have been waiting already: whichever collection ends first is the one.
    if (!at && last && last.run !== before?.run) {
      say(endText(last));
      return last.outcome === 'collected';
    }
    if (!isSeen && Date.now() > until) throw new CodedError('nobody_collects', 'no agent takes the job: see whether vibe-control_hibernator-worker runs on a manager');
    await sleep(LOOK_EVERY_MS);
  }
}
