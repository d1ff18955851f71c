import { createHash } from 'node:crypto';

/** So many histories run in one go; a process takes the next chunk when it is done with one. */
export const CHUNK = 25;

/** A part of a run. Its seed follows from the run's and its place, so that the same run has the same histories on any machine. */
export interface Chunk {
  readonly seed: number;
  readonly cycles: number;
}

/** Splits a run of so many cycles. */
export function chunksOf(seed: number, cycles: number): Chunk[] {
  return Array.from({ length: Math.ceil(cycles / CHUNK) }, (_, place) => ({
    seed: createHash('sha256').update(`${seed} ${place}`).digest().readUInt32BE(0) >>> 1,
    cycles: Math.min(CHUNK, cycles - place * CHUNK),
  }));
}
