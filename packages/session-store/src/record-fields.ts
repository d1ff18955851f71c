import type { RecordFields } from '@vibe/contracts';

/** Strings for Lua: its own number format would cut long numbers. `null` stays, it removes the field. */
export function encodeFields(fields: RecordFields): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [] : [[field, value === null ? null : String(value)]]))));
}
