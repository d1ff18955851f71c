import { Counter, type Registry } from '@vibe/platform';

/** What a person should look at, each said in the log as well. */
export const agentAlarms = ['disk_full', 'too_many_layers', 'keeps_volumes', 'hibernation_failed'] as const;
export type AgentAlarm = (typeof agentAlarms)[number];

export interface Alarms {
  raise(alarm: AgentAlarm): void;
}

/** Counts alarms from zero on, so that the first one shows as a rise. */
export function createAlarms(registry: Registry): Alarms {
  const raised = new Counter({ name: 'vibe_alarms_total', help: 'Things that a person should look at', labelNames: ['alarm'], registers: [registry] });
  for (const alarm of agentAlarms) raised.inc({ alarm }, 0);
  return { raise: (alarm) => raised.inc({ alarm }) };
}
