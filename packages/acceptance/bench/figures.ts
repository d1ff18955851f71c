import Table from 'cli-table3';

/** The times of one benchmark, in ms: as many raw rounds as rounds of ours, made in turn. */
export interface Measured {
  readonly rawMs: readonly number[];
  readonly oursMs: readonly number[];
}

export interface Figures {
  readonly n: number;
  readonly raw_ms: { readonly p50: number; readonly p95: number };
  readonly ours_ms: { readonly p50: number; readonly p95: number };
  readonly ratio_p50: number;
}

/** The value below which a share of the values lies, between neighbours in proportion. Throws for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) throw new Error('there is no percentile of nothing');
  return low + (high - low) * (at - Math.floor(at));
}

/** What `--json` prints. Milliseconds are whole, the ratio has two decimals. */
export function figuresOf({ rawMs, oursMs }: Measured): Figures {
  const pair = (values: readonly number[]) => ({ p50: Math.round(percentile(values, 0.5)), p95: Math.round(percentile(values, 0.95)) });
  const ratio = percentile(oursMs, 0.5) / percentile(rawMs, 0.5);
  return { n: oursMs.length, raw_ms: pair(rawMs), ours_ms: pair(oursMs), ratio_p50: Math.round(ratio * 100) / 100 };
}

/** The figures as a person reads them, with the bar they are held against. */
export function tableOf(names: { readonly raw: string; readonly ours: string }, figures: Figures, bar: number): string {
  const table = new Table({ head: ['', 'p50', 'p95'], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right'] });
  const ms = (value: number): string => `${value} ms`;
  table.push([names.raw, ms(figures.raw_ms.p50), ms(figures.raw_ms.p95)], [names.ours, ms(figures.ours_ms.p50), ms(figures.ours_ms.p95)]);
  const verdict = figures.ratio_p50 <= bar ? 'kept' : 'MISSED';
  return `${table.toString()}\n${figures.n} rounds of each, in turn. Ours / raw at p50: ${figures.ratio_p50} (bar ${bar}: ${verdict})\n`;
}
