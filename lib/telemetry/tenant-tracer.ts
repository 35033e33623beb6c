import { context, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import type { ObservedOperation, Resolution } from '../scope/observer.js';
import type { Scope } from '../scope/scope.js';
import { nameTenant } from './named-spans.js';

/** The spans of what the library does. */
export class TenantTracer {
  readonly #tracer: Tracer;
  readonly #attribute: string;

  constructor(tracer: Tracer, attribute: string) {
    this.#tracer = tracer;
    this.#attribute = attribute;
  }

  /** Names the tenant on the span that its scope is entered in, such as that of the request. */
  entered(scope: Scope, active: Span | undefined): void {
    if (scope.kind === 'tenant' && active !== undefined) {
      nameTenant(active, this.#attribute, scope.schemaName);
    }
  }

  async operation<Result>({ name, schemaName }: ObservedOperation, fn: () => Promise<Result>): Promise<Result> {
    const span = this.#tracer.startSpan(name === 'run' ? 'tenant.migrations' : `tenant.${name}`);

    if (schemaName !== undefined) {
      nameTenant(span, this.#attribute, schemaName);
    }

    try {
      return await context.with(trace.setSpan(context.active(), span), fn);
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  // told when it is over: tenants share messages
  migrated({
    schemaName,
    durationMs,
    error,
  }: {
    readonly schemaName: string;
    readonly durationMs: number;
    readonly error?: unknown;
  }): void {
    const end = Date.now();
    const span = this.#tracer.startSpan('tenant.migrate', { startTime: end - durationMs });
    nameTenant(span, this.#attribute, schemaName);

    if (error !== undefined) {
      fail(span, error);
    }

    span.end(end);
  }

  /** What is answered from memory makes no span: it takes less time than a span. */
  resolved({ outcome, schemaName, startedAt, hasWaited }: Resolution): void {
    if (!hasWaited) {
      return;
    }

    const span = this.#tracer.startSpan('tenant.resolve', { startTime: startedAt, attributes: { 'landlord.outcome': outcome } });

    if (schemaName !== undefined) {
      nameTenant(span, this.#attribute, schemaName);
    }

    span.end();
  }
}

function fail(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  span.recordException(error instanceof Error ? error : message);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
