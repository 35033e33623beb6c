import type { Span } from '@opentelemetry/api';
import { innermostScope } from '../scope/scope.js';
import { DEFAULT_ATTRIBUTE } from './observe-tenants.js';
import { nameTenant } from './named-spans.js';

/**
 * A span processor that names the tenant on each span that is started in its scope, whoever starts it: the spans of `pg`, of an HTTP client and your
 * own. Put it into `spanProcessors` of the tracer provider, before those that export.
 */
export class TenantSpanProcessor {
  readonly #attribute: string;

  constructor({ attribute = DEFAULT_ATTRIBUTE }: { readonly attribute?: string } = {}) {
    this.#attribute = attribute;
  }

  onStart(span: Pick<Span, 'setAttribute'>): void {
    const scope = innermostScope();

    if (scope?.kind === 'tenant') {
      nameTenant(span, this.#attribute, scope.schemaName);
    }
  }

  onEnd(): void {
    // a span that has ended cannot be changed
  }

  async forceFlush(): Promise<void> {
    // keeps nothing
  }

  async shutdown(): Promise<void> {
    // keeps nothing
  }
}
