import { cpus } from 'node:os';
import { createRequire } from 'node:module';

/** The result of a bench. The ratio is our time to the floor. A result that is compared with a fixed number has no floor. */
export interface Report {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

export function printReport(name: string, { title, rows }: Report): void {
  console.log(`\n${title}`);
  console.table(rows);
  console.log(
    JSON.stringify({
      bench: name,
      node: process.version,
      mikroOrm: mikroOrmVersion(),
      cpu: cpus()[0]?.model ?? '',
      cpus: cpus().length,
      title,
      rows,
    }),
  );
}

/** The machine and the versions, in one line. */
export function machine(postgres: string): string {
  return `${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.versions.node}, MikroORM ${mikroOrmVersion()}, PostgreSQL ${postgres}`;
}

/** A count, or a small one with `BENCH=quick`, which only shows that the bench works. */
export function scaled(count: number, quick: number): number {
  return process.env['BENCH'] === 'quick' ? quick : count;
}

function mikroOrmVersion(): string {
  return (createRequire(import.meta.url)('@mikro-orm/core/package.json') as { readonly version: string }).version;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);

  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The duration of `fn` in milliseconds. */
export async function timed(fn: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await fn();

  return performance.now() - start;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
