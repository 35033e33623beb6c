import type { Span } from '@opentelemetry/api';

/**
 * Names the tenant on a span. A span in which the scopes of several tenants are entered, such as that of a job for all of them, is none of
 * theirs: it gets `*`, which no tenant can be called.
 */
export function nameTenant(span: Pick<Span, 'setAttribute'>, attribute: string, schemaName: string): void {
  const named = names.get(span);

  if (named !== schemaName && named !== SEVERAL) {
    const name = named === undefined ? schemaName : SEVERAL;
    names.set(span, name);
    span.setAttribute(attribute, name);
  }
}

/** On a span of several tenants. */
const SEVERAL = '*';

const names = new WeakMap<object, string>();
