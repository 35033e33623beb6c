import { UnsupportedValueError } from '../errors/index.js';

/**
 * Writes every value as a literal. MikroORM 7 writes an object that it does not know, such as a `URL`, a `String` object or a value object,
 * into the statement as its bare text, which PostgreSQL then reads as SQL. Here such an object becomes a text literal of its string form.
 * One that has no string form of its own, and whatever else is no value, is refused.
 *
 * Relies on `platform.escape()`, through which MikroORM 7 writes each value that is neither a raw fragment nor a plain object.
 */
export function writeLiterals(platform: object): void {
  const open = platform as EscapingPlatform;
  const escape = open.escape.bind(open);

  open.escape = value => literalOf(value, escape);
}

/** `escape` is asked only for what no code of the value's own takes part in. */
function literalOf(value: unknown, escape: Escape): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new UnsupportedValueError(value);
  }

  if (typeof value !== 'object' || value === null) {
    return escape(value);
  }

  if (Array.isArray(value)) {
    // not by the array's own `map`
    return Array.from(value as ArrayLike<unknown>, item => literalOf(item, escape)).join(', ');
  }

  if (value instanceof Date) {
    return escape(new Date(Date.prototype.getTime.call(value)));
  }

  if (ArrayBuffer.isView(value)) {
    return escape(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }

  return escape(textOf(value));
}

function textOf(value: object): string {
  let text: unknown;

  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    // a plain object is JSON, as MikroORM writes one that is not in an array
    text = prototype === null || prototype === Object.prototype ? JSON.stringify(value) : String(value);
  } catch (error) {
    throw new UnsupportedValueError(value, { cause: error });
  }

  // `[object Map]` is what an object is called that has no text
  if (typeof text !== 'string' || text.startsWith('[object ')) {
    throw new UnsupportedValueError(value);
  }

  return text;
}

type Escape = (value: unknown) => unknown;

interface EscapingPlatform {
  escape: Escape;
}
