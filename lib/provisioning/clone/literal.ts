/** A text as a literal, whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;

  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

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
