import type { RegistryClient } from '@vibe/registry';
import type { Epoch, SessionStore, SnapshotCare } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';

/** What a process of the product says to the outside. */
export interface Outsides {
  readonly engine: Engine;
  readonly registry: RegistryClient;
  readonly store: SessionStore;
  readonly care: SnapshotCare;
  readonly epoch: Epoch;
}

/** Takes one defence out of a process, so that the model can be seen to find what it was for. */
export type Weakening = (outsides: Outsides) => Outsides;

function overriding<T extends object>(target: T, overrides: Partial<T>): T {
  return new Proxy(target, { get: (object, name) => (name in overrides ? Reflect.get(overrides, name) : Reflect.get(object, name)) as unknown });
}

/** The defences that stand between a session and its loss, each with the product as it would be without it. */
export const weakenings = {
  /** Every move starts from whatever the record is by then. */
  'compare on rev': (outsides) => {
    const { store } = outsides;
    const move: SessionStore['move'] = async (options) => store.move({ ...options, rev: (await store.get(options.id))?.rev ?? options.rev });
    return { ...outsides, store: overriding(store, { move }) };
  },
  /** Nobody sees whether something ran between freeze and commit point. */
  'the CPU witness': (outsides) => ({ ...outsides, engine: overriding(outsides.engine, { cpuCounter: () => Promise.resolve(1) }) }),
  /** A push that says that it was done is believed. */
  'the proof by read-back': (outsides) => ({ ...outsides, registry: overriding(outsides.registry, { prove: () => Promise.resolve({ bytes: 1 }) }) }),
  /** A generation is retired by its service's name. */
  'retire by service id': (outsides) => {
    const { engine } = outsides;
    const findSessionService: Engine['findSessionService'] = async (id, options) => {
      const found = await engine.findSessionService(id, options);
      return found && { ...found, gen: 0 };
    };
    return { ...outsides, engine: overriding(engine, { findSessionService }) };
  },
  /** What has no record is removed at first sight. */
  'the second sighting': (outsides) => ({ ...outsides, care: overriding(outsides.care, { sight: (_scope, seen) => Promise.resolve(new Map(seen.map((key) => [key, Number.MAX_SAFE_INTEGER]))) }) }),
  /** Redis is believed whatever happened to it: by whoever looks, and by the moves, which ask the same object. Nothing is rebuilt. */
  'the epoch': (outsides) => {
    const { epoch } = outsides;
    const look: Epoch['look'] = async () => {
      await epoch.open();
      return 'open';
    };
    Object.assign(epoch, { look, isOpen: async () => (await look()) === 'open', fence: () => [] });
    return outsides;
  },
} as const satisfies Record<string, Weakening>;

export type Defence = keyof typeof weakenings;

/** The product as it is. */
export const unweakened: Weakening = (outsides) => outsides;
