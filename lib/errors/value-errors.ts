import { TenantError } from './tenant-error.js';

/** A value that cannot be written as an SQL literal. */
export class UnsupportedValueError extends TenantError {
  constructor(value: unknown, options?: ErrorOptions) {
    super(
      'VALUE_UNSUPPORTED',
      `${kindOf(value)} was given as a value, and it has no text that could be stored or compared. No SQL was sent. ` +
        'Give a string, a number, a boolean, a bigint, a `Date`, a `Buffer`, a plain object or an array, or map the property with a custom type.',
      options,
    );
  }
}

// nothing of the value itself is called
function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return `A ${typeof value}`;
  }

  try {
    const constructor = (Object.getPrototypeOf(value) as { readonly constructor?: unknown } | null)?.constructor;
    const name: unknown = typeof constructor === 'function' ? constructor.name : undefined;

    return typeof name === 'string' && /^\w+$/.test(name) ? `An object of class ${name}` : 'An object';
  } catch {
    return 'An object';
  }
}
