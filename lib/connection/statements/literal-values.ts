import { UnsupportedValueError } from '../../errors/index.js';

/**
 * Writes every value as a literal. MikroORM 7 writes an object of an unknown class, such as a `URL`, a `String` object or a value object, as
 * plain text into the statement, where PostgreSQL reads it as SQL. Here it becomes a text literal of its string form. Objects without a string
 * form of their own, functions and symbols are refused.
 *
 * Relies on MikroORM 7 calling `platform.escape()` for every value that is neither a raw fragment nor a plain object.
 */
export function writeLiterals(platform: object): void {
  const open = platform as EscapingPlatform;
  const escape = open.escape.bind(open);

  // most are texts and numbers
  open.escape = value => (typeof value === 'string' || typeof value === 'number' ? escape(value) : literalOf(value, escape));
}

/** Passes only values to `escape` that cannot run code of their own there. */
function literalOf(value: unknown, escape: Escape): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new UnsupportedValueError(value);
  }

  if (typeof value !== 'object' || value === null) {
    return escape(value);
  }

  if (Array.isArray(value)) {
    // the array could have a `map` method of its own
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
    // a plain object is written as JSON, as MikroORM does outside arrays
    // oxlint-disable-next-line typescript/no-base-to-string -- that text is refused below
    text = prototype === null || prototype === Object.prototype ? JSON.stringify(value) : String(value);
  } catch (error) {
    throw new UnsupportedValueError(value, { cause: error });
  }

  // an object without a string form of its own returns `[object …]`
  if (typeof text !== 'string' || text.startsWith('[object ')) {
    throw new UnsupportedValueError(value);
  }

  return text;
}

type Escape = (value: unknown) => unknown;

interface EscapingPlatform {
  escape: Escape;
}
