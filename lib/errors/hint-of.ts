/**
 * What to do about an error of PostgreSQL whose message does not say it. A type, function or operator that was not found may be of an extension,
 * whose schema is not on the path. A value of an enum cannot be used in the transaction that adds it. Empty for any other error.
 */
export function hintOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const own = HINTS.get(cause);

    if (own !== undefined) {
      return `${own} `;
    }

    const { code, routine = '' } = cause as { readonly code?: unknown; readonly routine?: unknown };

    if (code === UNDEFINED_FUNCTION || (code === UNDEFINED_OBJECT && LOOKUPS.test(String(routine)))) {
      return 'If it belongs to an extension, add the schema of the extension to the option `searchPath` of `withTenants()`: only the tenant’s schema is on the path of a migration. ';
    }

    if (code === UNCOMMITTED_ENUM_VALUE) {
      return 'Add the value in one migration, and use it in a later one: PostgreSQL lets no transaction use a value that it has added. ';
    }
  }

  return '';
}

/** Says what to do about this one error, which only the caller can know. */
export function addHint(error: unknown, hint: string): void {
  if (error instanceof Error) {
    HINTS.set(error, hint);
  }
}

const HINTS = new WeakMap<Error, string>();

/** Unsafe new enum value usage. */
const UNCOMMITTED_ENUM_VALUE = '55P04';

/** A function or an operator. */
const UNDEFINED_FUNCTION = '42883';

/** Anything else that has a name, such as a constraint. What was looked up is told by the routine of the server. */
const UNDEFINED_OBJECT = '42704';

// types, classes of operators, collations and configurations of text search
const LOOKUPS = /^(typename|ResolveOpClass|get_)/;
