import { context, metrics, trace, type MeterProvider, type TracerProvider } from '@opentelemetry/api';
import { selectOrm, type OrmOption } from '../scope/live-orms.js';
import { Tenancy } from '../tenancy.js';
import type { Configuration } from '@mikro-orm/core';
import { TenantMeter } from './tenant-meter.js';
import { TenantTracer } from './tenant-tracer.js';

export interface ObserveTenantsOptions extends OrmOption {
  /**
   * Whether metrics have a label with the tenant's schema name too. Each tenant then makes series of its own, which back ends of metrics charge for
   * or refuse at some number. Spans always name the tenant.
   *
   * @default false
   */
  readonly tenantLabel?: boolean;

  /** The name of the attribute and label with the tenant's schema name. @default 'landlord.tenant' */
  readonly attribute?: string;

  /** @default the global one */
  readonly tracerProvider?: TracerProvider;

  /** @default the global one */
  readonly meterProvider?: MeterProvider;
}

/**
 * Has an ORM report spans and metrics to OpenTelemetry, until the function that it returns is called. Call it when the SDK is registered and the
 * ORM is open. Without this call the library does nothing for telemetry.
 */
export function observeTenants(options: ObserveTenantsOptions = {}): () => void {
  const { attribute = DEFAULT_ATTRIBUTE, tenantLabel = false, tracerProvider = trace, meterProvider = metrics } = options;
  const tenancy = Tenancy.of(selectOrm(options) as Configuration);
  const tracer = new TenantTracer(tracerProvider.getTracer(LIBRARY), attribute);
  const meter = new TenantMeter(meterProvider.getMeter(LIBRARY), tenancy, tenantLabel ? attribute : undefined);
  const { rules } = tenancy;
  const observer = {
    operation: <Result>(operation: Parameters<TenantTracer['operation']>[0], fn: () => Promise<Result>) =>
      meter.operation(operation, () => tracer.operation(operation, fn)),
    migrated: (result: Parameters<TenantTracer['migrated']>[0]) => {
      tracer.migrated(result);
      meter.migrated(result);
    },
    resolved: (resolution: Parameters<TenantTracer['resolved']>[0]) => {
      tracer.resolved(resolution);
      meter.resolved(resolution);
    },
    entered: <Result>(scope: Parameters<TenantTracer['entered']>[0], fn: () => Result): Result => {
      tracer.entered(scope, trace.getSpan(context.active()));

      return meter.entered(scope, fn);
    },
  };
  rules.observer = observer;

  return () => {
    meter.stop();
    rules.observer = rules.observer === observer ? undefined : rules.observer;
  };
}

/** The name of the attribute, unless another is chosen. */
export const DEFAULT_ATTRIBUTE = 'landlord.tenant';

const LIBRARY = '@landlord/mikro-orm';
