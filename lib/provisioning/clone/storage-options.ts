import { quoteLiteral } from '../../postgres/quote-literal.js';

/** Storage parameters as the catalog has them, such as `fillfactor=70`. */
export function optionsSql(options: readonly string[] | null, prefix = ''): string[] {
  return (options ?? []).map(option => {
    const at = option.indexOf('=');

    return `${prefix}${option.slice(0, at)}=${quoteLiteral(option.slice(at + 1))}`;
  });
}

export function withSql(options: readonly string[]): string {
  return options.length === 0 ? '' : ` with (${options.join(', ')})`;
}
