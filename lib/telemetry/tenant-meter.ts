import type { Attributes, BatchObservableCallback, Counter, Histogram, Meter, UpDownCounter } from '@opentelemetry/api';
import { TenantLimiter } from '../connection/pool/tenant-limiter.js';
import type { ObservedOperation, Resolution } from '../scope/observer.js';
import type { Scope } from '../scope/scope.js';
import type { Tenancy } from '../tenancy.js';

/** The metrics of what the library does. Their labels have few values each, however many tenants there are. */
export class TenantMeter {
  readonly #label: string | undefined;
  readonly #resolutions: Counter;
  readonly #durations: Histogram;
  readonly #scopes: Counter;
  readonly #active: UpDownCounter;
  readonly stop: () => void;

  /** `label` is the name of the label with the tenant. Undefined for none. */
  constructor(meter: Meter, tenancy: Tenancy, label: string | undefined) {
    this.#label = label;
    this.#resolutions = meter.createCounter('landlord.resolutions', {
      description: 'Requests for which it was decided which tenant they mean, by outcome.',
      unit: '{request}',
    });
    this.#durations = meter.createHistogram('landlord.operation.duration', {
      description: 'How long creating, migrating, renaming and dropping a tenant takes, and a run of migrations.',
      unit: 's',
    });
    this.#scopes = meter.createCounter('landlord.scopes', { description: 'Scopes that were entered.', unit: '{scope}' });
    this.#active = meter.createUpDownCounter('landlord.scopes.active', { description: 'Scopes that have not ended.', unit: '{scope}' });
    this.stop = observeState(meter, tenancy);
  }

  async operation<Result>({ name, schemaName }: ObservedOperation, fn: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    let outcome = 'error';

    try {
      const result = await fn();
      outcome = 'ok';

      return result;
    } finally {
      this.#durations.record((performance.now() - start) / 1_000, this.#labels({ operation: name, outcome }, schemaName));
    }
  }

  migrated({
    schemaName,
    durationMs,
    error,
  }: {
    readonly schemaName: string;
    readonly durationMs: number;
    readonly error?: unknown;
  }): void {
    const outcome = error === undefined ? 'ok' : 'error';
    this.#durations.record(durationMs / 1_000, this.#labels({ operation: 'migrate', outcome }, schemaName));
  }

  resolved({ outcome, schemaName }: Resolution): void {
    this.#resolutions.add(1, this.#labels({ outcome }, schemaName));
  }

  entered<Result>(scope: Scope, fn: () => Result): Result {
    const { kind } = scope;
    this.#scopes.add(1, this.#labels({ kind }, scope.kind === 'tenant' ? scope.schemaName : undefined));
    this.#active.add(1, { kind });
    const end = (): void => this.#active.add(-1, { kind });

    try {
      const result = fn();

      if (result instanceof Promise) {
        result.then(end, end);
      } else {
        end();
      }

      return result;
    } catch (error) {
      end();
      throw error;
    }
  }

  #labels(labels: Attributes, schemaName: string | undefined): Attributes {
    return this.#label === undefined || schemaName === undefined ? labels : { ...labels, [this.#label]: schemaName };
  }
}

/** What is there to be read when metrics are collected. Costs nothing in between. */
function observeState(meter: Meter, tenancy: Tenancy): () => void {
  const lookups = meter.createObservableCounter('landlord.directory.lookups', {
    description: 'Look-ups of tenants: those answered from memory (hit), and those that the database was asked for (miss).',
    unit: '{lookup}',
  });
  const entries = meter.createObservableGauge('landlord.directory.entries', {
    description: 'What the directory holds in memory: keys of tenants, and keys that no tenant has.',
    unit: '{entry}',
  });
  const connections = meter.createObservableGauge('landlord.limits.connections', {
    description: 'With the option `limits`: connections that the work of tenants has, and work that waits for one.',
    unit: '{connection}',
  });
  const refusals = meter.createObservableCounter('landlord.limits.refusals', {
    description: 'With the option `limits`: work that was refused with TENANT_OVERLOADED.',
    unit: '{refusal}',
  });
  const all = [lookups, entries, connections, refusals];
  const observe: BatchObservableCallback = result => {
    const { hits, misses, known, unknown } = tenancy.directory.stats;
    result.observe(lookups, hits, { result: 'hit' });
    result.observe(lookups, misses, { result: 'miss' });
    result.observe(entries, known, { kind: 'tenant' });
    result.observe(entries, unknown, { kind: 'unknown' });

    if (tenancy.rules.options.limits !== undefined) {
      const { used, waiting, queueFull, timedOut } = TenantLimiter.of(tenancy.rules.config).stats;
      result.observe(connections, used, { state: 'used' });
      result.observe(connections, waiting, { state: 'waiting' });
      result.observe(refusals, queueFull, { reason: 'queue' });
      result.observe(refusals, timedOut, { reason: 'timeout' });
    }
  };
  meter.addBatchObservableCallback(observe, all);

  return () => meter.removeBatchObservableCallback(observe, all);
}
