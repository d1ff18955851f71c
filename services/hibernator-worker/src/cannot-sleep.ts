import type { AgentParts } from './agent-parts';
import type { AgentAlarm } from './alarms';
import type { DiskShare } from './disk-space';

/** A snapshot may hold this many layers at most: the Engine fails at 125. */
const LAYERS_MAX = 100;

/** Free space that a commit must leave beyond what it may write. */
const DISK_MARGIN_BYTES = 512 * 1024 * 1024;

/** What a layer whose size nobody can say is taken for, as a share of the disk. */
const UNKNOWN_LAYER_SHARE = 0.1;

/** Why a session cannot be put to sleep now; told to the user as it stands. */
export class CannotSleep extends Error {
  override readonly name = 'CannotSleep';

  constructor(
    readonly alarm: AgentAlarm,
    message: string,
  ) {
    super(message);
  }
}

/** Throws where no snapshot can be taken of what a container was made from. What ended cannot go on: it is saved all the same, and refused next time. */
export async function requireSavableImage({ engine }: AgentParts, container: { state: string; image: string }): Promise<void> {
  const image = await engine.inspectImage(container.image);
  if (image && image.layerCount >= LAYERS_MAX && container.state !== 'exited') throw new CannotSleep('too_many_layers', `it is ${image.layerCount} layers deep and cannot go deeper; copy what matters to a new session`);
  if (image?.hasVolumes) throw new CannotSleep('keeps_volumes', 'its image keeps data in volumes, which no snapshot holds; build the session image without VOLUME');
}

/**
 * Promises an attempt the disk that its commit writes, or throws. That is the apparent size of the layer: holes are filled, so a
 * sparse file counts whole.
 * @param sizeRw bytes of the layer; null when they could not be measured
 */
export async function requireRoom({ disk }: AgentParts, share: DiskShare, sizeRw: number | null): Promise<void> {
  const { totalBytes, freeBytes } = await disk();
  if (!share.promise(sizeRw ?? totalBytes * UNKNOWN_LAYER_SHARE, freeBytes - DISK_MARGIN_BYTES)) throw new CannotSleep('disk_full', 'its node has too little free disk to save it');
}
