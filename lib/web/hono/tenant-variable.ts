import type { Context } from 'hono';
import type { IdentifiedAsTenant } from '../core/identification.js';

/**
 * Gives a context the variable `tenant`. Its entity is created when it is first read: many requests never read it, and to create it takes longer
 * than to find the tenant. The variables of Hono have no getters, so the methods that read them set it first.
 */
export function exposeTenantVariable(c: Context, found: IdentifiedAsTenant): void {
  const marked = c as Marked;
  const isExposed = FOUND in marked;
  marked[FOUND] = found;

  if (isExposed) {
    return;
  }

  const { get, set } = c as OpenContext;
  const getOwn: OpenContext['get'] = key => {
    const unread = key === 'tenant' ? marked[FOUND] : undefined;

    if (unread !== undefined) {
      set(key, unread.tenant);
      marked[FOUND] = undefined;
    }

    return get(key);
  };
  const setOwn: OpenContext['set'] = (key, value) => {
    if (key === 'tenant') {
      marked[FOUND] = undefined;
    }

    set(key, value);
  };

  Object.assign(c, { get: getOwn, set: setOwn });
  Object.defineProperty(c, 'var', VARIABLES);
}

const FOUND = Symbol('landlord.found');

// shared by all contexts: with functions of its own, each would get its own hidden class in V8
const VARIABLES: PropertyDescriptor & ThisType<Context> = {
  configurable: true,
  get() {
    (this as OpenContext).get('tenant');

    return Reflect.get(Object.getPrototypeOf(this) as object, 'var', this);
  },
};

type Marked = Context & { [FOUND]?: IdentifiedAsTenant | undefined };

type OpenContext = Pick<Context, never> & {
  readonly get: (key: string) => unknown;
  readonly set: (key: string, value: unknown) => void;
};
