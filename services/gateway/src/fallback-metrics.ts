import type { Registry } from '@vibe/platform';
import { Counter, Gauge } from '@vibe/platform';

/** How an upgrade ended. A closed set: the label of its counter. */
export type UpgradeOutcome = 'opened' | 'unclaimed' | 'refused' | 'unavailable' | 'unreachable' | 'failed';

export interface FallbackMetrics {
  readonly upgrades: Counter<'outcome'>;
  readonly openSockets: Gauge;
}

export function createFallbackMetrics(registry: Registry): FallbackMetrics {
  return {
    upgrades: new Counter({ name: 'vibe_gateway_upgrades_total', help: 'Upgrades that fell to the gateway, by how they ended', labelNames: ['outcome'], registers: [registry] }),
    openSockets: new Gauge({ name: 'vibe_gateway_open_sockets', help: 'Terminal sockets open through the gateway', registers: [registry] }),
  };
}
