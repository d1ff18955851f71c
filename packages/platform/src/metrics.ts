import { Registry, collectDefaultMetrics } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * The registry of one process, to be passed to whatever counts; nothing uses prom-client's global one. Label sets are
 * closed: never a session or user id.
 */
export function createMetrics(options: { service: string; isProcessMeasured?: boolean }): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  if (options.isProcessMeasured ?? true) collectDefaultMetrics({ register: registry });
  return registry;
}
